"""The resolver's decision, compared with what a shop really did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import attrs
import pytest
from batch.records import PAID, Clock, cancellations_of, new_shop, order_of
from hypothesis import given
from hypothesis import strategies as st

from tiktok_shop_async.batch.cancellation.order_to_cancel import OrderToCancel
from tiktok_shop_async.batch.cancellation.resolution import judge
from tiktok_shop_async.models.order import LineItem, Order
from tiktok_shop_async.models.return_refund import Cancellation, CancelLineItem
from tiktok_shop_async.sandbox import Refusal, Shop
from tiktok_shop_async.sandbox.domain.aftersales.eligibility import Selection
from tiktok_shop_async.sandbox.domain.entities.orders import DROPPED, PENDING, SELLER_ROLE, SUCCESS
from tiktok_shop_async.sandbox.domain.entities.orders import Cancellation as Truth
from tiktok_shop_async.sandbox.domain.entities.orders import LineItem as LineOfShop

LINES = 3
BUYERS = "ecom_order_to_ship_canceled_reason_no_longer_needed"
PACKED = "seller_reject_apply_product_has_been_packed"
LONG_AGO = 1000.0
parts = st.sets(st.integers(0, LINES - 1), max_size=LINES).map(sorted)


@attrs.frozen
class Step:
    """Something that others than the batch do."""

    kind: str
    lines: Sequence[int] = ()


before = st.lists(
    st.builds(
        Step,
        st.sampled_from(["seller", "buyer", "approve", "reject", "withdraw", "ship", "wait"]),
        parts,
    ),
    max_size=4,
)
after = st.lists(
    st.builds(Step, st.sampled_from(["buyer", "approve", "reject", "withdraw", "wait"]), parts),
    max_size=3,
)


class World:
    """One order, with whatever happens to it."""

    def __init__(self, pending_share: float) -> None:
        self.clock = Clock()
        self.shop: Shop = new_shop(self.clock, orders=80, pending_share=pending_share)
        self.order = next(
            order
            for order in self.shop.orders.values()
            if order.status == "AWAITING_SHIPMENT" and len(order.lines) >= LINES
        )

    def ids(self, lines: Sequence[int]) -> list[str]:
        return [self.order.lines[place].id for place in lines]

    def do(self, step: Step) -> None:
        shop, order, clock = self.shop, self.order, self.clock
        clock.now += 1
        request = order.buyers_request
        with suppress(Refusal):
            match step.kind:
                case "seller":
                    shop.cancel(order.id, PAID, Selection(self.ids(step.lines)))
                case "buyer":
                    shop.request_cancellation(order.id, BUYERS, self.ids(step.lines))
                case "approve" if request:
                    shop.approve_cancellation(request.id)
                case "reject" if request:
                    shop.reject_cancellation(request.id, PACKED)
                case "withdraw" if request:
                    shop.withdraw_cancellation(request.id)
                case "ship":
                    shop.ship(order.id)
                case "wait":
                    clock.now += 300

    def carry_out(self, selection: Selection) -> Truth | None:
        try:
            return self.shop.cancel(self.order.id, PAID, selection)
        except Refusal:
            return None


@given(
    history=before,
    later=after,
    part=st.none() | parts.filter(bool),
    arrives=st.booleans(),
    pending_share=st.sampled_from([0.0, 1.0]),
    ahead=st.floats(-300, 30),
)
def test_the_truth_is_found_whatever_else_happened(
    history: list[Step],
    later: list[Step],
    part: list[int] | None,
    arrives: bool,
    pending_share: float,
    ahead: float,
) -> None:
    """A request that was carried out is never called not done, and no other is taken for it."""
    world = World(pending_share)
    for step in history:
        world.do(step)
    world.clock.now += LONG_AGO
    wanted = OrderToCancel(world.order.id, None, world.ids(part) if part else None)
    sent_at = world.clock() + ahead
    truth = world.carry_out(Selection(wanted.order_line_item_ids)) if arrives else None
    for step in later:
        world.do(step)

    order, cancellations = (
        order_of(world.shop, world.order.id),
        cancellations_of(world.shop, world.order.id),
    )
    found = judge(wanted, order, cancellations, sent_at=sent_at)

    if truth is not None:
        assert (found.ours, found.cancel_id) == (True, truth.id)
        assert found.status == ("confirmed" if truth.status == SUCCESS else "pending")
        assert (found.role, found.create_time) == (SELLER_ROLE, truth.create_time)
        return
    assert found.ours is not True
    assert not found.withdrawn
    lines = [
        line for line in world.order.lines if part is None or line.id in wanted.order_line_item_ids
    ]
    assert found.status == state_of_all(lines)


@given(
    history=before, part=st.none() | parts.filter(bool), pending_share=st.sampled_from([0.0, 1.0])
)
def test_what_is_cancelled_already_is_so_whole(
    history: list[Step], part: list[int] | None, pending_share: float
) -> None:
    """Without a time, nothing less than all that is wanted counts, and it is nobody's."""
    world = World(pending_share)
    for step in history:
        world.do(step)
    wanted = OrderToCancel(world.order.id, None, world.ids(part) if part else None)
    records = order_of(world.shop, world.order.id), cancellations_of(world.shop, world.order.id)
    found = judge(wanted, *records, sent_at=None)
    lines = [
        line for line in world.order.lines if part is None or line.id in wanted.order_line_item_ids
    ]
    assert found.ours is None
    assert found.status == state_of_all(lines)


