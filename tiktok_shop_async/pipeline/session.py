"""The state that all calls of a client share: its HTTP client, its slots, its retry policy."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import httpx

from ..client_options import ClientOptions
from ..errors import ClientClosedError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from ..events import CallEvent, Observer
    from .admission.closing import UntilClosed
    from .admission.limiter import Limiter, LimitKey, Permit
    from .admission.slots import Slots
    from .operation import Operation
    from .retry import RetryBudget, RetryPolicy


class Session:
    """Opened with a client, shared with its views, and closed once."""

    slots: Slots
    """One for each call in flight."""
    retry_policy: RetryPolicy
    retry_budget: RetryBudget

    def __init__(
        self,
        http_client: httpx.AsyncClient,
        options: ClientOptions,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] | None = None,
        retry_policy: RetryPolicy | None = None,
        limiter: Limiter | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.http_client = http_client
        self.options = options
        self.clock = clock
        self.timer: Callable[[], float] = time.monotonic
        """Measures how long something takes."""
        self.limiter = limiter
        self.closed = False
        self._sleep = sleep
        self._observers = _guarded(observers)
        self._given_policy = retry_policy
        self._limit_keys: dict[tuple[str, str], LimitKey] = {}
        self._loop: AbstractEventLoop | None = None
        self._waits: set[UntilClosed] = set()

    def check_open(self) -> None:
        """Raise `ClientClosedError` if the client is closed."""
        if self.closed or self.http_client.is_closed:
            raise ClientClosedError("the client is closed.", hint="Make a new one.")

    def check_usable(self) -> None:
        """Raise `ClientClosedError` unless calls can be made from here and now."""
        self.check_open()
        # Importing asyncio takes a while: it is left to the first call, when it is there anyway.
        from asyncio import get_running_loop

        loop = get_running_loop()
        if self._loop is None:
            self._start(loop)
        elif self._loop is not loop:
            raise ClientClosedError(
                "the client belongs to another event loop, and so do its connections.",
                hint="Make one client per event loop.",
            )

    def _start(self, loop: AbstractEventLoop) -> None:
        from .._internal.clock import MovableClock, sleep_by
        from ..events import log_call, logger
        from .admission.slots import Slots
        from .retry import ExponentialBackoff, RetryBudget

        self._loop = loop
        self._log, self._logger = log_call, logger
        self.slots = Slots(self.options.max_in_flight)
        self.retry_policy = self._given_policy or ExponentialBackoff()
        self.retry_budget = RetryBudget()
        self._sleep = self._sleep or sleep_by(self.clock)
        if isinstance(self.clock, MovableClock):
            self.timer = self.clock  # a test's: what it moves has passed

    def close(self) -> None:
        """Start no more attempts, and raise `ClientClosedError` in all calls that wait."""
        from asyncio import get_running_loop

        self.closed = True
        if self._loop is get_running_loop():  # in another one nothing waits
            self.slots.close()
            for wait in tuple(self._waits):
                wait.end()

    async def close_connections(self) -> None:
        """Close the HTTP client, or drop its connections if their event loop has ended."""
        if self._loop is None or not self._loop.is_closed():
            await self.http_client.aclose()
            return
        from .._internal.closing import drop_connections

        failures = []
        try:
            await self.http_client.aclose()
        except RuntimeError as error:
            failures.append(error)  # it refers to connections
        drop_connections(failures.clear)

    @property
    def is_left_open(self) -> bool:
        """Whether connections may still be open, because calls were made and nothing was closed."""
        if self._loop is None or self.closed or self.http_client.is_closed:
            return False
        transport = type(getattr(self.http_client, "_transport", None))
        # One that inherits this method has nothing to close, such as `httpx.MockTransport`.
        return getattr(transport, "aclose", None) is not httpx.AsyncBaseTransport.aclose

    def until_closed(self) -> UntilClosed:
        """Return a context in which waiting ends with `ClientClosedError` at a close."""
        from .admission.closing import UntilClosed

        self.check_open()
        return UntilClosed(self._waits)

    async def sleep(self, seconds: float) -> None:
        """Wait before a retry."""
        assert self._sleep is not None, "there is a loop by now"
        await self._sleep(seconds)

    def note_success(self) -> None:
        """Note that a call succeeded."""
        if not self.retry_budget.is_full:
            self.retry_budget.give()

    def give_back(self, permit: Permit) -> None:
        """Return the permit of an unsent call to the limiter; log what the limiter raises."""
        assert self.limiter is not None, "it gave the permit"
        try:
            self.limiter.give_back(permit)
        except Exception:
            self._logger.exception("the limiter failed to take a permit back")

    def limit_key(self, shop: str, operation: Operation) -> LimitKey:
        """Return the key under which an operation of a shop is limited."""
        known = self._limit_keys.get((shop, operation.id))
        if known is None:
            from .admission.limiter import LimitKey, endpoint_class

            known = LimitKey(self.options.app_key, shop, endpoint_class(operation))
            if len(self._limit_keys) > _MAX_LIMIT_KEYS:
                self._limit_keys.clear()
            self._limit_keys[shop, operation.id] = known
        return known

    @property
    def listeners(self) -> Sequence[Observer]:
        """The observers, and the log if DEBUG is on: they receive the events of every call."""
        if self._logger.isEnabledFor(_DEBUG):
            return (self._log, *self._observers)
        return self._observers

    def emit_delay(self, event: CallEvent) -> None:
        """Emit an event that delays a call: to the log (as INFO) and to the observers."""
        self.emit(event, (self._log, *self._observers))

    def emit(self, event: CallEvent, listeners: Sequence[Observer]) -> None:
        """Call the listeners with an event; their own exceptions are only logged."""
        for listener in listeners:
            listener(event)


def _guarded(observers: Sequence[Observer]) -> tuple[Observer, ...]:
    if not observers:
        return ()
    from .._internal.callbacks import Callback
    from ..events import logger

    return tuple(
        Callback(observer, "observers", logger, name="an observer", awaitable=False)
        for observer in observers
    )


_DEBUG = 10
_MAX_LIMIT_KEYS = 10_000
