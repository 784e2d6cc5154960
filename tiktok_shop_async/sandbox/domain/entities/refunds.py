"""Refunds in cents: their parts add up, and their sum never exceeds what was paid."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .orders import LineItem, Order


@attrs.frozen
class Share:
    """The refund for one line item."""

    line: LineItem
    sub_total: int
    tax: int

    @property
    def total(self) -> int:
        """The total amount."""
        return self.sub_total + self.tax


@attrs.frozen
class Refund:
    """A refund for line items, and of the shipping fee if that is included."""

    shares: Sequence[Share] = ()
    shipping_fee: int = 0

    @property
    def sub_total(self) -> int:
        """The sum of the refunded prices."""
        return sum(share.sub_total for share in self.shares)

    @property
    def tax(self) -> int:
        """The sum of the refunded taxes."""
        return sum(share.tax for share in self.shares)

    @property
    def total(self) -> int:
        """The total amount."""
        return self.sub_total + self.tax + self.shipping_fee


def refund_of(order: Order, lines: Sequence[LineItem]) -> Refund:
    """Return the full refund for line items in the order's current state.

    Our choice: the shipping fee is refunded with the last line item that is not refunded yet.
    """
    if order.paid_time is None:
        return Refund()
    kept = [line for line in order.lines if not (line.cancelled or line.refunded)]
    return Refund(
        [share for share in _shares(order) if share.line in lines],
        order.shipping_fee if all(line in lines for line in kept) else 0,
    )


def part_of(refund: Refund, amount: int) -> Refund:
    """Return a refund of ``amount``, divided among the line items by value."""
    worth = [share.total for share in refund.shares]
    for_lines = min(amount, sum(worth))
    spread = _spread(for_lines, worth)
    shares = []
    for share, part in zip(refund.shares, spread, strict=True):
        tax = part * share.tax // share.total if share.total else 0
        shares.append(Share(share.line, part - tax, tax))
    return Refund(shares, amount - for_lines)


def _shares(order: Order) -> list[Share]:
    prices = [line.sku.price for line in order.lines]
    taxes = _spread(order.tax, prices)
    return [Share(*each) for each in zip(order.lines, prices, taxes, strict=True)]


def _spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide an amount by weight into parts of whole cents that add up to it."""
    whole = sum(weights)
    parts, so_far, distributed = [], 0, 0
    for weight in weights:
        so_far += weight
        parts.append((amount * so_far // whole if whole else 0) - distributed)
        distributed += parts[-1]
    return parts
