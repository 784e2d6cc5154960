"""How orders are paid, packed and sent: what the seller does, and what happens from outside."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import attrs

from ...._internal.argument_checks import parse_texts
from ...error_responses import (
    FROZEN_PACKAGE,
    UNKNOWN_LINE_ITEM,
    UNKNOWN_PACKAGE,
    WRONG_ORDER_STATUS,
    WRONG_PACKAGE_STATUS,
    Refusal,
)
from ..events import packages_changed
from . import lifecycle, packages
from .ledger import Ledger
from .orders import LineItem, Order
from .packages import PROVIDER_ID, Package, pack
from .time_spans import Spans

_PACKED_AS = {
    lifecycle.AWAITING_SHIPMENT: packages.TO_FULFILL,
    lifecycle.AWAITING_COLLECTION: packages.PROCESSING,
    lifecycle.IN_TRANSIT: packages.FULFILLING,
    lifecycle.DELIVERED: packages.COMPLETED,
    lifecycle.COMPLETED: packages.COMPLETED,
}


@attrs.define(eq=False, kw_only=True)
class Fulfilling(Ledger):
    """A shop that sends what was bought."""

    spans: Spans = attrs.field(factory=Spans)
    _packages: dict[str, Package] = attrs.field(factory=dict, init=False, repr=False)

    @property
    def packages(self) -> dict[str, Package]:
        """All packages by id, as they are now."""
        self.settle()
        return self._packages

    def package(self, package_id: str) -> Package:
        """Return a package as it is now."""
        package = self.packages.get(package_id)
        if package is None:
            raise Refusal(UNKNOWN_PACKAGE, f"The package {package_id} does not exist in this shop.")
        return package

    def pay(self, order_id: str) -> Order:
        """Have the buyer pay; after the time on hold the order awaits its shipment."""
        order = self.order(order_id)
        _check_status(order, lifecycle.UNPAID)
        if any(line.being_cancelled for line in order.lines):
            raise Refusal(WRONG_ORDER_STATUS, "Invalid order status: a cancellation is under way.")
        now = self.clock()
        order.paid_time = int(now)
        self._hold(order)
        self._move(order, lifecycle.ON_HOLD, now)
        return order

    def create_package(self, order_id: str, line_item_ids: Collection[str] = ()) -> Package:
        """Pack some line items of an order, or all that are not sent yet, to leave together."""
        order = self.order(order_id)
        _check_status(order, *lifecycle.TO_SHIP)
        lines = _lines_to_pack(order, line_item_ids)
        if any(line.being_cancelled for line in lines):
            raise _frozen()
        for package in order.packages:
            if package.left == lines:
                return package
        return self._pack(order, lines, self.clock())

    def ship_package(
        self,
        package_id: str,
        *,
        tracking_number: str = "",
        provider_id: str = PROVIDER_ID,
        handover_method: str = "DROP_OFF",
    ) -> Package:
        """Have a package wait for its carrier."""
        package = self.package(package_id)
        _check_status(package.order, *lifecycle.TO_SHIP)
        _check_package(package, packages.TO_FULFILL)
        package.tracking_number = tracking_number or _tracking_number(package)
        package.provider_id, package.handover_method = provider_id, handover_method
        self._send_on([package], packages.PROCESSING)
        return package

    def ship(
        self, order_id: str, line_item_ids: Collection[str] = (), *, tracking_number: str = ""
    ) -> Package:
        """Pack some line items of an order, or all that are left, and ship the package."""
        package = self.create_package(order_id, line_item_ids)
        return self.ship_package(package.id, tracking_number=tracking_number)

    def collect(self, order_id: str, package_id: str | None = None) -> None:
        """Have the carrier take a package of an order, or all that are ready."""
        found = self._packages_of(order_id, package_id, packages.PROCESSING)
        self._send_on(found, packages.FULFILLING)

    def deliver(self, order_id: str, package_id: str | None = None) -> None:
        """Have the carrier deliver a package of an order, or all that are on their way."""
        found = self._packages_of(order_id, package_id, packages.FULFILLING)
        self._send_on(found, packages.COMPLETED)

    def complete(self, order_id: str) -> Order:
        """End the time in which a delivered order may be returned."""
        order = self.order(order_id)
        _check_status(order, lifecycle.DELIVERED)
        if any(request.open for request in order.requests):
            raise Refusal(WRONG_ORDER_STATUS, "Invalid order status: a return is under way.")
        self._move(order, lifecycle.COMPLETED, self.clock())
        return order

    def _adopt(self, order: Order) -> None:
        super()._adopt(order)
        if order.paid_time is None and order.status not in (
            lifecycle.UNPAID,
            lifecycle.CANCELLED,
        ):
            order.paid_time = order.update_time
        if order.status == lifecycle.ON_HOLD:
            self._hold(order)
        if order.status in _PACKED_AS and not order.packages:
            package = self._pack(order, list(order.lines), order.update_time)
            package.status = _PACKED_AS[order.status]
            if package.status != packages.TO_FULFILL:
                package.tracking_number = _tracking_number(package)
        self._packages.update((package.id, package) for package in order.packages)

    def _hold(self, order: Order) -> None:
        assert order.paid_time is not None
        self._do_at(order.paid_time + self.spans.hold_seconds, partial(self._release, order))

    def _release(self, order: Order, due: float) -> None:
        if order.status == lifecycle.ON_HOLD:
            self._pack(order, [line for line in order.lines if not line.cancelled], due)
            self._move(order, lifecycle.AWAITING_SHIPMENT, due)

    def _pack(self, order: Order, lines: list[LineItem], now: float) -> Package:
        before = order.packages
        sizes = [len(each.left) for each in before]
        package = pack(order, lines, int(now))
        for each in before:
            if each not in order.packages:
                del self._packages[each.id]
        self._packages[package.id] = package
        self.on_touch(order)
        if any(sizes):
            split = any(0 < len(each.left) < size for each, size in zip(before, sizes, strict=True))
            self.on_change(packages_changed(order, self.id, split=split, now=now))
        return package

    def _packages_of(self, order_id: str, package_id: str | None, status: str) -> list[Package]:
        order = self.order(order_id)
        found = [
            package
            for package in order.packages
            if (package.id == package_id if package_id else package.status == status)
        ]
        if not found:
            raise Refusal(WRONG_PACKAGE_STATUS, f"The order has no package that is {status}.")
        for package in found:
            _check_package(package, status)
        return found

    def _send_on(self, found: list[Package], status: str) -> None:
        now = self.clock()
        for package in found:
            package.move_to(status, int(now))
        self._refresh(found[0].order, now)


def _check_status(order: Order, *statuses: str) -> None:
    if order.status not in statuses:
        raise Refusal(
            WRONG_ORDER_STATUS,
            f"Invalid order status: {order.status}, not {' or '.join(statuses)}.",
        )


def _check_package(package: Package, status: str) -> None:
    if package.status != status:
        raise Refusal(
            WRONG_PACKAGE_STATUS, f"Invalid package status: {package.status}, not {status}."
        )
    if package.frozen:
        raise _frozen()


def _frozen() -> Refusal:
    return Refusal(FROZEN_PACKAGE, "The package is frozen: a cancellation is under way.")


def _lines_to_pack(order: Order, ids: Collection[str]) -> list[LineItem]:
    unsent = [
        line
        for line in order.lines
        if lifecycle.line_status(line, order) == lifecycle.AWAITING_SHIPMENT
    ]
    unknown = set(parse_texts(ids, "line_item_ids")) - {line.id for line in unsent}
    if unknown:
        raise Refusal(
            UNKNOWN_LINE_ITEM, f"The order has no line item {min(unknown)} left to be sent."
        )
    return [line for line in unsent if not ids or line.id in ids]


def _tracking_number(package: Package) -> str:
    return f"JX{package.id[-12:]}"
