"""The events of one call, as observers and the log receive them."""

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
    from .request import PreparedCall
    from .session import Session

R = TypeVar("R", bound=APIResponse[Any])

Attempt: TypeAlias = Callable[["PreparedCall[Any]", int, "Delivery"], Awaitable[R]]
"""Makes one attempt, given its number and the record of whether its request may have been sent."""


class EventEmitter:
    """Emits the events of one call.

    Delays are always emitted, since they are logged as INFO. Starts and ends are emitted by
    `observe_call` and `observe_attempt`, which are used only when somebody listens.
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
        began = timer()
        self._session.emit(CallStarted(call=call), self._listeners)
        try:
            return await attempts
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._session.emit(
                CallFinished(
                    call=call, attempts=self._attempts, seconds=timer() - began, error=error
                ),
                self._listeners,
            )
            error = None  # or it would hold this frame, and this frame would hold it

    async def observe_attempt(
        self, begin: Callable[[], Awaitable[R]], number: int, *, held_back: float
    ) -> R:
        """Make one attempt; emit its start and its end."""
        timer = self._session.clock.monotonic
        self._attempts = number
        self._session.emit(
            AttemptStarted(call=self._info, attempt=number, held_back=held_back), self._listeners
        )
        began = timer()
        try:
            response = await begin()
        except BaseException as error:
            self._attempt_finished(number, timer() - began, error, error)
            raise
        self._attempt_finished(number, timer() - began, response, None)
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
        """Emit that the service refused an attempt because there are too many calls."""
        self._session.emit_delay(
            Throttled(
                call=self._info,
                attempt=attempt,
                retry_after=error.retry_after,
                request_id=error.request_id,
            )
        )

    def retry_scheduled(self, attempt: int, error: BaseException, seconds: float) -> None:
        """Emit that another attempt follows after a wait."""
        self._session.emit_delay(
            RetryScheduled(call=self._info, attempt=attempt, seconds=seconds, error=error)
        )

    def token_replaced(self, attempt: int) -> None:
        """Emit that another attempt follows with another access token."""
        self._session.emit_delay(TokenReplaced(call=self._info, attempt=attempt))
