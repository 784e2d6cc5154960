"""Serialization and validation of the orders and options that are queued."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ...batch import OrderToCancel
from ...batch.cancellation.cancel_reasons import parse_reason
from ...errors import InvalidArgumentError

if TYPE_CHECKING:
    from ...batch.cancellation.cancel_orders import GivenOrder

OPTIONS: Mapping[str, Any] = {
    "preflight": bool,
    "concurrency": int,
    "patience": (int, float),
    "settle": (int, float),
    "wait_for_pending": (int, float),
    "drain": (int, float),
}
"""The options of `cancel_orders` that can be queued with a task, and their types."""


def check_options(options: Mapping[str, Any]) -> None:
    """Reject options that would fail in the workers."""
    for name, value in options.items():
        if name not in OPTIONS:
            raise InvalidArgumentError(
                f"{name} is not an option of a queued cancellation.",
                argument=name,
                hint=f"The options are {', '.join(OPTIONS)}.",
            )
        minimum = 1 if name == "concurrency" else 0
        if not (isinstance(value, OPTIONS[name]) and value >= minimum):
            accepted = "True or False" if OPTIONS[name] is bool else f"a number from {minimum}"
            raise InvalidArgumentError(f"{name} must be {accepted}, not {value!r}.", argument=name)


async def chunks_of(
    items: Iterable[Any] | AsyncIterable[Any], size: int
) -> AsyncIterator[list[Any]]:
    """Yield the items in lists of a given size; the last list may be shorter."""
    part: list[Any] = []
    async for item in _each(items):
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


async def _each(orders: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(orders, AsyncIterable):
        async for given in orders:
            yield given
    else:
        for given in orders:
            yield given


def as_json(given: GivenOrder, reason: str | None) -> str | dict[str, Any]:
    """Return an order as JSON for a task; raise `InvalidArgumentError` if it is not valid."""
    target = OrderToCancel.of(given)
    if target.reason is not None:
        parse_reason(target.reason)
    elif reason is None:
        raise InvalidArgumentError(
            f"reason is required: neither order {target.order_id} nor the batch has one.",
            argument="reason",
        )
    fields = {name: value for name, value in attrs.asdict(target).items() if value}
    return target.order_id if fields.keys() == {"order_id"} else fields
