"""The state that all calls of a client share: lifetime, limiter, retry policy and observers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import httpx

from ..client_options import ClientOptions
from .lifetime import Lifetime

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from .._internal.clock import Clock
    from ..events import CallEvent, Observer
    from .admission.limiter import Limiter, LimitKey, Permit
    from .operation import Operation
    from .retry import RetryBudget, RetryPolicy


class Session(Lifetime):
    """The state of a client, shared with all its views."""

    retry_policy: RetryPolicy
    retry_budget: RetryBudget

    def __init__(
        self,
        http_client: httpx.AsyncClient,
        options: ClientOptions,
        *,
        clock: Clock,
        retry_policy: RetryPolicy | None = None,
        limiter: Limiter | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        super().__init__(http_client, options.max_in_flight)
        self.options = options
        self.clock = clock
        self.limiter = limiter
        self._observers = _guard(observers)
        self._retry_policy = retry_policy
        self._limit_keys: dict[tuple[str, str], LimitKey] = {}

    def _start(self, loop: AbstractEventLoop) -> None:
        from ..events import log_call, logger
        from .retry import ExponentialBackoff, RetryBudget

        super()._start(loop)
        self._log, self._logger = log_call, logger
        self.retry_policy = self._retry_policy or ExponentialBackoff()
        self.retry_budget = RetryBudget()

    def release_permit(self, permit: Permit) -> None:
        """Return the permit of an unsent call to the limiter; log what the limiter raises."""
        assert self.limiter is not None, "the permit is from this limiter"
        try:
            self.limiter.give_back(permit)
        except Exception:
            self._logger.exception("the limiter raised an error in give_back")

    def limit_key(self, shop: str, operation: Operation) -> LimitKey:
        """Return the key of the rate limit that applies to an operation in a shop."""
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
        """The observers and, at level DEBUG, the log: they receive all events of every call."""
        if self._logger.isEnabledFor(_DEBUG):
            return (self._log, *self._observers)
        return self._observers

    def emit_delay(self, event: CallEvent) -> None:
        """Emit an event that delays a call: to the log (at level INFO) and to the observers."""
        self.emit(event, (self._log, *self._observers))

    def emit(self, event: CallEvent, listeners: Sequence[Observer]) -> None:
        """Call the listeners with an event; exceptions that observers raise are only logged."""
        for listener in listeners:
            listener(event)


def _guard(observers: Sequence[Observer]) -> tuple[Observer, ...]:
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
