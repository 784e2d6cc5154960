"""The calls of an hour that a development shop has, and the pause after the service said so."""

from __future__ import annotations

from math import inf

import attrs

from ..errors import InvalidArgumentError, RateLimitError
from ..options import Priority

HOUR = 3600
PAUSE = 300.0
"""Seconds without calls after a 36009037; documents say "not for minutes"."""
TRIAL = 5.0
"""Seconds that the first call after a pause is alone."""


@attrs.frozen
class HourlyBudget:
    """How many calls an app may make in a shop within an hour of the clock."""

    calls: float = inf
    kept: float = 0
    """Of these, for calls of high priority alone."""

    def allowed(self, priority: Priority) -> float:
        """Return how many calls there may be before one of this priority is too many."""
        return self.calls if priority == "high" else self.calls - self.kept


def new_budget(calls: int | None, kept_for_high: float) -> HourlyBudget:
    """Return a budget, or raise `InvalidArgumentError`."""
    if calls is None:
        return HourlyBudget()
    if calls < 1:
        raise InvalidArgumentError("hourly_budget is below 1.", argument="hourly_budget")
    if not 0 <= kept_for_high < 1:
        raise InvalidArgumentError("kept_for_high is no share.", argument="kept_for_high")
    return HourlyBudget(calls, round(calls * kept_for_high))


@attrs.define
class Account:
    """What an app has used in a shop. All times are Unix seconds: an hour is one of the clock."""

    budget: HourlyBudget
    hour: int = 0
    calls: int = 0
    waiting: int = 0
    """Calls that were let in and have not gone yet."""
    paused_until: float = 0.0
    on_trial: bool = False
    """Whether the next call finds out if a pause was long enough."""

    @property
    def limited(self) -> bool:
        """Whether it has to be asked at all."""
        return self.paused_until > 0 or self.budget.calls < inf

    def refusal(self, now: float, priority: Priority, *, waiting: int = 0) -> RateLimitError | None:
        """Return why one more call may not go, beside those that are ``waiting``."""
        if now < self.paused_until:
            return paused(self.paused_until - now)
        hour = int(now // HOUR)
        calls = self.calls if hour == self.hour else 0
        if calls + waiting >= self.budget.allowed(priority):
            return spent((hour + 1) * HOUR - now)
        return None

    def count(self, now: float) -> None:
        """Take note of a call that goes."""
        hour = int(now // HOUR)
        self.calls = self.calls + 1 if hour == self.hour else 1
        self.hour = hour
        if self.on_trial:
            self.on_trial = False
            self.paused_until = now + TRIAL
        elif self.paused_until <= now:
            self.paused_until = 0.0

    def take_back(self) -> None:
        """Take no note of a call after all."""
        self.calls = max(0, self.calls - 1)

    def pause(self, now: float, retry_after: float | None) -> None:
        """Let nothing go for a while: the service says that its quota is used up."""
        self.paused_until = max(self.paused_until, now + max(PAUSE, retry_after or 0.0))
        self.on_trial = True


def spent(seconds: float) -> RateLimitError:
    """Return the error of a call for which this hour has no more."""
    return RateLimitError(
        "not sent: the shop's calls of this hour are used up.",
        retry_after=seconds,
        hint="Call again in the next hour, or raise hourly_budget.",
    )


def paused(seconds: float) -> RateLimitError:
    """Return the error of a call during a pause."""
    return RateLimitError(
        "not sent: the service said a short while ago that the shop's quota is used up.",
        retry_after=seconds,
        hint="Call again later; development shops have few calls an hour.",
    )
