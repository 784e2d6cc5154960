"""The attempts of one call: when each may start, which are retried, and what the call raises.

Every exit of the loop passes `Attempts._record_end` and `Attempts._is_unknown`: if a write may have
been processed, any exception becomes an `OutcomeUnknownError`. ``docs/outcomes.md`` lists how a
call can end.
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
from .event_emitter import Attempt, EventEmitter
from .operation import Operation
from .request import PreparedCall
from .retry import FailedAttempt, may_retry
from .session import Session

if TYPE_CHECKING:
    from .admission.limiter import Limiter, LimitKey, Permit

R = TypeVar("R", bound=APIResponse[Any])


class Attempts:
    """Makes the attempts of one call, until one succeeds or none may follow."""

    # Defaults on the class: assigning them in `__init__` would cost time in every call.
    _made = 0
    _began = _arrived = 0.0
    _due = math.inf
    _permit: Permit | None = None
    _token_used: object | None = None
    _token_replaced = False
    _delivery: Delivery | None = None
    """The delivery of the attempt under way."""
    _maybe_processed = False
    """Whether any attempt may have been processed."""
    _emitter: EventEmitter | None = None

    def __init__(self, session: Session, prepared: PreparedCall[Any]) -> None:
        self._session = session
        self._prepared = prepared
        self._call = prepared.call
        self._credentials = prepared.credentials
        self._listeners = session.listeners

    def make(self, attempt: Attempt[R]) -> Awaitable[R]:
        """Return the response of the first attempt that succeeds."""
        deadline = self._call.options.deadline or self._session.options.deadline
        if deadline is None:
            made: Awaitable[R] = self._run_attempts(attempt)
        else:
            self._due = self._session.clock.monotonic() + deadline
            made = self._run_within(deadline, attempt)
        return self._events.observe_call(made) if self._listeners else made

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
        # Not chained from asyncio's error: that holds the task, as the task holds what is raised.
        if self._is_unknown:
            raise self._outcome_unknown(self._deadline_passed(deadline))
        raise self._deadline_passed(deadline)

    # A single coroutine, since a waiting call holds the frames of all its coroutines.
    async def _run_attempts(self, attempt: Attempt[R]) -> R:
        session, cipher = self._session, self._call.operation.cipher
        try:
            while True:
                self._arrived = session.clock.monotonic()
                if not self._credentials.is_ready(cipher):
                    # Before taking a slot: looking up a cipher is a call, and needs one itself.
                    await self._prepare_credentials(cipher)
                if (admission := self._admit()) is not None:
                    await admission
                try:
                    try:
                        response = await self._begin_attempt(attempt)
                    finally:
                        session.slots.release()
                except TikTokShopError as error:
                    wait = await self._wait_after(error)
                    if wait is None:
                        raise
                else:
                    session.record_success()
                    return response
                if wait > 0:
                    async with session.interrupt_on_close():
                        await session.clock.sleep(wait)
        except BaseException as error:
            self._record_end(error)
            # Cancellations and exits of the program are never replaced by another exception.
            if self._is_unknown and isinstance(error, Exception):
                raise self._outcome_unknown(error) from error
            if isinstance(error, asyncio.CancelledError):  # for batches
                error.maybe_processed = self._maybe_processed  # type: ignore[attr-defined]
            raise

    async def _prepare_credentials(self, cipher: str | None) -> None:
        with _naming_operation(self._call.operation):
            async with self._session.interrupt_on_close():
                await self._credentials.prepare(cipher)

    def _begin_attempt(self, attempt: Attempt[R]) -> Awaitable[R]:
        """Begin an attempt, now that it has its permit and its slot."""
        self._delivery = delivery = Delivery()
        self._session.check_open()  # it may have been closed while the call waited
        self._made += 1
        now = self._session.clock.monotonic()
        if self._made == 1:
            self._began = now
        self._token_used = (
            self._credentials.renewable_token
        )  # the attempt is signed with it right away
        if self._listeners:
            held_back = now - self._arrived
            begin = partial(attempt, self._prepared, self._made, delivery)
            return self._events.observe_attempt(begin, self._made, held_back=held_back)
        return attempt(self._prepared, self._made, delivery)

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
        """Wait for a permit and a slot; in the end, the call has both or neither."""
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
                if not is_admitted:  # cancelled, or the service throttled a call meanwhile
                    self._session.give_back(permit)
                    if has_slot:
                        slots.release()
            if is_admitted:
                self._permit = permit
                return
            permit = None

    def _record_end(self, error: BaseException) -> AttemptEnd | None:
        """Record and return how the attempt under way ended; None if no attempt was under way."""
        delivery, self._delivery = self._delivery, None
        if isinstance(error, TikTokShopError):
            error.attempts = max(1, self._made)
        if delivery is None:
            return None
        end = classify_end(error, maybe_sent=delivery.maybe_sent)
        self._maybe_processed |= end is AttemptEnd.UNKNOWN
        if end is AttemptEnd.NOT_SENT and self._permit is not None:
            self._session.give_back(self._permit)
        return end

    async def _wait_after(self, error: TikTokShopError) -> float | None:
        """Return the seconds until the next attempt, or None to end the call."""
        end = self._record_end(error)
        if isinstance(error, RateLimitError):
            await self._report_throttle(error)
        if self._session.closed:
            return None
        # Only after a refusal: a write that may have been processed must not be sent again.
        if end is AttemptEnd.REFUSED and await self._has_another_token(error):
            return 0.0
        wait = self._wait_before_retry(error)
        if wait is not None:
            self._events.retry_scheduled(self._made, error, wait)
        return wait

    def _wait_before_retry(self, error: TikTokShopError) -> float | None:
        """Return the wait that the retry policy chooses, or None if there is no retry."""
        session, call = self._session, self._call
        max_retries = call.options.max_retries
        if self._made > (session.options.max_retries if max_retries is None else max_retries):
            return None
        if (
            not may_retry(call.operation, error, has_key=call.idempotency_key is not None)
            or not call.repeatable
        ):
            return None
        failed = FailedAttempt(
            operation=call.operation,
            error=error,
            attempt=self._made,
            elapsed=session.clock.monotonic() - self._began,
        )
        wait = session.retry_policy(failed)
        # So written that NaN and infinity are given up too: nobody means to wait for ever.
        if wait is None or not session.clock.monotonic() + wait < self._due:
            return None
        is_throttled = isinstance(error, RateLimitError)
        return max(0.0, wait) if is_throttled or session.retry_budget.take() else None

    async def _report_throttle(self, error: RateLimitError) -> None:
        permit, limiter = self._permit, self._session.limiter
        if limiter is not None and permit is not None:
            quota = error.code == HOURLY_QUOTA
            if quota or error.retryable:
                await limiter.throttled(permit, retry_after=error.retry_after, quota=quota)
        self._events.throttled(self._made, error)

    async def _has_another_token(self, error: TikTokShopError) -> bool:
        """Return whether the token was refused and another one is available for a retry.

        This happens at most once in a call, and without a wait: a refused call was not processed.
        """
        used = self._token_used
        if used is None or self._token_replaced:
            return False
        is_expired = isinstance(error, AccessTokenExpiredError)
        if not is_expired and not _is_about_the_token(error):
            return False
        with _naming_operation(self._call.operation):
            async with self._session.interrupt_on_close():
                is_renewed = await self._credentials.renew(used, is_expired=is_expired)
        if not is_renewed or not self._call.repeatable:
            return False
        self._token_replaced = True
        self._events.token_replaced(self._made)
        return True

    @property
    def _is_unknown(self) -> bool:
        """Whether the outcome is unknown: the call is a write, and may have been processed."""
        return self._maybe_processed and self._call.operation.effect == "write"

    def _outcome_unknown(self, error: BaseException) -> OutcomeUnknownError:
        return outcome_unknown(self._call, error, self._made)

    def _deadline_passed(self, deadline: float) -> RequestTimeoutError:
        error = RequestTimeoutError(
            f"the deadline of {deadline:g} seconds is over.",
            operation=self._call.operation.id,
            maybe_sent=self._maybe_processed,
        )
        error.attempts = max(1, self._made)
        return error

    @property
    def _events(self) -> EventEmitter:
        """Created when there is something to emit."""
        if self._emitter is None:
            self._emitter = EventEmitter(self._session, self._prepared, self._listeners)
        return self._emitter


def _is_about_the_token(error: TikTokShopError) -> bool:
    """Return whether a refusal may mean that the token was replaced or withdrawn.

    No document says which code a withdrawn token gets; reading the store in vain is cheap.
    """
    kinds = (PermissionDeniedError, ReauthorizationRequiredError)
    return isinstance(error, kinds) or error.http_status in (401, 403)


@contextmanager
def _naming_operation(operation: Operation) -> Iterator[None]:
    """Set the operation of errors that an authorization raises."""
    try:
        yield
    except TikTokShopError as error:
        error.operation = error.operation or operation.id
        raise
