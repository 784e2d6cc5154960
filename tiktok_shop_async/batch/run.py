"""Any call of the service, for each of many requests."""

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
from ..registry import operation_of
from .batch import Batch, JournalPlace
from .claims import Claims
from .driver import DRAIN
from .journal.base import Claim, Record, record_of
from .outcome import FAILED, SUCCEEDED, UNKNOWN, Outcome, facts_of
from .progress import OnProgress
from .request_errors import is_about_the_request
from .request_state import Request, RequestState, proposed_key

T = TypeVar("T")

CONCURRENCY = 20
MOST_SENDS = 3
"""How often a request is sent that turns out not to have been done."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What a look at the service says of a request that may have been sent."""

    status: Literal["succeeded", "failed", "not_done", "unknown"]
    """``"not_done"`` has it sent again: the lost request can surely not arrive any more."""
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
    journal: JournalPlace | None = None,
    progress: OnProgress | None = None,
    stop_on: Callable[[Outcome[T]], object] | None = None,
    ordered: bool = False,
    resolve: Resolve | None = None,
    drain: float = DRAIN,
) -> Batch[Outcome[T]]:
    """Make a call for each request, and give an `Outcome` for each.

    Errors of the service and of the network are outcomes. What is raised, after the outcomes of
    those in flight, is what would befall all others too: an error of the input or of your code,
    a closed client, a journal that fails.

    Args:
        call: A method of a resource such as ``client.order.get_order_detail`` (of a paged one
            the first page is taken), or any coroutine function. A method sends nothing once its
            claim in the journal is lost, not even a retry. Another function is not called then;
            if its request has ``options``, their ``before_sending`` checks the claim as well.
        requests: Keyword arguments for each call, ``options`` among them. They are read as there
            is room, so a generator of millions will do.
        concurrency: How many are in flight at once.
        key: Names a request, the same in every run. Two requests with one key are never both
            sent: the second fails. Without a journal the keys are kept in memory.
        journal: Remembers what became of each key, so that the same batch can be run again: the
            path of a SQLite file, or a journal such as `SQLJournal`. Needs ``key``.
        progress: Is told how far it is, at most ten times a second and in the end.
        stop_on: If it returns true for an outcome, no new request starts; those in flight still
            have their outcomes.
        ordered: Give the outcomes in the order of the requests.
        resolve: Looks at the service for a request that may have been sent. Without it, such a
            write is sent again only with an idempotency key, else its outcome is "unknown".
        drain: Seconds that those in flight have to finish when the batch is closed early.
    """
    if journal is not None and key is None:
        raise InvalidArgumentError(
            "a journal needs a key for each request.",
            argument="key",
            hint='Such as key=lambda request: request["order_id"].',
        )
    check_function(call, "call")
    if isinstance(requests, (str, bytes, Mapping)):
        raise InvalidArgumentError(
            "requests must be an iterable of requests, not one request.",
            argument="requests",
            hint="Pass [request].",
        )
    work = _Calls(call, key, resolve)
    return Batch(
        work.carry_out,
        requests,
        concurrency=concurrency,
        ordered=ordered,
        drain=drain,
        key=key,
        journal=journal,
        progress=progress,
        stop_on=stop_on,
    )


def _nothing_to_check() -> None:
    """Do nothing: without a journal no other process can have the request."""


