"""The attempts of one call: when each may start, which are retried, and what is raised in the end.

Every exit of the loop passes `Attempts._note_end` and `Attempts._is_unknown`: of a write that may
have been processed, whatever is raised becomes an `OutcomeUnknownError`. ``docs/outcomes.md`` lists
how a call can end.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..auth import AuthState
from ..errors import (
    AccessTokenExpiredError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    RequestTimeoutError,
    TikTokShopError,
)
from ..events import (
    AttemptFinished,
    AttemptStarted,
    CallEvent,
    CallFinished,
    CallInfo,
    CallStarted,
    RetryScheduled,
    Throttled,
    TokenReplaced,
)
from ..response import APIResponse
from .attempt_end import AttemptEnd, end_of
from .delivery import Delivery
from .operation import Operation
from .request import Call
from .retry import FailedAttempt, may_repeat
from .service_codes import HOURLY_QUOTA
from .session import Session

if TYPE_CHECKING:
    from ..auth.token import Token
    from .limiter import Limiter, LimitKey, Permit

R = TypeVar("R", bound=APIResponse[Any])

Attempt: TypeAlias = Callable[[int, Delivery], Awaitable[R]]
"""Makes one attempt; it is given the attempt's number and what to note in that it may be sent."""


class Attempts:
    """Makes the attempts of one call, until one succeeds or none may follow."""

    # Here and not in `__init__`, which is run for each call, for the sake of its time.
    _made = 0
    _began = _arrived = 0.0
    _due = math.inf
    _permit: Permit | None = None
    _token_used: Token | None = None
    _token_replaced = False
    _delivery: Delivery | None = None
    """Of the attempt under way."""
    _maybe_processed = False
    """Whether any attempt may have been processed."""
    _info_made: CallInfo | None = None

    def __init__(self, session: Session, call: Call, version: str, auth: AuthState) -> None:
        self._session = session
        self.call = call
        self.version = version
        self._auth = auth
        self._listeners = session.listeners

    def make(self, attempt: Attempt[R]) -> Awaitable[R]:
        """Return the response of the first attempt that succeeds."""
        deadline = self.call.options.deadline or self._session.options.deadline
        if deadline is None:
            made: Awaitable[R] = self._repeated(attempt)
        else:
            self._due = self._session.timer() + deadline
            made = self._within(deadline, attempt)
        return self._tell_of(made) if self._listeners else made

    async def _within(self, deadline: float, attempt: Attempt[R]) -> R:
        timer = asyncio.timeout(deadline)
        try:
            async with timer:
                return await self._repeated(attempt)
        except TimeoutError:
            if not timer.expired():
                raise
        finally:
            del timer
        # Not chained from asyncio's error: that holds the task, as the task holds what is raised.
        if self._is_unknown:
            raise self._outcome_unknown(self._deadline_passed(deadline))
        raise self._deadline_passed(deadline)

    # One coroutine for all of it, and none to begin it: a call that waits holds their frames.
    async def _repeated(self, attempt: Attempt[R]) -> R:
        session, cipher = self._session, self.call.operation.cipher
        try:
            while True:
                self._arrived = session.timer()
                if not self._auth.is_ready(cipher):
                    # Without a slot: finding a cipher is a call, and takes one itself.
                    await self._prepared(cipher)
                if (admission := self._admission()) is not None:
                    await admission
                try:
                    try:
                        response = await self._begun(attempt)
                    finally:
                        session.slots.release()
                except TikTokShopError as error:
                    wait = await self._wait_after(error)
                    if wait is None:
                        raise
                else:
                    session.note_success()
                    return response
                if wait > 0:
                    async with session.until_closed():
                        await session.sleep(wait)
        except BaseException as error:
            self._note_end(error)
            # A cancellation, or the end of the program, stays what it is.
            if self._is_unknown and isinstance(error, Exception):
                raise self._outcome_unknown(error) from error
            if isinstance(error, asyncio.CancelledError):  # stays what it is; batches ask it
                error.maybe_processed = self._maybe_processed  # type: ignore[attr-defined]
            raise

    async def _prepared(self, cipher: str | None) -> None:
        with _named(self.call.operation):
            async with self._session.until_closed():
                await self._auth.prepare(cipher)

    def _begun(self, attempt: Attempt[R]) -> Awaitable[R]:
        """Begin an attempt, now that it has its permit and its slot."""
        self._delivery = delivery = Delivery()
        self._session.check_open()  # it may have been closed while the call waited
        self._made += 1
        now = self._session.timer()
        if self._made == 1:
            self._began = now
        authorization = self._auth.authorization
        if authorization is not None:
            self._token_used = authorization.token  # an attempt signs as soon as it begins
        if self._listeners:
            return self._tell_of_one(attempt, delivery, held_back=now - self._arrived)
        return attempt(self._made, delivery)

    def _admission(self) -> Awaitable[None] | None:
        """Take a place in flight; if that has to be waited for, return what to await."""
        session, call = self._session, self.call
        if session.limiter is None and session.slots.take():
            return None
        shop = self._auth.limited_as(call.operation.cipher)
        if session.limiter is None:
            return session.slots.acquire(shop, call.options.priority)
        key = session.limit_key(shop, call.operation)
        self._permit = session.limiter.at_once(key)
        if self._permit is not None and session.slots.take():
            return None
        return self._admitted(session.limiter, key)

    async def _admitted(self, limiter: Limiter, key: LimitKey) -> None:
        """Wait until the call may go: for permit and slot, of which it has both or none."""
        slots, priority = self._session.slots, self.call.options.priority
        permit = self._permit
        while True:
            if permit is None:
                async with self._session.until_closed():
                    permit = await limiter.acquire(key, priority)
            has_slot = is_admitted = False
            try:
                await slots.acquire(key.shop, priority)
                has_slot = True
                is_admitted = limiter.is_current(permit)
            finally:
                if not is_admitted:  # cancelled, or there was a throttle meanwhile
                    self._session.give_back(permit)
                    if has_slot:
                        slots.release()
            if is_admitted:
                self._permit = permit
                return
            permit = None

    def _note_end(self, error: BaseException) -> AttemptEnd | None:
        """Note how the attempt under way ended; None if there is none, so that nothing was sent."""
        delivery, self._delivery = self._delivery, None
        if isinstance(error, TikTokShopError):
            error.attempts = max(1, self._made)
        if delivery is None:
            return None
        end = end_of(error, maybe_sent=delivery.maybe_sent)
        self._maybe_processed |= end is AttemptEnd.UNKNOWN
        if end is AttemptEnd.NOT_SENT and self._permit is not None:
            self._session.give_back(self._permit)
        return end

    async def _wait_after(self, error: TikTokShopError) -> float | None:
        """Return the seconds until the next attempt; None if there is to be none."""
        end = self._note_end(error)
        if isinstance(error, RateLimitError):
            await self._note_throttle(error)
        if self._session.closed:
            return None
        # Asked only about what was refused: a write that may have been processed is not sent again.
        if end is AttemptEnd.REFUSED and await self._has_another_token(error):
            return 0.0
        wait = self._policy_says(error)
        if wait is not None:
            self._session.tell_of_delay(
                RetryScheduled(call=self._info, attempt=self._made, seconds=wait, error=error)
            )
        return wait

    def _policy_says(self, error: TikTokShopError) -> float | None:
        session, call = self._session, self.call
        most = call.options.max_retries
        if self._made > (session.options.max_retries if most is None else most):
            return None
        if (
            not may_repeat(call.operation, error, has_key=call.idempotency_key is not None)
            or not call.repeatable
        ):
            return None
        failed = FailedAttempt(
            operation=call.operation,
            error=error,
            attempt=self._made,
            elapsed=session.timer() - self._began,
        )
        wait = session.retry_policy(failed)
        if wait is None or session.timer() + wait > self._due:
            return None
        is_throttled = isinstance(error, RateLimitError)
        return max(0.0, wait) if is_throttled or session.retry_budget.take() else None

    async def _note_throttle(self, error: RateLimitError) -> None:
        permit, limiter = self._permit, self._session.limiter
        if limiter is not None and permit is not None:
            quota = error.code == HOURLY_QUOTA
            if quota or error.retryable:
                await limiter.throttled(permit, retry_after=error.retry_after, quota=quota)
        self._session.tell_of_delay(
            Throttled(
                call=self._info,
                attempt=self._made,
                retry_after=error.retry_after,
                request_id=error.request_id,
            )
        )

    async def _has_another_token(self, error: TikTokShopError) -> bool:
        """Return whether the token was refused and there is another one: the call can be retried.

        Once, and without a wait: what was refused was not processed.
        """
        authorization, used = self._auth.authorization, self._token_used
        if authorization is None or used is None or self._token_replaced:
            return False
        is_expired = isinstance(error, AccessTokenExpiredError)
        if not is_expired and not _is_about_the_token(error):
            return False
        with _named(self.call.operation):
            async with self._session.until_closed():
                if is_expired:
                    await authorization.replace(used)
                else:
                    await authorization.look_again(used)
        if authorization.token == used or not self.call.repeatable:
            return False
        self._token_replaced = True
        self._session.tell_of_delay(TokenReplaced(call=self._info, attempt=self._made))
        return True

    @property
    def _is_unknown(self) -> bool:
        """Whether the outcome is: that of a write, if any attempt may have been processed."""
        return self._maybe_processed and self.call.operation.effect == "write"

    def _outcome_unknown(self, error: BaseException) -> OutcomeUnknownError:
        call, ours = self.call, error if isinstance(error, TikTokShopError) else None
        reason = ours.message if ours else f"{type(error).__name__} was raised."
        unknown = OutcomeUnknownError(
            f"the call may or may not have taken effect: {reason}",
            operation=call.operation.id,
            request_id=ours and ours.request_id,
            http_status=ours and ours.http_status,
            idempotency_key=call.idempotency_key,
            hint=_what_to_check(call),
        )
        unknown.attempts = self._made
        unknown.__cause__ = error
        return unknown

    def _deadline_passed(self, deadline: float) -> RequestTimeoutError:
        error = RequestTimeoutError(
            f"the deadline of {deadline:g} seconds is over.",
            operation=self.call.operation.id,
            maybe_sent=self._maybe_processed,
        )
        error.attempts = max(1, self._made)
        return error

    # What is told ---------------------------------------------------------------------------------

    @property
    def _info(self) -> CallInfo:
        if self._info_made is None:
            operation = self.call.operation
            self._info_made = CallInfo(
                operation=operation.id,
                version=self.version,
                method=operation.method,
                base_url=self._session.options.base_url,
                path=operation.path.replace("{version}", self.version),
                path_arguments=self.call.path,
            )
        return self._info_made

    async def _tell_of(self, attempts: Awaitable[R]) -> R:
        call, timer, error = self._info, self._session.timer, None
        began = timer()
        self._tell(CallStarted(call=call))
        try:
            return await attempts
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = timer() - began
            self._tell(CallFinished(call=call, attempts=self._made, seconds=seconds, error=error))
            error = None  # or it would hold this frame, and this frame would hold it

    async def _tell_of_one(self, attempt: Attempt[R], delivery: Delivery, *, held_back: float) -> R:
        call, timer, number = self._info, self._session.timer, self._made
        self._tell(AttemptStarted(call=call, attempt=number, held_back=held_back))
        began = timer()
        try:
            response = await attempt(number, delivery)
        except BaseException as error:
            self._tell(
                AttemptFinished(
                    call=call,
                    attempt=number,
                    seconds=timer() - began,
                    http_status=getattr(error, "http_status", None),
                    request_id=getattr(error, "request_id", None),
                    error=error,
                )
            )
            raise
        self._tell(
            AttemptFinished(
                call=call,
                attempt=number,
                seconds=timer() - began,
                http_status=response.http_status,
                request_id=response.request_id,
                error=None,
            )
        )
        return response

    def _tell(self, event: CallEvent) -> None:
        self._session.tell(event, self._listeners)


def _is_about_the_token(error: TikTokShopError) -> bool:
    """Whether a refusal may mean that the authorization is another by now, or none.

    No document says which code a withdrawn token gets; asking the store once too often is cheap.
    """
    kinds = (PermissionDeniedError, ReauthorizationRequiredError)
    return isinstance(error, kinds) or error.http_status in (401, 403)


@contextmanager
def _named(operation: Operation) -> Iterator[None]:
    """Have errors of an authorization name the operation that met them."""
    try:
        yield
    except TikTokShopError as error:
        error.operation = error.operation or operation.id
        raise


def _what_to_check(call: Call) -> str:
    if call.idempotency_key is not None:
        return "Repeat it with the idempotency_key of this error: then it happens once."
    return _WHAT_TO_CHECK.get(
        call.operation.id, "Read back what the call should have changed before you repeat it."
    )


_WHAT_TO_CHECK = {
    "return_refund.cancel_order": (
        "Look at the order's status (order.get_order_detail) and its cancellations "
        "(return_refund.search_cancellations by order id) before you repeat it: "
        "batch.resolve_cancellation does so."
    )
}
