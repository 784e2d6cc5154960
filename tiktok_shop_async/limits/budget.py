"""The calls of an hour that a development shop has, and the pause after the service said so."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import attrs

from ..errors import InvalidArgumentError, RateLimitError
from ..options import Priority
from ..pipeline.admission.limiter import LimitKey

HOUR = 3600
PAUSE = 300.0
"""Seconds without calls after a 36009037; documents say "not for minutes"."""
MAX_PAUSE = 3600.0
"""Seconds that no pause exceeds, whatever a Retry-After says: quotas are by the hour."""
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


def check_max_pause(max_pause: float) -> float:
    """Return ``max_pause``; raise `InvalidArgumentError` unless it is positive and finite."""
    if not 0 < max_pause < inf:
        raise InvalidArgumentError(
            f"max_pause must be a positive number of seconds, not {max_pause!r}.",
            argument="max_pause",
        )
    return max_pause


def bounded(retry_after: float | None, max_pause: float) -> float | None:
    """Return a Retry-After within its limit; None for one that is not above 0, or NaN."""
    if retry_after is None or not retry_after > 0:
        return None
    return min(retry_after, max_pause)


@attrs.define
class Account:
    """What an app has used in a shop, by a clock that only goes forward.

    Its hours begin when those of the Unix clock do. That clock is read once: setting it later
    neither gives new calls nor moves the end of a pause.
    """

    budget: HourlyBudget
    unix_offset: float
    """Unix seconds at 0 of the clock."""
    max_pause: float = MAX_PAUSE
    keys: int = 0
    """How many keys share it."""
    hour: int = 0
    calls: int = 0
    waiting: int = 0
    """Calls that were let in and have not gone yet."""
    paused_until: float = -inf
    on_trial: bool = False
    """Whether the next call finds out if a pause was long enough."""

    @property
    def limited(self) -> bool:
        """Whether it has to be asked at all."""
        return self.paused_until > -inf or self.budget.calls < inf

    @property
    def matters_until(self) -> float:
        """When it can be forgotten, since a new account would then be the same."""
        return max(self.paused_until, self._began(self.hour + 1) if self.calls else -inf)

    def refusal(self, now: float, priority: Priority, *, waiting: int = 0) -> RateLimitError | None:
        """Return why one more call may not go, beside those that are ``waiting``."""
        if now < self.paused_until:
            return paused(self.paused_until - now)
        hour = self._hour(now)
        calls = self.calls if hour == self.hour else 0
        if calls + waiting >= self.budget.allowed(priority):
            return spent(self._began(hour + 1) - now)
        return None

    def count(self, now: float) -> None:
        """Take note of a call that goes."""
        hour = self._hour(now)
        self.calls = self.calls + 1 if hour == self.hour else 1
        self.hour = hour
        if self.on_trial:
            self.on_trial = False
            self.paused_until = now + TRIAL
        elif self.paused_until <= now:
            self.paused_until = -inf

    def take_back(self) -> None:
        """Take no note of a call after all."""
        self.calls = max(0, self.calls - 1)

    def pause(self, now: float, retry_after: float | None) -> None:
        """Let nothing go for a while: the service says that its quota is used up."""
        seconds = min(max(PAUSE, retry_after or 0.0), self.max_pause)
        self.paused_until = max(self.paused_until, now + seconds)
        self.on_trial = True

    def _hour(self, now: float) -> int:
        return int((now + self.unix_offset) // HOUR)

    def _began(self, hour: int) -> float:
        return hour * HOUR - self.unix_offset


class Accounts(dict[tuple[str, str], Account]):
    """The accounts by app and shop, each for as long as one of its keys is in use."""

    def __init__(
        self, budget: HourlyBudget, max_pause: float, unix_clock: Callable[[], float]
    ) -> None:
        super().__init__()
        self._budget = budget
        self._max_pause = max_pause
        self._unix_clock = unix_clock

    def join(self, key: LimitKey, now: float) -> Account:
        """Return the account of a key that comes into use."""
        account = self.get((key.app_key, key.shop))
        if account is None:
            account = Account(self._budget, self._unix_clock() - now, self._max_pause)
            self[key.app_key, key.shop] = account
        account.keys += 1
        return account

    def leave(self, key: LimitKey) -> bool:
        """Note that a key is forgotten; True if its account is too."""
        account = self[key.app_key, key.shop]
        account.keys -= 1
        if account.keys:
            return False
        del self[key.app_key, key.shop]
        return True


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