class _Calls(Generic[T]):
    """Turns a request into its outcome."""

    def __init__(
        self,
        call: Callable[..., Awaitable[T]],
        key: Callable[[Any], str] | None,
        resolve: Resolve | None,
    ) -> None:
        self._call = call
        self._key = key
        self._resolve = resolve
        operation = operation_of(call)
        self._is_method = operation is not None
        self._takes_key = operation is not None and operation.idempotency_key is not None
        self._is_read = operation is not None and operation.effect == "read"

    async def carry_out(self, index: int, request: Request, claims: Claims) -> Outcome[T]:
        if not isinstance(request, Mapping):
            raise InvalidArgumentError(
                f"request {index} must be a mapping of keyword arguments, "
                f"not a {type(request).__name__}.",
                argument="requests",
            )
        if self._key is None:
            return await self._sent_until_known(self._state_of(index, None, request))
        key = self._key(request)
        proposed = proposed_key(request) if self._takes_key else None
        while True:
            state = self._state_of(index, key, request, partial(claims.check, key))
            try:
                claimed = await claims.claim(key, idempotency_key=proposed)
            except InvalidArgumentError as error:
                return state.failed(error)
            if isinstance(claimed, Record):
                return state.resumed(claimed)
            outcome = await self._carried_out(state, claimed, claims)
            if outcome is not None:
                return outcome

    async def _carried_out(
        self, state: RequestState[T], claim: Claim, claims: Claims
    ) -> Outcome[T] | None:
        """Return the outcome of a claim, and note it; None if another process has it by now."""
        state.maybe_sent = claim.maybe_sent
        if self._takes_key:
            self._use_key(state, claim)
        try:
            outcome = await self._sent_until_known(state)
        except BaseException as error:
            await claims.give_back(claim.key, maybe_sent=state.maybe_sent)
            if isinstance(error, LeaseLostError):
                return None
            raise
        if not state.is_final:
            await claims.give_back(claim.key, maybe_sent=state.maybe_sent)
        elif not await claims.finish(record_of(outcome)) and outcome.status != SUCCEEDED:
            return None
        return outcome

    def _state_of(
        self,
        index: int,
        key: str | None,
        request: Request,
        check: Callable[[], None] = _nothing_to_check,
    ) -> RequestState[T]:
        return RequestState(
            index, key, request, check, is_read=self._is_read, takes_key=self._takes_key
        )

    def _use_key(self, state: RequestState[T], claim: Claim) -> None:
        """Use the journal's key, whatever key the request has in this run."""
        key = claim.idempotency_key
        if key is None:  # of an earlier run without keys
            state.may_repeat = not claim.maybe_sent
        elif claim.maybe_sent or key != proposed_key(state.request):
            state.use(key)

    async def _sent_until_known(self, state: RequestState[T]) -> Outcome[T]:
        """Send it, and look where that leaves open what happened; no blind repeats."""
        if state.maybe_sent and not state.may_repeat:
            known = await self._looked_up(state, _left_over())
            if known is not None:
                return known
        while True:
            outcome = await self._sent(state)
            if outcome.status != UNKNOWN or self._resolve is None or outcome.error is None:
                return outcome
            known = await self._looked_up(state, outcome.error)
            if known is not None:
                return known
            if state.sends == MOST_SENDS:
                message = f"it was sent {state.sends} times, and surely not done."
                return state.outcome(FAILED, error=outcome.error, message=message)

    async def _sent(self, state: RequestState[T]) -> Outcome[T]:
        maybe_sent_before = state.maybe_sent
        call = self._begun(state)  # wrong names are found here, before anything is sent
        state.sends += 1
        try:
            response = await call
        except asyncio.CancelledError as error:
            if self._is_method and not getattr(error, "maybe_processed", True):
                state.maybe_sent = maybe_sent_before
            raise
        except OutcomeUnknownError as error:
            state.attempts += getattr(error, "attempts", 1)
            state.is_final = not state.may_repeat
            return state.unknown(error)
        except TikTokShopError as error:
            state.maybe_sent = maybe_sent_before
            if isinstance(error, ClientClosedError | LeaseLostError):
                raise
            if not isinstance(error, InvalidArgumentError):
                state.attempts += getattr(error, "attempts", 1)
            state.is_final = is_about_the_request(error)
            return state.unknown(error) if maybe_sent_before else state.failed(error)
        except Exception:
            if self._is_method:  # of a call that may have been processed it would be another error
                state.maybe_sent = maybe_sent_before
            raise
        state.is_final = True
        return state.succeeded(response)

    def _begun(self, state: RequestState[T]) -> Awaitable[T]:
        """Return the call, which is sent only while the claim holds."""
        if self._is_method:
            return self._call(**state.arguments_of_method())
        state.check()
        call = self._call(**state.arguments_of_function())
        state.maybe_sent = True  # nobody knows what it does, and when
        return call

    async def _looked_up(self, state: RequestState[T], error: TikTokShopError) -> Outcome[T] | None:
        """Return what a look at the service says; None if the request was surely not done."""
        state.is_final = True
        if self._resolve is None:
            return state.unknown(error)
        try:
            verdict = await self._resolve(state.request)
        except LeaseLostError:
            raise
        except TikTokShopError as failure:
            state.is_final = False  # a later look may say more
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


def _left_over() -> OutcomeUnknownError:
    return OutcomeUnknownError(
        "an earlier run was about to send this when it ended.",
        hint="Read back what the call should have changed before you repeat it.",
    )
