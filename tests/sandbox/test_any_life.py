"""Whatever sellers, buyers, carriers and time do in whatever order, the shop stays possible."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sandbox.scenarios import (
    APPROVE_CANCELLATION,
    APPROVE_RETURN,
    CALCULATE,
    DAMAGED,
    DAMAGED_SAYS_SELLER,
    LATE,
    NO_NEED,
    PACKAGES,
    PACKED,
    RECORDS,
    REJECT_CANCELLATION,
    REJECT_RETURN,
    RETURNS,
    SEARCH_PACKAGES,
    SEARCH_RETURNS,
    SENT_BACK,
    UNCLEAR,
    refunded_for,
)
from sandbox.wire import (
    CANCEL,
    PAID,
    SEARCH_CANCELLATIONS,
    SEARCH_ORDERS,
    UNPAID,
    Wire,
    new_wire,
)

from tiktok_shop_async.sandbox import Refusal, StateFile
from tiktok_shop_async.sandbox.domain.entities.lifecycle import NEXT
from tiktok_shop_async.sandbox.domain.entities.orders import Order
from tiktok_shop_async.sandbox.domain.entities.returns import APPROVALS, DECISIONS, Return
from tiktok_shop_async.sandbox.domain.entities.returns import NEXT as NEXT_OF_RETURNS
from tiktok_shop_async.sandbox.domain.shop_events import Event

ORDERS = 5
PLACES = st.integers(0, ORDERS - 1)
PARTS = st.sampled_from([(), (0,), (1,), (0, 1), (2,)])
BUSINESS_CODES = range(10_000_000, 26_000_000)
NO_CODE = (0, 36009004)

RARELY = st.sampled_from([False] * 7 + [True])
EARLY = ("UNPAID", "ON_HOLD", "AWAITING_SHIPMENT", "PARTIALLY_SHIPPING")
LATE_STATUSES = ("AWAITING_COLLECTION", "IN_TRANSIT", "DELIVERED", "PARTIALLY_SHIPPING")

T = TypeVar("T")


def at(items: list[T], index: int) -> list[T]:
    """The item at a place, counted round; nothing of nothing."""
    return [items[index % len(items)]] if items else []


def cents(text: str) -> int:
    whole, part = text.split(".")
    return int(whole + part)


class ShopMachine(RuleBasedStateMachine):
    """A small shop in which anything is tried at any time; refusals are fine, faults are not."""

    @initialize(seed=st.integers(0, 30), pending=st.sampled_from([0.0, 0.5]))
    def open_shop(self, seed: int, pending: float) -> None:
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.options = {"orders": ORDERS, "seed": seed, "pending_share": pending}
        self.start()
        self.seen = {order.id: order.status for order in self.orders}
        self.returned: dict[str, str] = {}
        self.parcels: set[str] = set()
        self.kept: set[str] = set()
        self.units = self.in_stock() + self.sold()

    def start(self) -> None:
        self.state = StateFile(Path(self.folder.name, "shop.db"))
        self.wire: Wire = new_wire(application={"state": self.state}, **self.options)
        self.shop = self.wire.shop
        self.shop.settings.region = "TH" if self.options["seed"] % 3 == 0 else "US"
        self.orders = list(self.shop.ledger._orders.values())
        self.shop.ledger.on_event = self.hear

    def stop(self) -> None:
        self.state.close()
        self.runner.run(self.wire.http.aclose())

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.stop()
            self.runner.close()
            self.folder.cleanup()

    @rule()
    def the_sandbox_is_started_again(self) -> None:
        """What it kept in its file is all there was, and all of it goes on."""
        before, now = self.everything_shown(), self.wire.clock.now
        self.stop()
        self.start()
        self.wire.clock.now = now
        assert self.everything_shown() == before

    def everything_shown(self) -> list[Any]:
        shown = [
            self.call("POST", path, query={"page_size": 50}, json={})["data"]
            for path in (SEARCH_ORDERS, SEARCH_CANCELLATIONS, SEARCH_RETURNS, SEARCH_PACKAGES)
        ]
        shown += [attrs.asdict(product) for product in self.shop.stock.products.values()]
        # By id: which order's come first may change when they are read again.
        shown += [
            self.call("GET", RECORDS.format(each))["data"]
            for each in sorted(self.shop.returns.by_id)
        ]
        return shown

    def hear(self, event: Event) -> None:
        """No status is followed by one that may not follow it, however fast they change."""
        if event.type == 1:
            order_id = event.data["order_id"]
            status = self.shop.ledger._orders[order_id].status
            assert status in NEXT[self.seen[order_id]]
            self.seen[order_id] = status
        elif event.type == 12:
            before = self.returned.get(event.data["return_id"])
            status = event.data["return_status"]
            assert status in NEXT_OF_RETURNS[before] if before else status.endswith("PENDING")
            self.returned[event.data["return_id"]] = status
            if status == "BUYER_SHIPPED_ITEM":
                self.parcels.add(event.data["return_id"])

    def call(self, method: str, path: str, **parts: Any) -> Any:
        answer = self.runner.run(self.wire.call(method, path, **parts))
        assert answer["code"] in NO_CODE or answer["code"] in BUSINESS_CODES, answer
        return answer

    def try_to(self, act: Callable[..., object], *arguments: Any, **more: Any) -> None:
        """A refusal is fine; any other exception is a fault."""
        with suppress(Refusal):
            act(*arguments, **more)

    def pick(self, place: int, *statuses: str) -> Order:
        """An order of these statuses if there is one: most of what is tried should succeed."""
        orders = [order for order in self.orders_now() if order.status in statuses]
        return (orders or self.orders)[place % len(orders or self.orders)]

    def lines(self, order: Order, part: tuple[int, ...]) -> list[str]:
        return [order.lines[index].id for index in part if index < len(order.lines)]

    @rule(place=PLACES, part=PARTS, wrong=RARELY)
    def seller_cancels(self, place: int, part: tuple[int, ...], wrong: bool) -> None:
        order = self.pick(
            place, *EARLY, *["AWAITING_COLLECTION"] * (self.shop.settings.region == "US")
        )
        reason = UNPAID if (order.status == "UNPAID") != wrong else PAID
        body = {"order_id": order.id, "cancel_reason": reason}
        self.call("POST", CANCEL, json={**body, "order_line_item_ids": self.lines(order, part)})

    @rule(place=PLACES, part=PARTS)
    def buyer_cancels(self, place: int, part: tuple[int, ...]) -> None:
        order = self.pick(
            place, *EARLY[2:], *["AWAITING_COLLECTION"] * (self.shop.settings.region == "TH")
        )
        self.try_to(self.shop.request_cancellation, order.id, NO_NEED, self.lines(order, part))

    @rule(index=PLACES, how=st.sampled_from(["approve", "reject", "withdraw"]))
    def cancellation_is_decided(self, index: int, how: str) -> None:
        every = list(self.shop.cancellations.by_id.values())
        for cancellation in at([each for each in every if each.awaits_seller] or every, index):
            if how == "approve":
                self.call("POST", APPROVE_CANCELLATION.format(cancellation.id))
            elif how == "reject":
                body = {"reject_reason": PACKED}
                self.call("POST", REJECT_CANCELLATION.format(cancellation.id), json=body)
            else:
                self.try_to(self.shop.withdraw_cancellation, cancellation.id)

    @rule(place=PLACES)
    def buyer_pays(self, place: int) -> None:
        self.try_to(self.shop.pay, self.pick(place, "UNPAID").id)

    @rule(place=PLACES, part=PARTS)
    def seller_ships_a_part(self, place: int, part: tuple[int, ...]) -> None:
        order = self.pick(place, *EARLY[2:])
        self.try_to(self.shop.ship, order.id, self.lines(order, part))

    @rule(place=PLACES)
    def seller_ships_a_package(self, place: int) -> None:
        for package in self.pick(place, *EARLY[2:]).packages[-1:]:
            self.call("POST", f"{PACKAGES}/{package.id}/ship", json={})

    @rule(place=PLACES)
    def it_goes_all_the_way(self, place: int) -> None:
        """Few sequences would get as far by themselves."""
        order_id = self.pick(place, *EARLY[2:], "AWAITING_COLLECTION").id
        for step in (self.shop.ship, self.shop.collect, self.shop.deliver):
            self.try_to(step, order_id)

    @rule(place=PLACES, step=st.sampled_from(["collect", "deliver", "complete"]))
    def it_goes_on(self, place: int, step: str) -> None:
        order = self.pick(place, *LATE_STATUSES)
        self.try_to(getattr(self.shop, step), order.id)

    @rule(place=PLACES, part=PARTS, back=st.booleans())
    def buyer_wants_it_back(self, place: int, part: tuple[int, ...], back: bool) -> None:
        order = self.pick(place, *LATE_STATUSES)
        refund = ("REFUND", DAMAGED if order.status == "DELIVERED" else LATE)
        kind, reason = ("RETURN_AND_REFUND", SENT_BACK) if back else refund
        lines = self.lines(order, part)
        self.try_to(self.shop.request_return, order.id, reason, lines, return_type=kind)

    @rule(place=PLACES, part=PARTS, total=st.sampled_from(["", "1.00", "30.05", "999.99"]))
    def seller_gives_it_back(self, place: int, part: tuple[int, ...], total: str) -> None:
        order = self.pick(place, "DELIVERED")
        body = {
            "order_id": order.id,
            "return_type": "REFUND",
            "return_reason": DAMAGED_SAYS_SELLER,
            "order_line_item_ids": self.lines(order, part),
            "refund_total": total,
        }
        self.call("POST", RETURNS, json=body)

    @rule(
        index=PLACES,
        decision=PLACES,
        amount=st.sampled_from(["", "0.01", "12.34", "500.00"]),
        key=st.sampled_from(["", "a", "b"]),
        wrong=RARELY,
    )
    def return_is_decided(
        self, index: int, decision: int, amount: str, key: str, wrong: bool
    ) -> None:
        for request in self.request_at(index):
            fitting = [
                name
                for name, (types, statuses) in DECISIONS.items()
                if request.type in types and request.status in statuses
            ]
            for name in at(fitting if fitting and not wrong else list(DECISIONS), decision):
                self.decide(request.id, name, amount, {"idempotency_key": key} if key else {})

    def decide(self, return_id: str, decision: str, amount: str, query: dict[str, str]) -> None:
        body: dict[str, Any] = {"decision": decision}
        if decision in APPROVALS:
            path, part = APPROVE_RETURN, {"partial_refund": {"amount": amount}}
        else:
            path, part = REJECT_RETURN, {"partial_refund_amount": {"partial_refund_total": amount}}
            body["reject_reason"] = UNCLEAR
        body |= part if amount else {}
        keeps = decision == "DIRECT_REFUND"
        if self.call("POST", path.format(return_id), query=query, json=body)["code"] == 0 and keeps:
            self.kept.add(return_id)

    @rule(place=PLACES, part=PARTS, decision=PLACES)
    def it_comes_all_the_way_back(self, place: int, part: tuple[int, ...], decision: int) -> None:
        """Few sequences would get as far by themselves."""
        self.it_goes_all_the_way(place)
        self.buyer_wants_it_back(place, part, back=True)
        for request in [each for each in self.shop.returns.by_id.values() if each.open][-1:]:
            self.decide(request.id, "APPROVE_RETURN", "", {})
            self.try_to(self.shop.send_back, request.id)
            for name in at(["APPROVE_RECEIVED_PACKAGE", "DIRECT_REFUND"], decision):
                self.decide(request.id, name, "", {})

    @rule(index=PLACES, how=st.sampled_from(["accept", "decline", "withdraw"]))
    def buyer_goes_on(self, index: int, how: str) -> None:
        for request in self.request_at(index):
            if request.status == "AWAITING_BUYER_SHIP":
                self.try_to(self.shop.send_back, request.id)
            elif how == "withdraw":
                self.try_to(self.shop.withdraw_return, request.id)
            else:
                self.try_to(self.shop.answer_offer, request.id, accept=how == "accept")

    def request_at(self, index: int) -> list[Return]:
        every = list(self.shop.returns.by_id.values())
        return at([request for request in every if request.open] or every, index)

    @rule(seconds=st.sampled_from([0.5, 3, 3600, 86400, 200_000, 500_000]))
    def time_passes(self, seconds: float) -> None:
        self.wire.clock.now += seconds
        self.shop.ledger.settle()

    @rule(place=PLACES, part=PARTS, kind=st.sampled_from([("CANCEL", PAID), ("REFUND", DAMAGED)]))
    def a_calculation_changes_nothing(
        self, place: int, part: tuple[int, ...], kind: tuple[str, str]
    ) -> None:
        order = self.pick(place, *EARLY[1:], "DELIVERED")
        body = {
            "order_id": order.id,
            "request_type": kind[0],
            "reason_name": kind[1],
            "order_line_item_ids": self.lines(order, part),
        }
        answer = self.call("POST", CALCULATE, json=body)
        if answer["code"] == 0:
            total = cents(answer["data"]["order_refund_amount"]["refund_total"])
            assert total + refunded_for(order) <= self.price(order)

    @invariant()
    def statuses_fit_line_items(self) -> None:
        for order in self.orders_now():
            assert order.status == self.seen[order.id]
            assert (order.status == "CANCELLED") == all(line.cancelled for line in order.lines)
            sent = [
                line.package is not None and line.package.status not in ("TO_FULFILL", "CANCELLED")
                for line in order.lines
                if not line.cancelled
            ]
            if order.status == "PARTIALLY_SHIPPING":
                assert any(sent)
                assert not all(sent)
            elif order.status != "CANCELLED":
                shipped = order.status in (
                    "AWAITING_COLLECTION",
                    "IN_TRANSIT",
                    "DELIVERED",
                    "COMPLETED",
                )
                assert set(sent) == {shipped}

    @invariant()
    def every_line_item_leaves_in_one_package(self) -> None:
        for order in self.orders_now():
            packed = Counter(line.id for package in order.packages for line in package.lines)
            assert set(packed.values()) <= {1}
            for package in order.packages:
                assert self.shop.fulfillment.packages[package.id] is package
                assert bool(package.left) == (package.status != "CANCELLED")

    @invariant()
    def nothing_is_cancelled_or_refunded_twice(self) -> None:
        assert set(self.shop.times_cancelled.values()) <= {0, 1}
        for order in self.orders_now():
            gone = [
                line.id
                for each in (*order.cancellations, *order.requests)
                if each.status.endswith(("_SUCCESS", "_COMPLETE"))
                for line in each.lines
            ]
            assert len(gone) == len(set(gone))

    @invariant()
    def refunds_never_exceed_the_payment(self) -> None:
        for order in self.orders_now():
            assert 0 <= refunded_for(order) <= self.price(order)
            if order.paid_time is None:
                assert refunded_for(order) == 0

    @invariant()
    def all_that_was_paid_comes_back_when_all_is_cancelled(self) -> None:
        for order in self.orders_now():
            paid = [line for line in order.lines if line.paid]
            if order.status == "CANCELLED" and len(paid) == len(order.lines):
                assert refunded_for(order) == self.price(order)

    @invariant()
    def nothing_is_updated_before_it_was_created(self) -> None:
        now = self.wire.clock.now
        for order in self.orders_now():
            assert order.create_time <= order.update_time <= now
            if order.paid_time is not None:
                assert order.create_time <= order.paid_time <= now
            for package in order.packages:
                assert order.paid_time is not None
                assert order.paid_time <= package.create_time <= package.update_time <= now
            for each in (*order.cancellations, *order.requests):
                assert order.create_time <= each.create_time <= each.update_time <= now
            for request in order.requests:
                times = [record.create_time for record in request.records]
                assert times == sorted(times)
                assert all(request.create_time <= time <= now for time in times)
        for product in self.shop.stock.products.values():
            assert product.create_time <= product.update_time <= now

    @invariant()
    def no_unit_is_lost(self) -> None:
        self.orders_now()
        assert self.in_stock() + self.sold() == self.units

    @invariant()
    def what_the_search_shows_adds_up(self) -> None:
        answer = self.call("POST", SEARCH_CANCELLATIONS, query={"page_size": 50}, json={})
        for shown in answer["data"]["cancellations"]:
            refund = shown.get("refund_amount")
            if refund:
                lines = [each["refund_amount"] for each in shown["cancel_line_items"]]
                total = sum(cents(each["refund_total"]) for each in lines)
                fee = cents(refund["refund_shipping_fee"])
                assert total + fee == cents(refund["refund_total"])

    def orders_now(self) -> list[Order]:
        return list(self.shop.orders.values())

    def price(self, order: Order) -> int:
        """What the order's own numbers say, apart from how the sandbox splits them."""
        return sum(line.sku.price for line in order.lines) + order.tax + order.shipping_fee

    def in_stock(self) -> int:
        products = self.shop.stock.products.values()
        return sum(sku.quantity for product in products for sku in product.skus.values())

    def sold(self) -> int:
        """Count what buyers have: what was neither cancelled nor came back in a granted return."""
        back = {
            line.id
            for return_id, status in self.returned.items()
            if status.endswith(("_SUCCESS", "_COMPLETE")) and return_id in self.parcels - self.kept
            for line in self.shop.returns.by_id[return_id].lines
        }
        lines = [line for order in self.orders for line in order.lines]
        return sum(not line.cancelled and line.id not in back for line in lines)


TestShopMachine = ShopMachine.TestCase
TestShopMachine.settings = settings(
    max_examples=80,
    stateful_step_count=50,
)
