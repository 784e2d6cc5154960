"""The emitter of one call's events, which observers and the log receive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..errors import RateLimitError
from ..events import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallInfo,
    CallStarted,
    RetryScheduled,
    Throttled,
    TokenReplaced,
)
from ..response import APIResponse

if TYPE_CHECKING:
    from ..events import Observer
    from ..transport.delivery import Delivery
    from .call import PreparedCall
    from .session import Session

R = TypeVar("R", bound=APIResponse[Any])

Attempt: TypeAlias = Callable[["PreparedCall[Any]", int, "Delivery"], Awaitable[R]]
"""A function that makes one attempt, given the call, the attempt's number and its `Delivery`."""


class EventEmitter:
    """An emitter of the events of one call.

    Delays are always emitted, since they are logged at level INFO. `observe_call` and
    `observe_attempt`, which emit starts and ends, are called only if there is a listener.
    """

    def __init__(
        self, session: Session, prepared: PreparedCall[Any], listeners: Sequence[Observer]
    ) -> None:
        operation = prepared.call.operation
        self._session = session
        self._listeners = listeners
        self._attempts = 0
        self._info = CallInfo(
            operation=operation.id,
            version=prepared.version,
            method=operation.method,
            base_url=session.options.base_url,
            path=operation.path.replace("{version}", prepared.version),
            path_arguments=prepared.call.path,
        )

    async def observe_call(self, attempts: Awaitable[R]) -> R:
        """Await the attempts of the call; emit its start and its end."""
        call, timer, error = self._info, self._session.clock.monotonic, None
        started_at = timer()
        self._session.emit(CallStarted(call=call), self._listeners)
        try:
            return await attempts
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._session.emit(
                CallFinished(
                    call=call, attempts=self._attempts, seconds=timer() - started_at, error=error
                ),
                self._listeners,
            )
            error = None  # otherwise the error and this frame would refer to each other

    async def observe_attempt(
        self, start: Callable[[], Awaitable[R]], number: int, *, held_back: float
    ) -> R:
        """Make one attempt; emit its start and its end."""
        timer = self._session.clock.monotonic
        self._attempts = number
        self._session.emit(
            AttemptStarted(call=self._info, attempt=number, held_back=held_back), self._listeners
        )
        started_at = timer()
        try:
            response = await start()
        except BaseException as error:
            self._attempt_finished(number, timer() - started_at, error, error)
            raise
        self._attempt_finished(number, timer() - started_at, response, None)
        return response

    def _attempt_finished(
        self, number: int, seconds: float, result: object, error: BaseException | None
    ) -> None:
        self._session.emit(
            AttemptFinished(
                call=self._info,
                attempt=number,
                seconds=seconds,
                http_status=getattr(result, "http_status", None),
                request_id=getattr(result, "request_id", None),
                error=error,
            ),
            self._listeners,
        )

    def throttled(self, attempt: int, error: RateLimitError) -> None:
        """Emit that the service throttled an attempt."""
        self._session.emit_delay(
            Throttled(
                call=self._info,
                attempt=attempt,
                retry_after=error.retry_after,
                request_id=error.request_id,
            )
        )

    def retry_scheduled(self, attempt: int, error: BaseException, seconds: float) -> None:
        """Emit that the call is retried after a wait."""
        self._session.emit_delay(
            RetryScheduled(call=self._info, attempt=attempt, seconds=seconds, error=error)
        )

    def token_replaced(self, attempt: int) -> None:
        """Emit that the call is retried with another access token."""
        self._session.emit_delay(TokenReplaced(call=self._info, attempt=attempt))
