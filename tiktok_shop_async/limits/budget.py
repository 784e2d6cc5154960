"""The hourly budget of calls in a shop, and the pause after the service refused a call for it."""

from __future__ import annotations

from math import inf

import attrs

from .._internal.clock import Clock
from ..errors import InvalidArgumentError, RateLimitError
from ..options import Priority
from ..pipeline.admission.limiter import LimitKey

HOUR = 3600
PAUSE = 300.0
"""Seconds without calls after a 36009037; the documentation says to wait some minutes."""
MAX_PAUSE = 3600.0
"""Maximum seconds of a pause, whatever a Retry-After says: quotas are by the hour."""
TRIAL = 5.0
"""Seconds for which the first call after a pause runs alone."""


@attrs.frozen
class HourlyBudget:
    """The number of calls that an app may send in a shop in one hour of the clock."""

    calls: float = inf
    kept: float = 0
    """The calls of these that are reserved for high priority."""

    def allowed(self, priority: Priority) -> float:
        """Return how many calls of this hour a call of this priority may use."""
        return self.calls if priority == "high" else self.calls - self.kept


def new_budget(calls: int | None, kept_for_high: float) -> HourlyBudget:
    """Return a budget, or raise `InvalidArgumentError`."""
    if calls is None:
        return HourlyBudget()
    if calls < 1:
        raise InvalidArgumentError(
            f"hourly_budget must be at least 1, not {calls!r}.", argument="hourly_budget"
        )
    if not 0 <= kept_for_high < 1:
        raise InvalidArgumentError(
            f"kept_for_high must be at least 0 and below 1, not {kept_for_high!r}.",
            argument="kept_for_high",
        )
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
    """Return a Retry-After of at most ``max_pause``; None if it is not above 0, or is NaN."""
    if retry_after is None or not retry_after > 0:
        return None
    return min(retry_after, max_pause)


@attrs.define
class Account:
    """The calls that an app has sent in a shop, measured by a monotonic clock.

    The Unix clock is read once, to find where its hours begin. If it is set later, that neither
    adds calls to the budget nor moves the end of a pause.
    """

    budget: HourlyBudget
    unix_offset: float
    """Unix seconds when the monotonic clock shows 0."""
    max_pause: float = MAX_PAUSE
    keys: int = 0
    """The number of keys that use this account."""
    hour: int = 0
    calls: int = 0
    waiting: int = 0
    """Calls that wait for a permit, and for which the budget was checked."""
    paused_until: float = -inf
    on_trial: bool = False
    """True if the next call tests whether the pause was long enough."""

    @property
    def limited(self) -> bool:
        """True if a pause or a budget limits the calls of this account."""
        return self.paused_until > -inf or self.budget.calls < inf

    @property
    def needed_until(self) -> float:
        """The time from which on a new account would be the same as this one."""
        return max(self.paused_until, self._start_of(self.hour + 1) if self.calls else -inf)

    def refusal(self, now: float, priority: Priority, *, waiting: int = 0) -> RateLimitError | None:
        """Return the error that refuses one more call; None if it is allowed.

        Args:
            waiting: Calls that were admitted before and have not been counted yet.
        """
        if now < self.paused_until:
            return paused(self.paused_until - now)
        hour = self._hour(now)
        calls = self.calls if hour == self.hour else 0
        if calls + waiting >= self.budget.allowed(priority):
            return spent(self._start_of(hour + 1) - now)
        return None

    def count(self, now: float) -> None:
        """Count a call that is sent now."""
        hour = self._hour(now)
        self.calls = self.calls + 1 if hour == self.hour else 1
        self.hour = hour
        if self.on_trial:
            self.on_trial = False
            self.paused_until = now + TRIAL
        elif self.paused_until <= now:
            self.paused_until = -inf

    def uncount(self) -> None:
        """Undo the counting of a call that was not sent."""
        self.calls = max(0, self.calls - 1)

    def pause(self, now: float, retry_after: float | None) -> None:
        """Refuse all calls for a while, because the service reported that its quota is used up."""
        seconds = min(max(PAUSE, retry_after or 0.0), self.max_pause)
        self.paused_until = max(self.paused_until, now + seconds)
        self.on_trial = True

    def _hour(self, now: float) -> int:
        return int((now + self.unix_offset) // HOUR)

    def _start_of(self, hour: int) -> float:
        return hour * HOUR - self.unix_offset


class Accounts(dict[tuple[str, str], Account]):
    """Accounts by app and shop; each is kept while one of its keys is in use."""

    def __init__(self, budget: HourlyBudget, max_pause: float, clock: Clock) -> None:
        super().__init__()
        self._budget = budget
        self._max_pause = max_pause
        self._clock = clock

    def join(self, key: LimitKey, now: float) -> Account:
        """Return the account of a new key; create it if the key is the first one."""
        account = self.get((key.app_key, key.shop))
        if account is None:
            account = Account(self._budget, self._clock.time() - now, self._max_pause)
            self[key.app_key, key.shop] = account
        account.keys += 1
        return account

    def leave(self, key: LimitKey) -> bool:
        """Remove a key from its account; True if the account was removed too."""
        account = self[key.app_key, key.shop]
        account.keys -= 1
        if account.keys:
            return False
        del self[key.app_key, key.shop]
        return True


def spent(seconds: float) -> RateLimitError:
    """Return the error of a call for which this hour's budget has no calls left."""
    return RateLimitError(
        "not sent: the shop's hourly budget is used up.",
        retry_after=seconds,
        hint="Call again in the next hour, or raise hourly_budget.",
    )


def paused(seconds: float) -> RateLimitError:
    """Return the error of a call during a pause."""
    return RateLimitError(
        "not sent: the shop is paused, because the service reported that its quota is used up.",
        retry_after=seconds,
        hint="Call again later; development shops have few calls an hour.",
    )
