"""Cancellation of one order of a batch, from its claim to its outcome."""

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
from .cancel_reasons import is_exact, names_of
from .context import URGENT, CancellationContext
from .decision_poller import DecisionPoller
from .line_items import is_cancelled, with_line_items
from .order_to_cancel import OrderToCancel
from .resolution import HANDED_OVER, Resolution, judge, state_of_status
from .resolving import look_up, resolve

if TYPE_CHECKING:
    from ...models.order import Order
    from ...models.return_refund import Cancellation, CancelOrderResult
    from ...response import APIResponse

MAX_SENDS = 8
"""Times that an order is sent if each request was lost and not processed."""

_RESOLVE_HINT = "Run it again with the same journal, or call resolve_cancellation."

_REASON_NOT_ACCEPTED = frozenset({25001014, 25001021})


class OrderCancellation:
    """The cancellation of one order: how it was sent, and what is known about its result."""

    def __init__(
        self,
        context: CancellationContext,
        target: OrderToCancel,
        claims: Claims,
        index: int,
        given: Any,
    ) -> None:
        self._context = context
        self._claims = claims
        self._facts: Mapping[str, Any] = {
            "index": index,
            "key": target.key,
            "request": given,
            "order_id": target.order_id,
        }
        self._clock = context.client.clock
        self._target = target
        self._sent_as = target
        """The target with line items in place of SKUs, so that a retry cancels no further units."""
        assert target.reason is not None, "the reason was validated"
        self._reason = target.reason
        self._reason_names: list[str] = []
        """The names of the reason that were tried; the last one is sent."""
        self._order_status: str | None = None
        self._started_at = self._clock.monotonic()
        self._attempts = 0
        self._first_sent_at: float | None = None
        self._may_be_done = False
        """True if a request may have been processed and its response is not known."""
        self._is_in_flight = False

    # The journal ----------------------------------------------------------------------------------

    async def resume(self, record: Record) -> CancelOutcome:
        """Return the outcome in the journal; wait for the decision if it was pending."""
        return await self._wait_until_decided(CancelOutcome.of_record(record, **self._facts))

    async def carry_out(self, claim: Claim) -> CancelOutcome | None:
        """Cancel the order and store the outcome; None if another process has it now."""
        if claim.maybe_sent:
            self._may_be_done = True
            self._first_sent_at = claim.first_claimed_at.timestamp()
        try:
            outcome = await self._cancel()
        except BaseException as error:
            await self._release_claim()
            if isinstance(error, LeaseLostError):
                return None
            raise
        if outcome.status not in FINAL:
            await self._release_claim()
        elif not await self._claims.finish(outcome.as_record()):
            return None
        return outcome

    async def _release_claim(self) -> None:
        """Leave the order to a later run, which looks it up first if it may have been sent."""
        maybe_sent = self._may_be_done or self._is_in_flight
        await self._claims.release(self._target.key, maybe_sent=maybe_sent)

    # The steps of a cancellation ------------------------------------------------------------------

    async def _cancel(self) -> CancelOutcome:
        try:
            outcome = (
                await self._resolve_earlier_run()
                or await self._prepare()
                or await self._send_until_known()
            )
        except (ClientClosedError, InvalidArgumentError, JournalError):
            raise  # all other orders would fail as well
        except TikTokShopError as error:
            return self._not_done(error)
        # The service accepted it: an error during the wait below must not lead to a second request.
        self._may_be_done |= outcome.status == PENDING
        return await self._wait_until_decided(outcome)

    async def _resolve_earlier_run(self) -> CancelOutcome | None:
        """Return the result of an earlier run; None if there is none."""
        return self._outcome_of(await self._resolve()) if self._may_be_done else None

    async def _prepare(self) -> CancelOutcome | None:
        """Look the order up if needed, and choose its line items and the name of its reason.

        Return an outcome if nothing is to be sent.
        """
        if self._context.preflight or self._target.skus or not is_exact(self._reason):
            order = await self._context.lookup.order(self._target.order_id)
            if order is None:
                return self._outcome(
                    REFUSED,
                    message="The shop has no order with this id.",
                    hint="Check the id, and that the client is for the order's shop.",
                )
            self._order_status = order.status
            if is_cancelled(order, self._target):
                return self._outcome_of(await self._judge_cancelled(order))
            if self._context.preflight and order.status in HANDED_OVER:
                return self._outcome(
                    REFUSED,
                    message=f"The order is {order.status}, so nothing was sent.",
                    hint="An order that was handed over can only be refunded or returned: "
                    "see return_refund.create_return.",
                )
            if self._sent_as.skus:
                await self._choose_line_items(order)
        return await self._choose_reason()

    async def _choose_line_items(self, order: Order) -> None:
        cancellations = await self._context.lookup.cancellations(self._target.order_id)
        chosen = self._context.chosen_line_items.setdefault(self._target.order_id, set())
        self._sent_as = with_line_items(self._target, order, cancellations, chosen)
        chosen.update(self._sent_as.order_line_item_ids)

    async def _choose_reason(self) -> CancelOutcome | None:
        name: str | None = self._reason
        if not is_exact(self._reason):
            reasons = self._context.reasons
            name = await reasons.name(self._reason, self._sent_as, self._order_status)
        if name is not None:
            self._reason_names = [name]
            return None
        return self._outcome(
            REFUSED,
            message=f"The service has no reason {self._reason} for orders that are "
            f"{self._order_status}.",
            hint=await self._reasons_hint(),
        )

    async def _send_until_known(self) -> CancelOutcome:
        lost: OutcomeUnknownError | None = None
        for _ in range(MAX_SENDS):
            try:
                response = await self._context.retry_window(CANCEL_ORDER, self._send)
            except OutcomeUnknownError as error:
                lost, self._may_be_done = error, True
                outcome = self._outcome_of(await self._resolve())
                if outcome is None and self._sent_as.skus:
                    break  # a late effect of the lost request would cancel units twice
            except TikTokAPIError as error:
                self._is_in_flight = False
                outcome = await self._outcome_of_rejection(error)
            except JournalError:
                raise
            except TikTokShopError:
                self._is_in_flight = False  # not connected
                raise
            else:
                outcome = await self._outcome_of_response(response)
            if outcome is not None:
                return outcome
        assert lost is not None, "at most one more reason is tried"
        return self._outcome(
            NOT_DONE,
            source=lost,
            error=lost,
            message=f"The request was lost and did not take effect: {lost.message}",
            hint="Run it again.",
        )

    async def _send(self) -> APIResponse[CancelOrderResult]:
        if self._first_sent_at is None:
            self._first_sent_at = self._clock.time()
        sent_as = self._sent_as
        return await self._context.client.return_refund.cancel_order(
            order_id=sent_as.order_id,
            cancel_reason=self._reason_names[-1],
            order_line_item_ids=sent_as.order_line_item_ids or None,
            skus=[{"sku_id": sku, "quantity": count} for sku, count in sent_as.skus.items()]
            or None,
            options=attrs.evolve(URGENT, before_sending=self._before_sending),
        )

    def _before_sending(self) -> None:
        self._claims.check(self._target.key)
        self._attempts += 1
        self._is_in_flight = True

    async def _outcome_of_response(self, response: APIResponse[CancelOrderResult]) -> CancelOutcome:
        """Return the outcome of a successful call, which may be pending or rejected."""
        self._is_in_flight = False
        result, facts = response.data, {"response": response, "source": response}
        if result.cancel_status is None:  # it was accepted, so it is never sent again
            self._may_be_done = True
            outcome = self._outcome_of(await self._resolve())
            if outcome is not None:
                return outcome
            message = "The service accepted the request but has no cancellation on record."
            return self._outcome(UNKNOWN, **facts, message=message, hint=_RESOLVE_HINT)
        match state_of_status(result.cancel_status):
            case "completed":
                return self._outcome(CONFIRMED, cancel_id=result.cancel_id, **facts)
            case "pending":
                return self._outcome(PENDING, cancel_id=result.cancel_id, **facts)
        return self._outcome(
            REFUSED,
            cancel_id=result.cancel_id,
            **facts,
            message=f"The cancellation is {result.cancel_status}.",
        )

    async def _outcome_of_rejection(self, error: TikTokAPIError) -> CancelOutcome | None:
        """Return the outcome of a rejected call; None if it is sent again with another reason.

        The codes do not distinguish an order that is cancelled already from one that cannot be.
        """
        if not _is_about_the_order(error):
            return self._not_done(error)
        if error.code in _REASON_NOT_ACCEPTED and await self._choose_next_reason():
            return None
        found = await self._look_up()
        if found.status in ("confirmed", "pending") or (
            self._may_be_done and found.status == "unknown"
        ):
            return self._outcome_of(found)
        details = found.evidence
        if error.code in _REASON_NOT_ACCEPTED:
            details = await self._reasons_hint()
        hint = " ".join(filter(None, (error.hint, details)))
        return self._outcome(REFUSED, source=error, error=error, hint=hint)

    async def _choose_next_reason(self) -> bool:
        """Choose a name that the service offers for this order; return whether there is one."""
        if is_exact(self._reason) or len(self._reason_names) > 1:
            return False
        names = await self._context.reasons.for_order(self._sent_as, self._order_status)
        left = [name for name in names_of(self._reason, names) if name not in self._reason_names]
        self._reason_names += left[:1]
        return bool(left)

    async def _reasons_hint(self) -> str:
        names = await self._context.reasons.for_status(self._sent_as, self._order_status)
        return f"The reasons for such orders are {', '.join(names)}."

    # The records of the shop ----------------------------------------------------------------------

    async def _resolve(self) -> Resolution:
        return await resolve(
            self._context.client,
            self._sent_as,
            self._context.lookup,
            sent_at=self._first_sent_at,
            settle=self._context.settle,
            sleep=self._sleep_without_slot,
        )

    async def _look_up(self) -> Resolution:
        sent_at = self._first_sent_at if self._may_be_done else None
        return await look_up(self._sent_as, self._context.lookup, sent_at=sent_at)

    async def _judge_cancelled(self, order: Order) -> Resolution:
        """Return the resolution of a cancelled order; cancellations only add details to it."""
        cancellations: Sequence[Cancellation] = ()
        with suppress(TikTokShopError):
            cancellations = await self._context.lookup.cancellations(self._target.order_id)
        sent_at = self._first_sent_at if self._may_be_done else None
        return judge(self._target, order, cancellations, sent_at=sent_at)

    async def _sleep_without_slot(self, seconds: float) -> None:
        async with self._claims.release_slot():
            await self._clock.sleep(seconds)

    async def _wait_until_decided(self, outcome: CancelOutcome) -> CancelOutcome:
        poller = DecisionPoller(self._context, self._sleep_without_slot)
        outcome = await poller.wait(outcome, self._sent_as)
        return attrs.evolve(outcome, elapsed=self._elapsed)

    # Outcomes -------------------------------------------------------------------------------------

    def duplicate(self) -> CancelOutcome:
        """Return the outcome of an order, or part, that appeared before in the input."""
        return self._outcome(
            DUPLICATE,
            message="The same order, or part, appeared before in this batch; it was sent once.",
        )

    def _outcome_of(self, found: Resolution) -> CancelOutcome | None:
        """Return a resolution as an outcome; None if nothing was done."""
        facts: dict[str, Any] = {"cancel_id": found.cancel_id, "message": found.evidence}
        match found.status:
            case "confirmed":
                is_ours = self._may_be_done and found.ours is not False
                return self._outcome(CONFIRMED if is_ours else ALREADY_CANCELLED, **facts)
            case "pending":
                return self._outcome(PENDING, **facts)
            case "unknown":
                return self._outcome(UNKNOWN, **facts, error=found.error, hint=_RESOLVE_HINT)
        return self._outcome(REFUSED, **facts) if found.withdrawn else None

    def _not_done(self, error: TikTokShopError) -> CancelOutcome:
        """Return the outcome of an order that was not cancelled for a transient cause."""
        return self._outcome(NOT_DONE, source=error, error=error)

    def _outcome(self, status: str, *, source: object = None, **facts: Any) -> CancelOutcome:
        known = {} if source is None else facts_of(source)
        counted = {"attempts": self._attempts, "elapsed": self._elapsed}
        return CancelOutcome(status=status, **{**self._facts, **known, **counted, **facts})

    @property
    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._started_at


def _is_about_the_order(error: TikTokAPIError) -> bool:
    """Return whether the service rejected the order, rather than the caller or the call."""
    if not is_about_the_request(error) or error.code is None:
        return False
    is_from_gateway = 100_000 <= error.code < 110_000 or 36_009_000 <= error.code < 36_010_000
    return not is_from_gateway
