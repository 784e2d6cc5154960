"""The limit of one key as this process knows it from Redis."""

from __future__ import annotations

import asyncio
from math import inf

from ...pipeline.admission.limiter import LimitKey, Permit
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
        """What the local fallback begins with."""
        return LastKnown(self.as_of, self.rate, self.permit.round, self.held_until)
