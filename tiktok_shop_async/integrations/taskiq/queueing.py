"""What of a batch travels through the queue, and what is refused before it does."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ...batch import OrderToCancel
from ...batch.cancellation.cancel_reasons import checked_reason
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
"""What `cancel_orders` takes that can travel with a task."""


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse here what would fail in the workers."""
    for name, value in options.items():
        if name not in OPTIONS:
            raise InvalidArgumentError(
                f"{name} is no option of a queued cancellation.",
                argument=name,
                hint=f"There are {', '.join(OPTIONS)}.",
            )
        least = 1 if name == "concurrency" else 0
        if not (isinstance(value, OPTIONS[name]) and value >= least):
            raise InvalidArgumentError(f"{name} is {value!r}.", argument=name)


async def chunks_of(
    items: Iterable[Any] | AsyncIterable[Any], size: int
) -> AsyncIterator[list[Any]]:
    """Yield the items in lists of a size, the last one shorter."""
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
    """Return an order as a task carries it; `InvalidArgumentError` for what no worker could do."""
    wanted = OrderToCancel.of(given)
    if wanted.reason is not None:
        checked_reason(wanted.reason)
    elif reason is None:
        raise InvalidArgumentError(
            f"order {wanted.order_id} has no reason, and neither has the batch.", argument="reason"
        )
    fields = {name: value for name, value in attrs.asdict(wanted).items() if value}
    return wanted.order_id if fields.keys() == {"order_id"} else fields
