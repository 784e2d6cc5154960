"""How one order of a batch is cancelled, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import (
    AccessTokenExpiredError,
    ClientClosedError,
    InvalidArgumentError,
    JournalError,
    LeaseLostError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    ServiceUnavailableError,
    SignatureError,
    TikTokAPIError,
    TikTokShopError,
)
from ..options import RequestOptions
from ..pipeline.transport import check_before_sending
from ..resources.return_refund import CANCEL_ORDER, GET_AFTERSALE_ELIGIBILITY
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
from .claims import Claims
from .journal import Claim, Record
from .order_lookup import OrderLookup
from .order_to_cancel import OrderToCancel
from .outcome import facts_of
from .patience import Patience
from .reasons import Reasons, checked_reason, fitting, is_exact, offered_reasons, usual_reasons
from .resolving import (
    CANCELLED_STATUSES,
    HANDED_OVER,
    Resolution,
    line_ids,
    look,
    resolve,
    state_of_status,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..client import AsyncTikTokShop
    from ..models.order import Order
    from ..models.return_refund import CancelOrderResult
    from ..response import APIResponse

MOST_SENDS = 5
"""How often an order is sent at most whose request got lost on its way to the service."""

FIRST_POLL = 2.0
LONGEST_POLL = 30.0
"""Seconds between two looks at a pending cancellation."""

_URGENT = RequestOptions(priority="high")
_WITH_REASONS = RequestOptions(priority="high", api_version="202602")

_UNFIT_REASON = frozenset({25001014, 25001021})
_NOT_ABOUT_THE_ORDER = (
    AccessTokenExpiredError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    ServiceUnavailableError,
    SignatureError,
)


class Cancelling:
    """What the orders of a batch have in common, and how each is cancelled."""

    def __init__(
        self,
        client: AsyncTikTokShop,
        *,
        reason: str | None,
        preflight: bool,
        patience: float,
        settle: float,
        wait_for_pending: float,
    ) -> None:
        self.client = client
        self.reason = reason
        self.preflight = preflight
        self.patience = Patience(client, patience)
        self.settle = settle
        self.wait_for_pending = wait_for_pending
        self.lookup = OrderLookup(client, options=_URGENT, patience=self.patience)
        self.reasons = Reasons(self._ask_for_reasons)
        self.taken: dict[str, set[str]] = {}
        """By order, the line items that were chosen for its SKUs: no two parts get the same."""

    def read(self, given: Any) -> OrderToCancel:
        """Return what an item of the input stands for; `InvalidArgumentError` if it is none."""
        wanted = OrderToCancel.of(given)
        reason = wanted.reason or self.reason
        if reason is None:
            raise InvalidArgumentError(
                f"order {wanted.order_id} has no reason, and neither has the batch.",
                argument="reason",
            )
        return attrs.evolve(wanted, reason=checked_reason(reason))

    async def carry_out(self, index: int, given: Any, claims: Claims) -> CancelOutcome:
        """Return what became of one order, which is sent only if it is not final already."""
        wanted = self.read(given)
        one = _OneOrder(self, wanted, claims, index, given)
        while True:
            try:
                claimed = await claims.claim(wanted.key)
            except InvalidArgumentError:
                return one.duplicate()
            if isinstance(claimed, Record):
                return CancelOutcome.of_record(index, wanted, given, claimed)
            outcome = await one.finished(claimed)
            if outcome is not None:
                return outcome

    async def _ask_for_reasons(self, wanted: OrderToCancel) -> Sequence[str]:
        async def ask() -> Sequence[str]:
            response = await self.client.return_refund.get_aftersale_eligibility(
                order_id=wanted.order_id,
                initiate_aftersale_user="SELLER",
                request_types=["CANCEL"],
                options=_WITH_REASONS,
            )
            return offered_reasons(response.data, wanted)

        return await self.patience(GET_AFTERSALE_ELIGIBILITY, ask)


class _OneOrder:
    """One order that is claimed, and what is known of it."""

    def __init__(
        self, batch: Cancelling, wanted: OrderToCancel, claims: Claims, index: int, given: Any
    ) -> None:
        self._batch = batch
        self._claims = claims
        self._facts: Mapping[str, Any] = {
            "index": index,
            "key": wanted.key,
            "request": given,
            "order_id": wanted.order_id,
        }
        self._session = batch.client._session
        self._wanted = wanted
        self._sent_as = wanted
        """The same with SKUs turned into line items: sent twice, that cancels nothing twice."""
        assert wanted.reason is not None, "it was read for this batch"
        self._reason = wanted.reason
        self._names_tried: list[str] = []
        self._status: str | None = None
        self._began = self._session.timer()
        self._attempts = 0
        self._first_sent_at: float | None = None
        self._may_be_done = False
        """A request may have been carried out, and its answer is not known."""
        self._is_on_its_way = False

    # The journal ----------------------------------------------------------------------------------

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
        if outcome.status == PENDING and self._batch.wait_for_pending > 0:
            return await self._decided(outcome)
        return outcome

    async def _known(self) -> CancelOutcome | None:
        """Find out what an earlier run has done."""
        return self._resolved(await self._resolve()) if self._may_be_done else None

    async def _prepared(self) -> CancelOutcome | None:
        """Look the order up, if that is called for, and decide on how to send it."""
        if self._batch.preflight or self._wanted.skus or not is_exact(self._reason):
            order = await self._batch.lookup.order(self._wanted.order_id)
            if order is None:
                return self._outcome(
                    REFUSED,
                    message="The shop has no such order.",
                    hint="Check the id, and that the client is for the order's shop.",
                )
            self._status = order.status
            if self._is_cancelled(order):
                outcome = self._resolved(await self._look())
                if outcome is not None:
                    return outcome
            if self._batch.preflight and order.status in HANDED_OVER:
                return self._outcome(
                    REFUSED,
                    message=f"The order is {order.status}, and nothing was sent.",
                    hint="What is handed over can only be refunded or returned: "
                    "see return_refund.create_return.",
                )
            if self._wanted.skus:
                self._sent_as = await self._with_line_items(order)
        return await self._with_reason()

    async def _with_reason(self) -> CancelOutcome | None:
        name: str | None = self._reason
        if not is_exact(self._reason):
            name = await self._batch.reasons.name(self._reason, self._sent_as, self._status)
        if name is not None:
            self._names_tried.append(name)
            return None
        return self._outcome(
            REFUSED,
            message=f"There is no reason {self._reason} for an order that is {self._status}.",
            hint=await self._reasons_in_words(),
        )

    async def _sent(self) -> CancelOutcome:
        error: TikTokShopError | None = None
        for _ in range(MOST_SENDS):
            try:
                response = await self._batch.patience(CANCEL_ORDER, self._send)
            except OutcomeUnknownError as unknown:
                error, self._may_be_done = unknown, True
                outcome = self._resolved(await self._resolve())
            except TikTokAPIError as refusal:
                self._is_on_its_way = False
                error = refusal
                outcome = await self._refused(refusal)
            except JournalError:
                raise
            except TikTokShopError:
                self._is_on_its_way = False  # not connected
                raise
            else:
                outcome = await self._answered(response)
            if outcome is not None:
                return outcome
        assert error is not None, "a send without an outcome had an error"
        return self._failed(error)

    async def _send(self) -> APIResponse[CancelOrderResult]:
        if self._first_sent_at is None:
            self._first_sent_at = self._session.clock()
        sent_as = self._sent_as
        token = check_before_sending.set(self._before_sending)
        try:
            return await self._batch.client.return_refund.cancel_order(
                order_id=sent_as.order_id,
                cancel_reason=self._names_tried[-1],
                order_line_item_ids=sent_as.order_line_item_ids or None,
                skus=[{"sku_id": sku, "quantity": count} for sku, count in sent_as.skus.items()]
                or None,
                options=_URGENT,
            )
        finally:
            check_before_sending.reset(token)

    def _before_sending(self) -> None:
        self._claims.journal.check(self._wanted.key)
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
            return self._outcome(UNKNOWN, message="accepted, and not on record", **facts)
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
        names = await self._batch.reasons.of_order(self._sent_as) or usual_reasons(self._status)
        left = [name for name in fitting(self._reason, names) if name not in self._names_tried]
        self._names_tried += left[:1]
        return bool(left)

    async def _reasons_in_words(self) -> str:
        names = await self._batch.reasons.of_status(self._sent_as, self._status)
        return f"The reasons for such orders are {', '.join(names)}."

    # Line items -----------------------------------------------------------------------------------

    def _is_cancelled(self, order: Order) -> bool:
        if order.status in CANCELLED_STATUSES:
            return True
        cancelled = {
            line.id for line in order.line_items if line.display_status in CANCELLED_STATUSES
        }
        wanted = self._wanted.order_line_item_ids
        return bool(wanted) and cancelled.issuperset(wanted)

    async def _with_line_items(self, order: Order) -> OrderToCancel:
        """Choose the line items for the SKUs, always the same ones as long as they are there.

        If they are not, the SKUs are left for the service to refuse.
        """
        cancellations = await self._batch.lookup.cancellations(order.id or "")
        taken = self._batch.taken.setdefault(self._wanted.order_id, set())
        gone = taken.union(
            *(
                line_ids(each)
                for each in cancellations
                if state_of_status(each.cancel_status) != "dropped"
            )
        )
        chosen: list[str] = []
        for sku, count in self._wanted.skus.items():
            free = [
                line.id
                for line in order.line_items
                if line.sku_id == sku
                and line.id
                and line.id not in gone
                and line.display_status not in CANCELLED_STATUSES | HANDED_OVER
            ]
            if len(free) < count:
                return self._wanted
            chosen += sorted(free)[:count]
        taken.update(chosen)
        return attrs.evolve(self._wanted, order_line_item_ids=chosen, skus={})

    # What the shop has on record ------------------------------------------------------------------

    async def _resolve(self) -> Resolution:
        return await resolve(
            self._batch.client,
            self._sent_as,
            self._batch.lookup,
            sent_at=self._first_sent_at,
            settle=self._batch.settle,
            sleep=self._sleep_aside,
        )

    async def _look(self) -> Resolution:
        sent_at = self._first_sent_at if self._may_be_done else None
        return await look(self._sent_as, self._batch.lookup, sent_at=sent_at)

    async def _sleep_aside(self, seconds: float) -> None:
        async with self._claims.aside():
            await self._session.sleep(seconds)

    async def _decided(self, outcome: CancelOutcome) -> CancelOutcome:
        """Wait until a pending cancellation is decided, or for as long as is wanted."""
        began, pause = self._session.timer(), FIRST_POLL
        while (left := began + self._batch.wait_for_pending - self._session.timer()) > 0:
            await self._sleep_aside(min(pause, left))
            pause = min(pause * 1.5, LONGEST_POLL)
            try:
                cancellations = await self._batch.lookup.cancellations(self._wanted.order_id)
            except TikTokShopError:
                continue
            status = next(
                (
                    each.cancel_status
                    for each in cancellations
                    if each.cancel_id == outcome.cancel_id
                ),
                None,
            )
            match state_of_status(status):
                case "through":
                    return attrs.evolve(outcome, status=CONFIRMED, elapsed=self._elapsed)
                case "dropped":
                    return attrs.evolve(
                        outcome,
                        status=REFUSED,
                        elapsed=self._elapsed,
                        message=f"The cancellation is {status}.",
                    )
        return attrs.evolve(outcome, elapsed=self._elapsed)

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
                return self._outcome(
                    UNKNOWN,
                    **facts,
                    error=found.error,
                    hint="Run it again with the same journal, or ask resolve_cancellation.",
                )
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
        return self._session.timer() - self._began


def _is_about_the_order(error: TikTokAPIError) -> bool:
    """Whether a refusal is about the order, and not about who calls and how."""
    if isinstance(error, _NOT_ABOUT_THE_ORDER) or error.code is None:
        return False
    is_gateways = 100_000 <= error.code < 110_000 or 36_009_000 <= error.code < 36_010_000
    return not is_gateways
