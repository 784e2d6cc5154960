"""Many orders to cancel, and the truth about each."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import InvalidArgumentError
from ..batch import Batch, JournalPlace
from ..driver import DRAIN
from ..progress import OnProgress
from .cancel_outcome import CancelOutcome
from .cancel_reasons import checked_reason
from .cancelling import OrderCanceller
from .context import CancellationContext
from .order_to_cancel import OrderToCancel
from .resolving import SETTLE

if TYPE_CHECKING:
    from ...client import AsyncTikTokShop

CONCURRENCY = 50
PATIENCE = 300.0

GivenOrder: TypeAlias = str | OrderToCancel | Mapping[str, Any]


def cancel_orders(
    client: AsyncTikTokShop,
    orders: Iterable[GivenOrder] | AsyncIterable[GivenOrder],
    *,
    reason: str | None = None,
    preflight: bool = True,
    concurrency: int = CONCURRENCY,
    journal: JournalPlace | None = None,
    progress: OnProgress | None = None,
    stop_on: Callable[[CancelOutcome], object] | None = None,
    ordered: bool = False,
    patience: float = PATIENCE,
    settle: float = SETTLE,
    wait_for_pending: float = 0.0,
    drain: float = DRAIN,
) -> Batch[CancelOutcome]:
    """Cancel orders as their seller, and give a `CancelOutcome` for each.

    No order is cancelled twice: a request whose answer was lost is looked up before it is sent
    again, and with a journal that holds over restarts and for several processes.

    Args:
        orders: Order ids, or `OrderToCancel` (mappings of its fields, too) for parts of orders and
            for reasons of their own. An order, or a part, that comes again is sent once.
        reason: For all orders without their own: an intent, see `CancelReason`, which the service's
            list turns into a name for each order's status; or the exact name of a reason.
        preflight: Look orders up first, 50 in a call, and leave out what is cancelled already or
            handed over. Without it the service decides about each.
        concurrency: How many are in flight at once.
        journal: Makes the batch resumable: the path of a SQLite file, or a `SQLJournal`.
        progress: Is told how far it is, at most ten times a second and in the end.
        stop_on: If it returns true for an outcome, no new order starts.
        ordered: Give the outcomes in the order of the input.
        patience: Seconds for which an order is tried again that is throttled, or whose service
            cannot be reached.
        settle: Seconds after which a request without an answer is no longer on its way.
        wait_for_pending: Seconds to wait for a pending cancellation to be decided.
        drain: Seconds that those in flight have to finish when the batch is closed early.
    """
    if reason is not None:
        reason = checked_reason(reason)
    for name, seconds in {
        "patience": patience,
        "settle": settle,
        "wait_for_pending": wait_for_pending,
    }.items():
        if not seconds >= 0:
            raise InvalidArgumentError(f"{name} is below 0.", argument=name)
    context = CancellationContext(
        client,
        preflight=preflight,
        patience=patience,
        settle=settle,
        wait_for_pending=wait_for_pending,
    )
    canceller = OrderCanceller(context, reason)
    if isinstance(orders, str | OrderToCancel | Mapping):
        raise InvalidArgumentError(
            "orders must be an iterable of orders, not one order.",
            argument="orders",
            hint="Pass [order].",
        )
    if isinstance(orders, Collection):
        for given in orders:  # before anything is sent
            if reason is None or not given or not isinstance(given, str):
                canceller.validate(given)
    return Batch(
        canceller.cancel,
        orders,
        concurrency=concurrency,
        ordered=ordered,
        drain=drain,
        key=lambda given: OrderToCancel.of(given).key,
        journal=journal,
        progress=progress,
        stop_on=stop_on,
    )
