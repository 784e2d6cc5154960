"""The attempts of one call: when each may start, which are retried, and what the call raises.

Every exception of the loop passes `Attempts._record_end` and `Attempts._is_unknown`. If a write may
have been processed, any `Exception` becomes an `OutcomeUnknownError`. ``docs/outcomes.md`` lists
how a call can end.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import (
    AccessTokenExpiredError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    RequestTimeoutError,
    TikTokShopError,
)
from ..protocol.service_codes import HOURLY_QUOTA
from ..response import APIResponse
from ..transport.delivery import Delivery
from .attempt_end import AttemptEnd, classify_end, outcome_unknown
from .call import PreparedCall
from .event_emitter import Attempt, EventEmitter
from .operation import Operation
from .retry import FailedAttempt, may_retry
from .session import Session

if TYPE_CHECKING:
    from .admission.limiter import Limiter, LimitKey, Permit

R = TypeVar("R", bound=APIResponse[Any])


class Attempts:
    """The attempts of one call, made until one succeeds or no further one is allowed."""

    # Defaults on the class: assigning them in `__init__` would cost time in every call.
    _attempt_count = 0
    _first_attempt_at = _queued_at = 0.0
    _deadline_at = math.inf
    _permit: Permit | None = None
    _token_used: object | None = None
    _token_replaced = False
    _delivery: Delivery | None = None
    """The delivery of the current attempt; None between attempts."""
    _maybe_processed = False
    """Whether any attempt may have been processed."""
    _emitter: EventEmitter | None = None

    def __init__(self, session: Session, prepared: PreparedCall[Any]) -> None:
        self._session = session
        self._prepared = prepared
        self._call = prepared.call
        self._credentials = prepared.credentials
        self._listeners = session.listeners

    def run(self, attempt: Attempt[R]) -> Awaitable[R]:
        """Return an awaitable of the response of the first attempt that succeeds."""
        deadline = self._call.options.deadline or self._session.options.deadline
        if deadline is None:
            response: Awaitable[R] = self._run_attempts(attempt)
        else:
            self._deadline_at = self._session.clock.monotonic() + deadline
            response = self._run_within(deadline, attempt)
        return self._events.observe_call(response) if self._listeners else response

    async def _run_within(self, deadline: float, attempt: Attempt[R]) -> R:
        timer = asyncio.timeout(deadline)
        try:
            async with timer:
                return await self._run_attempts(attempt)
        except TimeoutError:
            if not timer.expired():
                raise
        finally:
            del timer
        # Not chained from asyncio's error, which refers to the task: that would be a cycle.
        if self._is_unknown:
            raise self._outcome_unknown(self._deadline_error(deadline))
        raise self._deadline_error(deadline)

    # A single coroutine, since a waiting call holds the frames of all its coroutines.
    async def _run_attempts(self, attempt: Attempt[R]) -> R:
        session, cipher = self._session, self._call.operation.cipher
        try:
            while True:
                self._queued_at = session.clock.monotonic()
                if not self._credentials.is_ready(cipher):
                    # Before taking a slot: looking up a cipher is a call that needs its own slot.
                    await self._prepare_credentials(cipher)
                if (admission := self._admit()) is not None:
                    await admission
                try:
                    try:
                        response = await self._start_attempt(attempt)
                    finally:
                        session.slots.release()
                except TikTokShopError as error:
                    delay = await self._plan_retry(error)
                    if delay is None:
                        raise
                else:
                    session.retry_budget.record_success()
                    return response
                if delay > 0:
                    async with session.interrupt_on_close():
                        await session.clock.sleep(delay)
        except BaseException as error:
            self._record_end(error)
            # CancelledError, KeyboardInterrupt and SystemExit are always raised as they are.
            if self._is_unknown and isinstance(error, Exception):
                raise self._outcome_unknown(error) from error
            raise

    # Before an attempt ---------------------------------------------------------------------------

    async def _prepare_credentials(self, cipher: str | None) -> None:
        with _add_operation_to_errors(self._call.operation):
            async with self._session.interrupt_on_close():
                await self._credentials.prepare(cipher)

    def _start_attempt(self, attempt: Attempt[R]) -> Awaitable[R]:
        """Start an attempt that has its slot and its permit; return an awaitable of the response.

        It is signed before anything else can replace the token.
        """
        self._delivery = delivery = Delivery()
        self._session.check_open()  # the client may have been closed while the call waited
        self._attempt_count += 1
        now = self._session.clock.monotonic()
        if self._attempt_count == 1:
            self._first_attempt_at = now
        self._token_used = self._credentials.renewable_token
        if self._listeners:
            held_back = now - self._queued_at
            start = partial(attempt, self._prepared, self._attempt_count, delivery)
            return self._events.observe_attempt(start, self._attempt_count, held_back=held_back)
        return attempt(self._prepared, self._attempt_count, delivery)

    def _admit(self) -> Awaitable[None] | None:
        """Take a slot and a permit; return an awaitable if the call has to wait for them."""
        session, call = self._session, self._call
        if session.limiter is None and session.slots.take():
            return None
        shop = self._credentials.rate_limit_scope(call.operation.cipher)
        if session.limiter is None:
            return session.slots.acquire(shop, call.options.priority)
        key = session.limit_key(shop, call.operation)
        self._permit = session.limiter.try_acquire(key)
        if self._permit is not None and session.slots.take():
            return None
        return self._wait_for_admission(session.limiter, key)

    async def _wait_for_admission(self, limiter: Limiter, key: LimitKey) -> None:
        """Wait for a permit and a slot; afterwards the call has both, or neither if this raises."""
        slots, priority = self._session.slots, self._call.options.priority
        permit = self._permit
        while True:
            if permit is None:
                async with self._session.interrupt_on_close():
                    permit = await limiter.acquire(key, priority)
            has_slot = is_admitted = False
            try:
                await slots.acquire(key.shop, priority)
                has_slot = True
                is_admitted = limiter.is_current(permit)
            finally:
                if not is_admitted:  # cancelled, or another call was throttled in the meantime
                    self._session.release_permit(permit)
                    if has_slot:
                        slots.release()
            if is_admitted:
                self._permit = permit
                return
            permit = None

    # After an attempt ----------------------------------------------------------------------------

    def _record_end(self, error: BaseException) -> AttemptEnd | None:
        """Record and return how the current attempt ended; None between attempts."""
        delivery, self._delivery = self._delivery, None
        end = None
        if delivery is not None:
            end = classify_end(error, maybe_sent=delivery.maybe_sent)
            self._maybe_processed |= end is AttemptEnd.UNKNOWN
            if end is AttemptEnd.NOT_SENT and self._permit is not None:
                self._session.release_permit(self._permit)
        if isinstance(error, TikTokShopError):
            error.attempts = max(1, self._attempt_count)
        elif isinstance(error, asyncio.CancelledError):  # batches read this attribute
            error.maybe_processed = self._maybe_processed  # type: ignore[attr-defined]
        return end

    async def _plan_retry(self, error: TikTokShopError) -> float | None:
        """Return the seconds to wait before the next attempt; None if the call ends here."""
        end = self._record_end(error)
        if isinstance(error, RateLimitError):
            await self._report_throttle(error)
        if self._session.closed:
            return None
        # Only after a refusal: a write that may have been processed must not be sent again.
        if end is AttemptEnd.REFUSED and await self._replace_token(error):
            return 0.0
        delay = self._retry_delay(error)
        if delay is not None:
            self._events.retry_scheduled(self._attempt_count, error, delay)
        return delay

    def _retry_delay(self, error: TikTokShopError) -> float | None:
        """Return the seconds that the retry policy chooses; None if the call is not retried."""
        session, call = self._session, self._call
        max_retries = call.options.max_retries
        if max_retries is None:
            max_retries = session.options.max_retries
        if self._attempt_count > max_retries:
            return None
        if (
            not may_retry(call.operation, error, has_key=call.idempotency_key is not None)
            or not call.is_repeatable
        ):
            return None
        failed = FailedAttempt(
            operation=call.operation,
            error=error,
            attempt=self._attempt_count,
            elapsed=session.clock.monotonic() - self._first_attempt_at,
        )
        delay = session.retry_policy(failed)
        # "not … <" also ends the call for NaN and infinity.
        if delay is None or not session.clock.monotonic() + delay < self._deadline_at:
            return None
        is_throttled = isinstance(error, RateLimitError)
        return max(0.0, delay) if is_throttled or session.retry_budget.take() else None

    async def _report_throttle(self, error: RateLimitError) -> None:
        permit, limiter = self._permit, self._session.limiter
        if limiter is not None and permit is not None:
            quota = error.code == HOURLY_QUOTA
            if quota or error.retryable:
                await limiter.throttled(permit, retry_after=error.retry_after, quota=quota)
        self._events.throttled(self._attempt_count, error)

    async def _replace_token(self, error: TikTokShopError) -> bool:
        """Replace a token that the service refused; return whether the call can be retried with it.

        A call does this at most once, and retries without a wait: it was not processed.
        """
        used = self._token_used
        if used is None or self._token_replaced:
            return False
        is_expired = isinstance(error, AccessTokenExpiredError)
        if not is_expired and not _may_concern_token(error):
            return False
        with _add_operation_to_errors(self._call.operation):
            async with self._session.interrupt_on_close():
                is_renewed = await self._credentials.renew(used, is_expired=is_expired)
        if not is_renewed or not self._call.is_repeatable:
            return False
        self._token_replaced = True
        self._events.token_replaced(self._attempt_count)
        return True

    @property
    def _is_unknown(self) -> bool:
        """Whether the outcome is unknown: the call is a write, and may have been processed."""
        return self._maybe_processed and self._call.operation.effect == "write"

    def _outcome_unknown(self, error: BaseException) -> OutcomeUnknownError:
        return outcome_unknown(self._call, error, self._attempt_count)

    def _deadline_error(self, deadline: float) -> RequestTimeoutError:
        error = RequestTimeoutError(
            f"the call did not finish within its deadline of {deadline:g} seconds.",
            operation=self._call.operation.id,
            maybe_sent=self._maybe_processed,
        )
        error.attempts = max(1, self._attempt_count)
        return error

    @property
    def _events(self) -> EventEmitter:
        """The emitter of this call's events, created with the first one."""
        if self._emitter is None:
            self._emitter = EventEmitter(self._session, self._prepared, self._listeners)
        return self._emitter


def _may_concern_token(error: TikTokShopError) -> bool:
    """Return whether a refusal may mean that the token was replaced or revoked.

    The service does not document the code for a revoked token. Reading the store once too often is
    cheap.
    """
    kinds = (PermissionDeniedError, ReauthorizationRequiredError)
    return isinstance(error, kinds) or error.http_status in (401, 403)


@contextmanager
def _add_operation_to_errors(operation: Operation) -> Iterator[None]:
    """Set the operation of errors that the credentials raise."""
    try:
        yield
    except TikTokShopError as error:
        error.operation = error.operation or operation.id
        raise
