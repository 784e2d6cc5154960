"""Payment, packing and shipping of orders."""

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
from ..entities import lifecycle, packages
from ..entities.orders import LineItem, Order
from ..entities.packages import PROVIDER_ID, Package, pack
from ..shop_events import packages_changed
from .ledger import Ledger
from .shop_settings import ShopSettings

_PACKED_AS = {
    lifecycle.AWAITING_SHIPMENT: packages.TO_FULFILL,
    lifecycle.AWAITING_COLLECTION: packages.PROCESSING,
    lifecycle.IN_TRANSIT: packages.FULFILLING,
    lifecycle.DELIVERED: packages.COMPLETED,
    lifecycle.COMPLETED: packages.COMPLETED,
}


@attrs.frozen(eq=False)
class Fulfillment:
    """The packages of a shop, and how orders are paid, packed, shipped and delivered."""

    _ledger: Ledger
    _settings: ShopSettings
    _packages: dict[str, Package] = attrs.field(factory=dict, init=False, repr=False)

    @property
    def packages(self) -> dict[str, Package]:
        """All packages by id, in their current state."""
        self._ledger.settle()
        return self._packages

    def package(self, package_id: str) -> Package:
        """Return a package in its current state."""
        package = self.packages.get(package_id)
        if package is None:
            raise Refusal(UNKNOWN_PACKAGE, f"The package {package_id} does not exist in this shop.")
        return package

    def pay(self, order_id: str) -> Order:
        """Pay an order as its buyer; after the time on hold it awaits shipment."""
        order = self._ledger.order(order_id)
        _check_status(order, lifecycle.UNPAID)
        if any(line.being_cancelled for line in order.lines):
            raise Refusal(WRONG_ORDER_STATUS, "Invalid order status: a cancellation is pending.")
        now = self._ledger.now()
        order.paid_time = int(now)
        self._hold(order)
        self._ledger.move(order, lifecycle.ON_HOLD, now)
        return order

    def create_package(self, order_id: str, line_item_ids: Collection[str] = ()) -> Package:
        """Put line items of an order into one package; by default all that are not shipped."""
        order = self._ledger.order(order_id)
        _check_status(order, *lifecycle.TO_SHIP)
        lines = _lines_to_pack(order, line_item_ids)
        if any(line.being_cancelled for line in lines):
            raise _frozen()
        for package in order.packages:
            if package.left == lines:
                return package
        return self._pack(order, lines, self._ledger.now())

    def ship_package(
        self,
        package_id: str,
        *,
        tracking_number: str = "",
        provider_id: str = PROVIDER_ID,
        handover_method: str = "DROP_OFF",
    ) -> Package:
        """Mark a package as ready for its carrier."""
        package = self.package(package_id)
        _check_status(package.order, *lifecycle.TO_SHIP)
        _check_package(package, packages.TO_FULFILL)
        package.tracking_number = tracking_number or _tracking_number(package)
        package.provider_id, package.handover_method = provider_id, handover_method
        self._move_packages([package], packages.PROCESSING)
        return package

    def ship(
        self, order_id: str, line_item_ids: Collection[str] = (), *, tracking_number: str = ""
    ) -> Package:
        """Pack line items of an order and ship the package; by default all that are left."""
        package = self.create_package(order_id, line_item_ids)
        return self.ship_package(package.id, tracking_number=tracking_number)

    def collect(self, order_id: str, package_id: str | None = None) -> None:
        """Hand a package of an order to the carrier; by default all that are ready."""
        found = self._packages_of(order_id, package_id, packages.PROCESSING)
        self._move_packages(found, packages.FULFILLING)

    def deliver(self, order_id: str, package_id: str | None = None) -> None:
        """Deliver a package of an order; by default all that are in transit."""
        found = self._packages_of(order_id, package_id, packages.FULFILLING)
        self._move_packages(found, packages.COMPLETED)

    def complete(self, order_id: str) -> Order:
        """Complete a delivered order, which can then no longer be returned."""
        order = self._ledger.order(order_id)
        _check_status(order, lifecycle.DELIVERED)
        if any(request.open for request in order.requests):
            raise Refusal(WRONG_ORDER_STATUS, "Invalid order status: a return is open.")
        self._ledger.move(order, lifecycle.COMPLETED, self._ledger.now())
        return order

    def register(self, order: Order) -> None:
        """Register a new order's packages; create the ones that its status implies."""
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
        due = order.paid_time + self._settings.spans.hold_seconds
        self._ledger.schedule(due, partial(self._release, order))

    def _release(self, order: Order, due: float) -> None:
        if order.status == lifecycle.ON_HOLD:
            self._pack(order, [line for line in order.lines if not line.cancelled], due)
            self._ledger.move(order, lifecycle.AWAITING_SHIPMENT, due)

    def _pack(self, order: Order, lines: list[LineItem], now: float) -> Package:
        before = order.packages
        sizes = [len(each.left) for each in before]
        package = pack(order, lines, int(now))
        for each in before:
            if each not in order.packages:
                del self._packages[each.id]
        self._packages[package.id] = package
        self._ledger.on_modified(order)
        if any(sizes):
            split = any(0 < len(each.left) < size for each, size in zip(before, sizes, strict=True))
            event = packages_changed(order, self._ledger.shop_id, split=split, now=now)
            self._ledger.on_event(event)
        return package

    def _packages_of(self, order_id: str, package_id: str | None, status: str) -> list[Package]:
        order = self._ledger.order(order_id)
        found = [
            package
            for package in order.packages
            if (package.id == package_id if package_id else package.status == status)
        ]
        if not found:
            raise Refusal(
                WRONG_PACKAGE_STATUS, f"The order has no package with the status {status}."
            )
        for package in found:
            _check_package(package, status)
        return found

    def _move_packages(self, found: list[Package], status: str) -> None:
        now = self._ledger.now()
        for package in found:
            package.move_to(status, int(now))
        self._ledger.update_status(found[0].order, now)


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
    return Refusal(FROZEN_PACKAGE, "The package is frozen: a cancellation is pending.")


def _lines_to_pack(order: Order, ids: Collection[str]) -> list[LineItem]:
    unshipped = [
        line
        for line in order.lines
        if lifecycle.line_status(line, order) == lifecycle.AWAITING_SHIPMENT
    ]
    unknown = set(parse_texts(ids, "line_item_ids")) - {line.id for line in unshipped}
    if unknown:
        raise Refusal(UNKNOWN_LINE_ITEM, f"The order has no unshipped line item {min(unknown)}.")
    return [line for line in unshipped if not ids or line.id in ids]


def _tracking_number(package: Package) -> str:
    return f"JX{package.id[-12:]}"
