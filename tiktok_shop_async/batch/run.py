"""Batches of any call: one call for each of many requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import attrs

from .._internal.argument_checks import check_function
from ..errors import (
    ClientClosedError,
    InvalidArgumentError,
    LeaseLostError,
    OutcomeUnknownError,
    TikTokShopError,
)
from .batch import Batch, BatchSettings, JournalLocation
from .claims import Claims
from .engine import DRAIN
from .journal.base import Claim, Record, record_of
from .outcome import FAILED, SUCCEEDED, UNKNOWN, Outcome, facts_of
from .progress import OnProgress
from .request_errors import is_about_the_request
from .request_state import CallTraits, Request, RequestState, get_or_create_key

T = TypeVar("T")

CONCURRENCY = 20
MAX_SENDS = 3
"""Times that a request is sent if each look-up finds that it was not processed."""


@attrs.frozen(kw_only=True)
class Verdict:
    """The result of looking up whether a request that may have been sent was processed."""

    status: Literal["succeeded", "failed", "not_done", "unknown"]
    """``"not_done"`` means that the lost request cannot take effect any more; it is sent again."""
    message: str = ""
    response: Any = None
    request_id: str = ""
    hint: str | None = None


Resolve: TypeAlias = Callable[[Any], Awaitable[Verdict | Literal["not_done"]]]


def run_batch(
    call: Callable[..., Awaitable[T]],
    requests: Iterable[Request] | AsyncIterable[Request],
    *,
    concurrency: int = CONCURRENCY,
    key: Callable[[Any], str] | None = None,
    journal: JournalLocation | None = None,
    progress: OnProgress | None = None,
    stop_on: Callable[[Outcome[T]], object] | None = None,
    ordered: bool = False,
    resolve: Resolve | None = None,
    drain: float = DRAIN,
) -> Batch[Outcome[T]]:
    """Call a function or method for each request; the batch yields an `Outcome` for each.

    Errors of the service and of the network become outcomes. Errors that would affect all other
    requests too are raised, after the outcomes of the requests in flight: errors of the input or of
    your code, a closed client, a journal that fails.

    Args:
        call: A method of a resource such as ``client.order.get_order_detail`` (a paged one returns
            its first page), or any coroutine function. A method sends nothing, not even a retry,
            after its claim in the journal is lost. Another function is not called then; if its
            request has ``options``, their ``before_sending`` checks the claim as well.
        requests: Keyword arguments for each call, including ``options``. The iterable is read as
            requests start, so it may be a generator of millions.
        concurrency: The maximum number of requests in flight.
        key: Returns a key that identifies a request in every run. Of two requests with one key only
            the first is sent; the second fails. Without a journal the keys are kept in memory.
        journal: Stores the outcome of each key, so that the same batch can be run again: the path
            of a SQLite file, or a journal such as `SQLJournal`. Requires ``key``.
        progress: Called with the `Progress` at most ten times a second, and at the end.
        stop_on: Called with each outcome. If it returns true, no new request starts; the requests
            in flight still get their outcomes.
        ordered: Yield the outcomes in the order of the requests.
        resolve: Looks up whether a request that may have been sent was processed. Without it, such
            a write is sent again only with an idempotency key; otherwise its outcome is "unknown".
        drain: Seconds that requests in flight have to finish when the batch is closed early.
    """
    if journal is not None and key is None:
        raise InvalidArgumentError(
            "a journal needs a key for each request.",
            argument="key",
            hint='Pass for example key=lambda request: request["order_id"].',
        )
    check_function(call, "call")
    if isinstance(requests, (str, bytes, Mapping)):
        raise InvalidArgumentError(
            "requests must be an iterable of requests, not one request.",
            argument="requests",
            hint="Pass [request].",
        )
    settings = BatchSettings(
        concurrency=concurrency,
        ordered=ordered,
        drain=drain,
        key=key,
        journal=journal,
        progress=progress,
        stop_on=stop_on,
    )
    return Batch(_RequestProcessor(call, key, resolve).process, requests, settings)


def _no_check() -> None:
    """Do nothing: without a key no other process can claim the request."""


class _RequestProcessor(Generic[T]):
    """The work of `run_batch`, which turns a request into its outcome."""

    def __init__(
        self,
        call: Callable[..., Awaitable[T]],
        key: Callable[[Any], str] | None,
        resolve: Resolve | None,
    ) -> None:
        self._call = call
        self._key = key
        self._resolve = resolve
        self._traits = CallTraits.of(call)

    async def process(self, index: int, request: Request, claims: Claims) -> Outcome[T]:
        """Claim and send a request unless the journal has its outcome; return the outcome."""
        if not isinstance(request, Mapping):
            raise InvalidArgumentError(
                f"request {index} must be a mapping of keyword arguments, "
                f"not a {type(request).__name__}.",
                argument="requests",
            )
        if self._key is None:
            state = RequestState[T](index, None, request, _no_check, self._traits)
            return await self._send_until_known(state)
        key = self._key(request)
        idempotency_key = get_or_create_key(request) if self._traits.takes_key else None
        while True:
            check = partial(claims.check, key)
            state = RequestState[T](index, key, request, check, self._traits)
            try:
                claimed = await claims.claim(key, idempotency_key=idempotency_key)
            except InvalidArgumentError as error:
                return state.failed(error)
            if isinstance(claimed, Record):
                return state.resumed(claimed)
            outcome = await self._process_claim(state, claimed, claims)
            if outcome is not None:
                return outcome

    async def _process_claim(
        self, state: RequestState[T], claim: Claim, claims: Claims
    ) -> Outcome[T] | None:
        """Send a claimed request and store its outcome; None if another process has it now."""
        state.maybe_sent = claim.maybe_sent
        if self._traits.takes_key:
            self._use_claimed_key(state, claim)
        try:
            outcome = await self._send_until_known(state)
        except BaseException as error:
            await claims.release(claim.key, maybe_sent=state.maybe_sent)
            if isinstance(error, LeaseLostError):
                return None
            raise
        if not state.is_final:
            await claims.release(claim.key, maybe_sent=state.maybe_sent)
        elif not await claims.finish(record_of(outcome)) and outcome.status != SUCCEEDED:
            return None
        return outcome

    def _use_claimed_key(self, state: RequestState[T], claim: Claim) -> None:
        """Use the idempotency key of the journal, whatever key the request has in this run."""
        key = claim.idempotency_key
        if key is None:  # claimed by a run that used no keys
            state.is_repeatable = not claim.maybe_sent
        elif claim.maybe_sent or key != get_or_create_key(state.request):
            state.use_key(key)

    async def _send_until_known(self, state: RequestState[T]) -> Outcome[T]:
        """Send a request; look it up, rather than retry blindly, while its outcome is unknown."""
        if state.maybe_sent and not state.is_repeatable:
            known = await self._look_up(state, _earlier_run_interrupted())
            if known is not None:
                return known
        while True:
            outcome = await self._send(state)
            if outcome.status != UNKNOWN or self._resolve is None or outcome.error is None:
                return outcome
            known = await self._look_up(state, outcome.error)
            if known is not None:
                return known
            if state.sends == MAX_SENDS:
                message = f"the request was sent {state.sends} times and not processed."
                return state.outcome(FAILED, error=outcome.error, message=message)

    async def _send(self, state: RequestState[T]) -> Outcome[T]:
        maybe_sent_before = state.maybe_sent
        call = self._start_call(state)  # wrong argument names raise here, before anything is sent
        state.sends += 1
        try:
            response = await call
        except asyncio.CancelledError as error:
            if self._traits.is_method and not getattr(error, "maybe_processed", True):
                state.maybe_sent = maybe_sent_before
            raise
        except OutcomeUnknownError as error:
            state.attempts += getattr(error, "attempts", 1)
            state.is_final = not state.is_repeatable
            return state.unknown(error)
        except TikTokShopError as error:
            return self._outcome_of_error(state, error, maybe_sent_before)
        except Exception:
            # A method raises OutcomeUnknownError for a call that may have been processed.
            if self._traits.is_method:
                state.maybe_sent = maybe_sent_before
            raise
        state.is_final = True
        return state.succeeded(response)

    def _outcome_of_error(
        self, state: RequestState[T], error: TikTokShopError, maybe_sent_before: bool
    ) -> Outcome[T]:
        """Return the outcome of a call without effect; raise an error that ends the batch."""
        state.maybe_sent = maybe_sent_before
        if isinstance(error, ClientClosedError | LeaseLostError):
            raise error
        if not isinstance(error, InvalidArgumentError):
            state.attempts += getattr(error, "attempts", 1)
        state.is_final = is_about_the_request(error)
        return state.unknown(error) if maybe_sent_before else state.failed(error)

    def _start_call(self, state: RequestState[T]) -> Awaitable[T]:
        """Return the awaitable of the call, which sends only while the claim holds."""
        if self._traits.is_method:
            return self._call(**state.method_arguments())
        state.check()
        call = self._call(**state.function_arguments())
        state.maybe_sent = True  # the function does not report when it sends
        return call

    async def _look_up(self, state: RequestState[T], error: TikTokShopError) -> Outcome[T] | None:
        """Return the outcome that ``resolve`` finds; None if the request was not processed."""
        state.is_final = True
        if self._resolve is None:
            return state.unknown(error)
        try:
            verdict = await self._resolve(state.request)
        except LeaseLostError:
            raise
        except TikTokShopError as failure:
            state.is_final = False  # a later look-up may find more
            return state.unknown(failure)
        if isinstance(verdict, str):
            verdict = Verdict(status=verdict)
        if verdict.status == "not_done":
            state.maybe_sent = state.is_final = False
            return None
        found = None if verdict.status == SUCCEEDED else error
        return state.outcome(
            verdict.status, error=found, response=verdict.response, **facts_of(verdict)
        )


def _earlier_run_interrupted() -> OutcomeUnknownError:
    return OutcomeUnknownError(
        "an earlier run ended when it was about to send this request.",
        hint="Check whether the call took effect before you send it again.",
    )
