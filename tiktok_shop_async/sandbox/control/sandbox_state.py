"""What a sandbox can be worked on with: its shops, time, faults, limits and log."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..._internal.clock import clock_of
from ..._internal.movable_clock import Movable, MovableClock
from ..domain.market import Market
from ..faults.rate_limits import Limits
from ..faults.rules import Faults
from ..http.request_log import RequestLog
from ..webhook_delivery import Webhooks
from .state_file import StateFile


@attrs.frozen(kw_only=True)
class SandboxState:
    """Everything that tests, control endpoints and the console share."""

    market: Market
    clock: Callable[[], float]
    faults: Faults
    limits: Limits
    webhooks: Webhooks
    requests: RequestLog = attrs.field(
        init=False, default=attrs.Factory(lambda it: RequestLog(secrets=it.market.secrets), True)
    )
    state: StateFile | None = None

    def reset(self) -> None:
        """Return to the beginning: data, rules, limits and time; the log is emptied.

        `LookupError` if the market was made by hand, so that nobody knows its beginning.
        """
        if isinstance(self.clock, MovableClock):
            self.clock.reset()
        self.market.reset()
        self.webhooks.listen()
        if self.state is not None:
            self.state.begin_anew()
        self.faults.reset()
        self.limits.reset()
        self.requests.clear()

    async def keep_up(self, seconds: float = 0.5) -> None:
        """Have what is due done, announced and saved by itself, not when somebody looks."""
        while True:
            await clock_of(self.clock).sleep(seconds)
            self.market.settle(self.clock())
            if self.state is not None:
                self.state.save()

    def move_clock(self, seconds: float) -> None:
        """Let time pass at once; `LookupError` if the clock is one that cannot be moved."""
        if not isinstance(self.clock, Movable):
            raise LookupError("the clock cannot be moved: it has no advance(seconds)")
        self.clock.advance(seconds)
        self.market.settle(self.clock())
