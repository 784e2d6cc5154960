"""How one order of a batch is cancelled, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from ...errors import (
    ClientClosedError,
    InvalidArgumentError,
    JournalError,
    LeaseLostError,
    OutcomeUnknownError,
    TikTokAPIError,
    TikTokShopError,
)
from ...resources.return_refund import CANCEL_ORDER
from ..claims import Claims
from ..journal.base import Claim, Record
from ..outcome import facts_of
from ..request_errors import is_about_the_request
from .cancel_outcome import (
    ALREADY_CANCELLED,
    CONFIRMED,
    DUPLICATE,
    FINAL,
    NOT_DONE,
    PENDING,
    REFUSED,
    UNKNOWN,
    CancelOutcome,
)
from .cancel_reasons import fitting, is_exact
from .context import URGENT, CancellationContext
from .line_items import is_cancelled, with_line_items
from .order_to_cancel import OrderToCancel
from .resolution import HANDED_OVER, Resolution, judge, state_of_status
from .resolving import look, resolve

if TYPE_CHECKING:
    from ...models.order import Order
    from ...models.return_refund import Cancellation, CancelOrderResult
    from ...response import APIResponse

MOST_SENDS = 8
"""How often an order is sent at most whose request got lost on its way to the service."""

FIRST_POLL = 2.0
LONGEST_POLL = 30.0
"""Seconds between two looks at a pending cancellation."""

_ASK_AGAIN = "Run it again with the same journal, or ask resolve_cancellation."

_UNFIT_REASON = frozenset({25001014, 25001021})


class OrderCancellation:
    """One order that is claimed, and what is known of it."""

    def __init__(
        self,
        context: CancellationContext,
        wanted: OrderToCancel,
        claims: Claims,
        index: int,
        given: Any,
    ) -> None:
        self._context = context
        self._claims = claims
        self._facts: Mapping[str, Any] = {
            "index": index,
            "key": wanted.key,
            "request": given,
            "order_id": wanted.order_id,
        }
        self._clock = context.client.clock
        self._wanted = wanted
        self._sent_as = wanted
        """The same with SKUs turned into line items: sent twice, that cancels nothing twice."""
        assert wanted.reason is not None, "it was read for this batch"
        self._reason = wanted.reason
        self._names_tried: list[str] = []
        self._status: str | None = None
        self._began = self._clock.monotonic()
        self._attempts = 0
        self._first_sent_at: float | None = None
        self._may_be_done = False
        """A request may have been carried out, and its answer is not known."""
        self._is_on_its_way = False

    # The journal ----------------------------------------------------------------------------------

    async def resumed(self, record: Record) -> CancelOutcome:
        """Return what the journal has; what was pending then may be decided by now."""
        return await self._decided(CancelOutcome.of_record(record, **self._facts))

    async def finished(self, claim: Claim) -> CancelOutcome | None:
        """Cancel it and note what became of it; None if another process has taken it over."""
        if claim.maybe_sent:
            self._may_be_done = True
            self._first_sent_at = claim.first_claimed_at.timestamp()
        try:
            outcome = await self._cancelled()
        except BaseException as error:
            await self._give_back()
            if isinstance(error, LeaseLostError):
                return None
            raise
        if outcome.status not in FINAL:
            await self._give_back()
        elif not await self._claims.finish(outcome.as_record()):
            return None
        return outcome

    async def _give_back(self) -> None:
        """Leave it to a later run, which has to look first if anything may have been sent."""
        unsure = self._may_be_done or self._is_on_its_way
        await self._claims.give_back(self._wanted.key, maybe_sent=unsure)

    # The way of an order --------------------------------------------------------------------------

    async def _cancelled(self) -> CancelOutcome:
        try:
            outcome = await self._known() or await self._prepared() or await self._sent()
        except (ClientClosedError, InvalidArgumentError, JournalError):
            raise  # would befall all others, too
        except TikTokShopError as error:
            return self._failed(error)
        # It was accepted: what ends the wait below must not have it sent again.
        self._may_be_done |= outcome.status == PENDING
        return await self._decided(outcome)

    async def _known(self) -> CancelOutcome | None:
        """Find out what an earlier run has done."""
        return self._resolved(await self._resolve()) if self._may_be_done else None

    async def _prepared(self) -> CancelOutcome | None:
        """Look the order up, if that is called for, and decide on how to send it."""
        if self._context.preflight or self._wanted.skus or not is_exact(self._reason):
            order = await self._context.lookup.order(self._wanted.order_id)
            if order is None:
                return self._outcome(
                    REFUSED,
                    message="The shop has no such order.",
                    hint="Check the id, and that the client is for the order's shop.",
                )
            self._status = order.status
            if is_cancelled(order, self._wanted):
                return self._resolved(await self._told_of(order))
            if self._context.preflight and order.status in HANDED_OVER:
                return self._outcome(
                    REFUSED,
                    message=f"The order is {order.status}, and nothing was sent.",
                    hint="What is handed over can only be refunded or returned: "
                    "see return_refund.create_return.",
                )
            if self._sent_as.skus:
                await self._choose_line_items(order)
        return await self._with_reason()

    async def _choose_line_items(self, order: Order) -> None:
        cancellations = await self._context.lookup.cancellations(self._wanted.order_id)
        taken = self._context.taken.setdefault(self._wanted.order_id, set())
        self._sent_as = with_line_items(self._wanted, order, cancellations, taken)
        taken.update(self._sent_as.order_line_item_ids)

    async def _with_reason(self) -> CancelOutcome | None:
        name: str | None = self._reason
        if not is_exact(self._reason):
            name = await self._context.reasons.name(self._reason, self._sent_as, self._status)
        if name is not None:
            self._names_tried = [name]
            return None
        return self._outcome(
            REFUSED,
            message=f"There is no reason {self._reason} for an order that is {self._status}.",
            hint=await self._reasons_in_words(),
        )

    async def _sent(self) -> CancelOutcome:
        lost: OutcomeUnknownError | None = None
        for _ in range(MOST_SENDS):
            try:
                response = await self._context.patience(CANCEL_ORDER, self._send)
            except OutcomeUnknownError as error:
                lost, self._may_be_done = error, True
                outcome = self._resolved(await self._resolve())
                if outcome is None and self._sent_as.skus:
                    break  # units would be cancelled twice if it came to light after all
            except TikTokAPIError as error:
                self._is_on_its_way = False
                outcome = await self._refused(error)
            except JournalError:
                raise
            except TikTokShopError:
                self._is_on_its_way = False  # not connected
                raise
            else:
                outcome = await self._answered(response)
            if outcome is not None:
                return outcome
        assert lost is not None, "one more reason is tried at most"
        return self._outcome(
            NOT_DONE,
            source=lost,
            error=lost,
            message=f"It got lost, and surely was not carried out: {lost.message}",
            hint="Run it again.",
        )

    async def _send(self) -> APIResponse[CancelOrderResult]:
        if self._first_sent_at is None:
            self._first_sent_at = self._clock.time()
        sent_as = self._sent_as
        return await self._context.client.return_refund.cancel_order(
            order_id=sent_as.order_id,
            cancel_reason=self._names_tried[-1],
            order_line_item_ids=sent_as.order_line_item_ids or None,
            skus=[{"sku_id": sku, "quantity": count} for sku, count in sent_as.skus.items()]
            or None,
            options=attrs.evolve(URGENT, before_sending=self._before_sending),
        )

    def _before_sending(self) -> None:
        self._claims.check(self._wanted.key)
        self._attempts += 1
        self._is_on_its_way = True

    async def _answered(self, response: APIResponse[CancelOrderResult]) -> CancelOutcome:
        """Return what a success means: it is not yet a cancelled order."""
        self._is_on_its_way = False
        result, facts = response.data, {"response": response, "source": response}
        if result.cancel_status is None:  # it was accepted, so it is not sent again in any case
            self._may_be_done = True
            outcome = self._resolved(await self._resolve())
            if outcome is not None:
                return outcome
            message = "The service accepted it, and has no cancellation on record."
            return self._outcome(UNKNOWN, **facts, message=message, hint=_ASK_AGAIN)
        match state_of_status(result.cancel_status):
            case "through":
                return self._outcome(CONFIRMED, cancel_id=result.cancel_id, **facts)
            case "pending":
                return self._outcome(PENDING, cancel_id=result.cancel_id, **facts)
        return self._outcome(
            REFUSED,
            cancel_id=result.cancel_id,
            **facts,
            message=f"The cancellation is {result.cancel_status}.",
        )

    async def _refused(self, error: TikTokAPIError) -> CancelOutcome | None:
        """Return what a refusal means; None if it is to be sent once more, for another reason.

        The codes do not tell an order that is cancelled from one that cannot be.
        """
        if not _is_about_the_order(error):
            return self._failed(error)
        if error.code in _UNFIT_REASON and await self._has_another_reason():
            return None
        found = await self._look()
        if found.status in ("confirmed", "pending") or (
            self._may_be_done and found.status == "unknown"
        ):
            return self._resolved(found)
        more = found.evidence
        if error.code in _UNFIT_REASON:
            more = await self._reasons_in_words()
        hint = " ".join(filter(None, (error.hint, more)))
        return self._outcome(REFUSED, source=error, error=error, hint=hint)

    async def _has_another_reason(self) -> bool:
        if is_exact(self._reason) or len(self._names_tried) > 1:
            return False
        names = await self._context.reasons.of_order(self._sent_as, self._status)
        left = [name for name in fitting(self._reason, names) if name not in self._names_tried]
        self._names_tried += left[:1]
        return bool(left)

    async def _reasons_in_words(self) -> str:
        names = await self._context.reasons.of_status(self._sent_as, self._status)
        return f"The reasons for such orders are {', '.join(names)}."

    # What the shop has on record ------------------------------------------------------------------

    async def _resolve(self) -> Resolution:
        return await resolve(
            self._context.client,
            self._sent_as,
            self._context.lookup,
            sent_at=self._first_sent_at,
            settle=self._context.settle,
            sleep=self._sleep_without_slot,
        )

    async def _look(self) -> Resolution:
        sent_at = self._first_sent_at if self._may_be_done else None
        return await look(self._sent_as, self._context.lookup, sent_at=sent_at)

    async def _told_of(self, order: Order) -> Resolution:
        """Return what there is to say of what is cancelled; whoever did it is a detail."""
        cancellations: Sequence[Cancellation] = ()
        with suppress(TikTokShopError):
            cancellations = await self._context.lookup.cancellations(self._wanted.order_id)
        sent_at = self._first_sent_at if self._may_be_done else None
        return judge(self._wanted, order, cancellations, sent_at=sent_at)

    async def _sleep_without_slot(self, seconds: float) -> None:
        async with self._claims.release_slot():
            await self._clock.sleep(seconds)

    async def _decided(self, outcome: CancelOutcome) -> CancelOutcome:
        """Wait until a pending cancellation is decided, or for as long as is wanted."""
        until, pause = self._clock.monotonic() + self._context.wait_for_pending, FIRST_POLL
        if outcome.resumed and outcome.status == PENDING and self._context.wait_for_pending:
            with suppress(TikTokShopError):  # it may have been decided long ago
                outcome = await self._as_it_is_now(outcome)
        while outcome.status == PENDING and (left := until - self._clock.monotonic()) > 0:
            await self._sleep_without_slot(min(pause, left))
            pause = min(pause * 1.5, LONGEST_POLL)
            with suppress(TikTokShopError):  # the next look may succeed
                outcome = await self._as_it_is_now(outcome)
        return attrs.evolve(outcome, elapsed=self._elapsed)

    async def _as_it_is_now(self, outcome: CancelOutcome) -> CancelOutcome:
        if outcome.cancel_id is None:  # it is pending by what others have asked for
            found = await look(self._sent_as, self._context.lookup, sent_at=None)
            status = {"confirmed": CONFIRMED, "pending": PENDING}.get(found.status)
            if status is None:
                return outcome
            return attrs.evolve(
                outcome, status=status, cancel_id=found.cancel_id, message=found.evidence
            )
        cancellations = await self._context.lookup.cancellations(self._wanted.order_id)
        for each in cancellations:
            if each.cancel_id == outcome.cancel_id:
                message = f"The cancellation is {each.cancel_status}."
                match state_of_status(each.cancel_status):
                    case "through":
                        return attrs.evolve(outcome, status=CONFIRMED, message=message)
                    case "dropped":
                        return attrs.evolve(outcome, status=REFUSED, message=message)
        return outcome

    # Outcomes -------------------------------------------------------------------------------------

    def duplicate(self) -> CancelOutcome:
        """Return the outcome of what came before."""
        return self._outcome(
            DUPLICATE, message="It came before in this batch, and was not sent a second time."
        )

    def _resolved(self, found: Resolution) -> CancelOutcome | None:
        """Return what is on record as an outcome; None if nothing was done."""
        facts: dict[str, Any] = {"cancel_id": found.cancel_id, "message": found.evidence}
        match found.status:
            case "confirmed":
                is_ours = self._may_be_done and found.ours is not False
                return self._outcome(CONFIRMED if is_ours else ALREADY_CANCELLED, **facts)
            case "pending":
                return self._outcome(PENDING, **facts)
            case "unknown":
                return self._outcome(UNKNOWN, **facts, error=found.error, hint=_ASK_AGAIN)
        return self._outcome(REFUSED, **facts) if found.withdrawn else None

    def _failed(self, error: TikTokShopError) -> CancelOutcome:
        """Return that nothing was done, for a cause that may pass."""
        return self._outcome(NOT_DONE, source=error, error=error)

    def _outcome(self, status: str, *, source: object = None, **facts: Any) -> CancelOutcome:
        known = {} if source is None else facts_of(source)
        counted = {"attempts": self._attempts, "elapsed": self._elapsed}
        return CancelOutcome(status=status, **{**self._facts, **known, **counted, **facts})

    @property
    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began


def _is_about_the_order(error: TikTokAPIError) -> bool:
    """Whether a refusal is about the order, and not about who calls and how."""
    if not is_about_the_request(error) or error.code is None:
        return False
    is_gateways = 100_000 <= error.code < 110_000 or 36_009_000 <= error.code < 36_010_000
    return not is_gateways