def state_of_all(lines: Sequence[LineOfShop]) -> str:
    if all(line.cancelled for line in lines):
        return "confirmed"
    by_seller = [
        line
        for line in lines
        if line.cancellation is not None
        and (line.cancellation.role, line.cancellation.status) == (SELLER_ROLE, PENDING)
    ]
    return "pending" if all(line.cancelled or line in by_seller for line in lines) else "not_done"


@given(history=before, arrives=st.booleans(), count=st.integers(1, LINES))
def test_units_that_were_cancelled_before_are_not_those_of_a_request(
    history: list[Step], arrives: bool, count: int
) -> None:
    """Of SKUs only the exact units count, and none that are older than the request."""
    world = World(0.0)
    for step in history:
        world.do(step)
    world.clock.now += LONG_AGO
    sku = world.order.lines[0].sku.id
    in_order = sum(line.sku.id == sku for line in world.order.lines)
    wanted = OrderToCancel(world.order.id, None, None, {sku: min(count, in_order)})
    truth = world.carry_out(Selection((), wanted.skus)) if arrives else None
    found = judge(
        wanted,
        order_of(world.shop, world.order.id),
        cancellations_of(world.shop, world.order.id),
        sent_at=world.clock(),
    )
    if truth is not None:
        assert (found.status, found.ours, found.cancel_id) == ("confirmed", True, truth.id)
    else:
        assert found.ours is not True
        assert found.status == ("confirmed" if world.order.cancelled else "not_done")


# Cases that the sandbox never makes ---------------------------------------------------------------

SENT = 1_790_000_000
WHOLE = OrderToCancel("1")
PART = OrderToCancel("1", None, ["11"])


def order(status: str = "AWAITING_SHIPMENT", **lines: str) -> Order:
    lines = lines or {"l11": "AWAITING_SHIPMENT", "l12": "AWAITING_SHIPMENT"}
    return Order(
        id="1",
        status=status,
        line_items=[LineItem(id=name[1:], display_status=each) for name, each in lines.items()],
    )


