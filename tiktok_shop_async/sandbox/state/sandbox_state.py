"""The state of a sandbox: its market, clock, faults, limits, webhooks and request log."""

from __future__ import annotations

import attrs

from ..._internal.clock import Clock, TimeSource, clock_of
from ..._internal.movable_clock import Movable, MovableClock
from ..domain.market import Market
from ..faults.rate_limits import Limits
from ..faults.rules import Faults
from ..webhook_delivery import Webhooks
from .request_log import RequestLog
from .state_file import StateFile

END_OF_TIME = 4_102_444_800
"""The year 2100, up to which the clock can be moved, so that times stay valid dates."""


@attrs.frozen(kw_only=True)
class SandboxState:
    """The state that tests, control endpoints and the console share."""

    market: Market
    clock: Clock
    movable: Movable | None = None
    """The same clock, if it can be moved."""
    faults: Faults
    limits: Limits
    webhooks: Webhooks
    requests: RequestLog = attrs.field(
        init=False, default=attrs.Factory(lambda it: RequestLog(secrets=it.market.secrets), True)
    )
    file: StateFile | None = None

    def reset(self) -> None:
        """Return to the initial data, faults, limits and time, with an empty request log.

        Raises:
            LookupError: The market was not made by `demo_market`.
        """
        if isinstance(self.movable, MovableClock):
            self.movable.reset()
        self.market.reset()
        self.webhooks.connect()
        if self.file is not None:
            self.file.begin_anew()
        self.faults.reset()
        self.limits.reset()
        self.requests.clear()

    async def run_schedule(self, seconds: float = 0.5) -> None:
        """Run, emit and save what is due, every ``seconds``."""
        while True:
            await self.clock.sleep(seconds)
            self.market.settle(self.clock.time())
            if self.file is not None:
                self.file.save()

    def move_clock(self, seconds: float) -> None:
        """Move the clock ahead.

        Raises:
            LookupError: The clock has no ``advance``.
        """
        if self.movable is None:
            raise LookupError("the clock cannot be moved: it has no advance(seconds)")
        self.movable.advance(seconds)
        self.market.settle(self.clock.time())


def movable_clock(clock: TimeSource) -> Movable:
    """Return the clock if it can be moved, else a movable clock that follows it."""
    return clock if isinstance(clock, Movable) else MovableClock(clock_of(clock).time)
