"""Packages: line items that are shipped together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from .orders import LineItem, Order

TO_FULFILL = "TO_FULFILL"
PROCESSING = "PROCESSING"
FULFILLING = "FULFILLING"
COMPLETED = "COMPLETED"
CANCELLED = "CANCELLED"

PROVIDER_ID = "6617675021119438849"
PROVIDER_NAME = "TT Virtual express"


@attrs.define(eq=False, kw_only=True)
class Package:
    """Line items of one order that are shipped together."""

    id: str
    order: Order
    lines: list[LineItem]
    create_time: int
    update_time: int
    status: str = TO_FULFILL
    tracking_number: str = ""
    provider_id: str = PROVIDER_ID
    handover_method: str = "DROP_OFF"

    @property
    def left(self) -> list[LineItem]:
        """Its line items that are not cancelled."""
        return [line for line in self.lines if not line.cancelled]

    @property
    def frozen(self) -> bool:
        """Whether it cannot be shipped because a cancellation is pending."""
        return any(line.being_cancelled for line in self.lines)

    def move_to(self, status: str, now: int) -> None:
        """Set the status and the update time."""
        self.status, self.update_time = status, now


def pack(order: Order, lines: list[LineItem], now: int) -> Package:
    """Move line items of an order from their packages into a new one."""
    for package in order.packages:
        package.lines = [line for line in package.lines if line not in lines]
        if not package.left:
            package.status = CANCELLED
    package = Package(
        id=_next_id(order), order=order, lines=list(lines), create_time=now, update_time=now
    )
    order.packages = [each for each in order.packages if each.lines] + [package]
    for line in lines:
        line.package = package
    return package


def _next_id(order: Order) -> str:
    # Order ids are far enough apart that these ids stay unique.
    first = int(f"115{order.id[3:]}")
    taken = [int(package.id) for package in order.packages]
    return str(max(taken) + 1 if taken else first)