def cancellation(*lines: str, **fields: object) -> Cancellation:
    known: dict[str, object] = {
        "order_id": "1",
        "cancel_id": "9",
        "cancel_type": "CANCEL",
        "cancel_status": SUCCESS,
        "role": SELLER_ROLE,
        "create_time": SENT,
        "update_time": SENT,
        "cancel_line_items": [CancelLineItem(order_line_item_id=line) for line in lines],
    }
    return Cancellation(**{**known, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["CANCELLED", "CANCEL", "CALCELLED"])
def test_a_cancelled_order_is_confirmed_however_it_is_spelled(status: str) -> None:
    """Three spellings are in the service's documents; whoever did it."""
    found = judge(WHOLE, order(status), [], sent_at=SENT)
    assert (found.status, found.ours) == ("confirmed", None)
    found = judge(WHOLE, order(status), [cancellation("11", "12", role="BUYER")], sent_at=SENT)
    assert (found.status, found.ours, found.role) == ("confirmed", False, "BUYER")


@pytest.mark.parametrize(
    ("cancel_status", "expected"),
    [
        ("CANCELLATION_REQUEST_SUCCESS", "confirmed"),
        ("CANCELLATION_REQUEST_COMPLETE", "confirmed"),
        ("CANCELLATION_REQUEST_PENDING", "pending"),
        ("CANCELLATION_REQUEST_OF_A_NEW_KIND", "pending"),
        (None, "pending"),
        (DROPPED, "not_done"),
        ("CANCELLATION_REQUEST_CANCELLED", "not_done"),
    ],
)
@pytest.mark.parametrize("wanted", [WHOLE, PART])
def test_each_status_has_its_meaning(
    wanted: OrderToCancel, cancel_status: str | None, expected: str
) -> None:
    """What is on record with a status that nobody knows is not called through."""
    found = judge(
        wanted, order(), [cancellation("11", "12", cancel_status=cancel_status)], sent_at=SENT
    )
    assert (found.status, found.withdrawn) == (expected, expected == "not_done")


@pytest.mark.parametrize(("seconds", "is_ours"), [(-31, True), (-32, False), (0, True), (9, True)])
def test_our_clock_may_be_as_far_ahead_as_a_signature_may(seconds: int, is_ours: bool) -> None:
    """No request that was carried out was signed more than 30 seconds ahead."""
    made = cancellation(
        "11", create_time=SENT + seconds, cancel_status="CANCELLATION_REQUEST_PENDING"
    )
    assert judge(PART, order(), [made], sent_at=SENT).ours is is_ours


def test_a_cancellation_of_nobody_knows_what_leaves_a_part_unknown() -> None:
    """It may be of other line items, so nothing is claimed; of a whole order it is taken."""
    unlisted = cancellation(cancel_status="CANCELLATION_REQUEST_PENDING")
    assert judge(PART, order(), [unlisted], sent_at=SENT).status == "unknown"
    assert judge(WHOLE, order(), [unlisted], sent_at=SENT).status == "pending"
    assert judge(PART, order(), [unlisted], sent_at=SENT + 99).status == "not_done"


def test_an_order_that_is_not_there_was_not_cancelled() -> None:
    """An order of another shop, say."""
    assert judge(WHOLE, None, [], sent_at=SENT).status == "not_done"


def test_a_buyers_request_is_named_and_is_not_ours() -> None:
    """The seller has to decide on it, whatever became of the lost request."""
    request = cancellation(
        "11", "12", role="BUYER", cancel_type="BUYER_CANCEL", cancel_status=PENDING
    )
    found = judge(WHOLE, order(), [request], sent_at=SENT)
    assert found.status == "not_done"
    assert "request 9 awaits your decision" in found.evidence


def test_packed_line_items_stay_when_an_order_is_cancelled() -> None:
    """What was packed before can be left over, and the rest is the whole that could be had."""
    left = order("AWAITING_COLLECTION", l11="CANCELLED", l12="AWAITING_COLLECTION")
    found = judge(WHOLE, left, [cancellation("11")], sent_at=SENT)
    assert (found.status, found.ours) == ("confirmed", True)


def test_equal_units_are_counted() -> None:
    """Two units are no proof of a request for one, nor the other way round."""
    lines = [CancelLineItem(order_line_item_id=each, sku_id="s") for each in ("11", "12")]
    made = attrs.evolve(cancellation(), cancel_line_items=lines)
    assert Counter(line.sku_id for line in lines) == {"s": 2}
    for count, expected in ((1, "not_done"), (2, "confirmed"), (3, "not_done")):
        wanted = OrderToCancel("1", None, None, {"s": count})
        assert judge(wanted, order(), [made], sent_at=SENT).status == expected
