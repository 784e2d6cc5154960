"""The limits of keys as this process knows them from Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from math import inf

from ...pipeline.admission.limiter import EndpointClass, LimitKey, Permit
from ..budget import Accounts, paused
from ..expiry import KEY_TTL, ExpiryQueue
from ..limited_rate import shop_hash
from ..rate_state import RateState
from ..wait_queue import WaitQueue
from .local_fallback import LastKnown, LocalFallback


class KeyState:
    """The limit of one key, and the calls of this process that wait for it."""

    def __init__(
        self, key: LimitKey, prefix: str, start: RateState | None, fallback: LocalFallback
    ) -> None:
        # The braces keep all three names on one node of a cluster.
        shop = f"{prefix}limit:{{{shop_hash(key)}}}"
        name = f"{shop}:{key.endpoint_class}"
        self.names = (name, f"{name}:recent", f"{shop}:account")
        self.start = start
        """The state to begin with; None to begin without a limit."""
        self.permit = Permit(key, 0)
        self.queue = WaitQueue()
        self.task: asyncio.Task[None] | None = None
        """Grants the calls that wait."""
        self.open_until = -inf
        """Until when calls are sent without a request to Redis."""
        self.calls = 0
        """Calls that were not reported to Redis yet."""
        self.given_back = 0
        """Permits of unsent calls that were not reported to Redis yet."""
        self.rate: float | None = None
        self.held_until = -inf
        self.as_of = -inf
        """When Redis decided this, by its own clock."""
        self.emitted_rate = 0.0
        """The rate that ``on_change`` received last."""
        self.used_at = 0.0
        self.fallback = fallback

    @property
    def known(self) -> LastKnown:
        """The last known state, from which the local fallback begins."""
        return LastKnown(self.as_of, self.rate, self.permit.round, self.held_until)


class KeyStates(dict[LimitKey, KeyState]):
    """The states of all keys; a missing one is created, and expired ones are dropped then."""

    def __init__(
        self,
        prefix: str,
        initial_states: Mapping[EndpointClass, RateState],
        accounts: Accounts,
        now: Callable[[], float],
        share_alone: float,
    ) -> None:
        super().__init__()
        self._prefix = prefix
        self._initial_states = initial_states
        self._accounts = accounts
        """The calls that this process sent while Redis could not be reached."""
        self._now = now
        self._share_alone = share_alone
        self._expiry = ExpiryQueue()
        self._paused_until: dict[tuple[str, str], float] = {}

    def __missing__(self, key: LimitKey) -> KeyState:
        now = self._now()
        for expired in self._expiry.expired(now, self._needed_until):
            del self[expired]
            if self._accounts.leave(expired):
                self._paused_until.pop((expired.app_key, expired.shop), None)
        self._expiry.add(key, now)
        start = self._initial_states.get(key.endpoint_class)
        fallback = LocalFallback(key, start, self._accounts.join(key, now), self._share_alone)
        state = self[key] = KeyState(key, self._prefix, start, fallback)
        state.used_at = now
        return state

    def pause(self, key: LimitKey, seconds: float) -> None:
        """Pause the shop of a key, and refuse all its waiting calls."""
        self._paused_until[key.app_key, key.shop] = self._now() + seconds
        account_name = self[key].names[-1]
        for state in self.values():
            if state.names[-1] == account_name:
                state.open_until = -inf
                state.queue.refuse_all(lambda: paused(seconds))

    def pause_left(self, key: LimitKey) -> float:
        """Return the seconds until the pause of a key's shop ends; 0 or less without a pause."""
        if not self._paused_until:
            return 0.0
        return self._paused_until.get((key.app_key, key.shop), -inf) - self._now()

    def _needed_until(self, key: LimitKey) -> float:
        state, shop = self[key], (key.app_key, key.shop)
        if state.queue:
            return self._now() + KEY_TTL
        used_at = max(state.used_at, state.held_until)
        paused_until = self._paused_until.get(shop, -inf)
        return max(used_at + KEY_TTL, paused_until, self._accounts[shop].needed_until)
