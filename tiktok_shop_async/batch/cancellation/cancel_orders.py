"""Cancellation of many orders, with a verified outcome for each."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import InvalidArgumentError
from ..batch import Batch, BatchSettings, JournalLocation
from ..engine import DRAIN
from ..progress import OnProgress
from .cancel_outcome import CancelOutcome
from .cancel_reasons import parse_reason
from .context import CancellationContext
from .order_canceller import OrderCanceller
from .order_to_cancel import OrderToCancel
from .resolving import SETTLE

if TYPE_CHECKING:
    from ...client import AsyncTikTokShop

CONCURRENCY = 50
PATIENCE = 300.0
"""Seconds for which an order is retried after transient failures."""

GivenOrder: TypeAlias = str | OrderToCancel | Mapping[str, Any]


def cancel_orders(
    client: AsyncTikTokShop,
    orders: Iterable[GivenOrder] | AsyncIterable[GivenOrder],
    *,
    reason: str | None = None,
    preflight: bool = True,
    concurrency: int = CONCURRENCY,
    journal: JournalLocation | None = None,
    progress: OnProgress | None = None,
    stop_on: Callable[[CancelOutcome], object] | None = None,
    ordered: bool = False,
    patience: float = PATIENCE,
    settle: float = SETTLE,
    wait_for_pending: float = 0.0,
    drain: float = DRAIN,
) -> Batch[CancelOutcome]:
    """Cancel orders as their seller; the batch yields a `CancelOutcome` for each.

    No order is cancelled twice: a request without a response is looked up before it is sent again.
    With a journal this also holds across restarts and for several processes.

    Args:
        orders: Order ids, or `OrderToCancel` (or mappings of its fields) for parts of orders and
            for individual reasons. A repeated order, or part, is sent once.
        reason: The reason for all orders without their own: a `CancelReason`, which is translated
            to a name that the service accepts for each order's status, or the exact name of one.
        preflight: Look orders up first, 50 in a call, and send nothing for orders that are
            cancelled or handed over already. Without it the service decides about each order.
        concurrency: The maximum number of orders in flight.
        journal: Makes the batch resumable: the path of a SQLite file, or a `SQLJournal`.
        progress: Called with the `Progress` at most ten times a second, and at the end.
        stop_on: Called with each outcome. If it returns true, no new order starts.
        ordered: Yield the outcomes in the order of the input.
        patience: Seconds for which an order is retried while the service throttles it or cannot be
            reached.
        settle: Seconds after which a request without a response can no longer take effect.
        wait_for_pending: Seconds to wait until a pending cancellation is decided.
        drain: Seconds that orders in flight have to finish when the batch is closed early.
    """
    if reason is not None:
        reason = parse_reason(reason)
    _check_durations(patience=patience, settle=settle, wait_for_pending=wait_for_pending)
    context = CancellationContext(
        client,
        preflight=preflight,
        patience=patience,
        settle=settle,
        wait_for_pending=wait_for_pending,
    )
    canceller = OrderCanceller(context, reason)
    check_orders(orders)
    if isinstance(orders, Collection):
        for given in orders:  # before anything is sent
            if reason is None or not given or not isinstance(given, str):
                canceller.validate(given)
    settings = BatchSettings(
        concurrency=concurrency,
        ordered=ordered,
        drain=drain,
        key=lambda given: OrderToCancel.of(given).key,
        journal=journal,
        progress=progress,
        stop_on=stop_on,
        clock=client.clock,
    )
    return Batch(canceller.cancel, orders, settings)


def check_orders(orders: object) -> None:
    """Reject one order in place of an iterable of orders."""
    if isinstance(orders, str | OrderToCancel | Mapping):
        raise InvalidArgumentError(
            "orders must be an iterable of orders, not one order.",
            argument="orders",
            hint="Pass [order].",
        )


def _check_durations(**durations: float) -> None:
    for name, seconds in durations.items():
        if not seconds >= 0:
            raise InvalidArgumentError(
                f"{name} must be at least 0 seconds, not {seconds!r}.", argument=name
            )
