"""The result of a cancellation, decided from the shop's records without calls or waits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from ...errors import TikTokShopError
from .order_to_cancel import OrderToCancel

if TYPE_CHECKING:
    from ...models.order import Order
    from ...models.return_refund import Cancellation

ResolutionStatus: TypeAlias = Literal["confirmed", "pending", "not_done", "unknown"]

CLOCK_ALLOWANCE = 31.0
"""Seconds by which our clock may be ahead of the service's, whose times are whole seconds.

The service rejects signatures that are more than 30 seconds ahead.
"""

CANCELLED_STATUSES = frozenset({"CANCELLED", "CANCEL", "CALCELLED"})
"""The service's documents contain all three spellings."""

HANDED_OVER = frozenset({"IN_TRANSIT", "DELIVERED", "COMPLETED"})
"""Statuses in which a seller cannot cancel, in any region."""

PACKED = HANDED_OVER | {"AWAITING_COLLECTION"}
"""Statuses in which a seller may not be able to cancel, depending on the region."""

_SUCCESS = frozenset({"CANCELLATION_REQUEST_SUCCESS", "CANCELLATION_REQUEST_COMPLETE"})
_DROPPED = frozenset({"CANCELLATION_REQUEST_CANCEL", "CANCELLATION_REQUEST_CANCELLED"})

State: TypeAlias = Literal["completed", "pending", "dropped"]


@attrs.frozen(kw_only=True)
class Resolution:
    """The result of a cancellation according to the shop's records."""

    order_id: str
    status: ResolutionStatus
    """``"not_done"``: the request cancelled nothing, or its cancellation was withdrawn."""
    evidence: str
    """The evidence for the status, as a sentence."""
    cancel_id: str | None = None
    order_status: str | None = None
    ours: bool | None = None
    """Whether the cancellation seems to be that of the request; None if it cannot be known."""
    role: str | None = None
    """Who requested the cancellation: SELLER, BUYER, SYSTEM or OPERATOR."""
    create_time: int | None = None
    """The time of the cancellation request, in Unix seconds."""
    withdrawn: bool = False
    """True if the request was processed and its cancellation rejected or withdrawn since."""
    error: TikTokShopError | None = attrs.field(default=None, eq=False)
    """The error that left the result unknown."""


def judge(
    target: OrderToCancel,
    order: Order | None,
    cancellations: Sequence[Cancellation],
    *,
    sent_at: float | None,
) -> Resolution:
    """Return the result of a request, decided from an order and all its cancellations."""
    records = _Records(target, order, cancellations, sent_at)
    ours = records.find_ours()
    if order is not None and order.status in CANCELLED_STATUSES:
        return records.order_cancelled(ours)
    if ours is not None and state_of(ours) != "dropped":
        return records.cancelled_by(ours, is_ours=True)
    if not target.skus:  # equal units that others cancelled are not the requested ones
        covered = records.cancelled_by_others()
        if covered is not None:
            return covered
    unlisted = records.find_unlisted()
    if unlisted is not None:
        return records.resolution(
            "unknown",
            f"The cancellation {unlisted.cancel_id} does not list its line items.",
            unlisted,
        )
    if ours is not None:
        return records.resolution(
            "not_done",
            f"{ours.cancel_id} was created, and rejected or withdrawn since: {_describe(ours)}",
            ours,
            is_ours=True,
            withdrawn=True,
        )
    return records.nothing_found()


def state_of(cancellation: Cancellation) -> State:
    """Return the state of a cancellation."""
    return state_of_status(cancellation.cancel_status)


def state_of_status(cancel_status: str | None) -> State:
    """Return the state for a status; an unknown status counts as pending."""
    if cancel_status in _SUCCESS:
        return "completed"
    return "dropped" if cancel_status in _DROPPED else "pending"


def is_of_buyer(cancellation: Cancellation) -> bool:
    """Return whether the buyer requested the cancellation."""
    if cancellation.role is None:
        return cancellation.cancel_type == "BUYER_CANCEL"
    return cancellation.role == "BUYER"


def line_ids(cancellation: Cancellation) -> set[str]:
    """Return the ids of the line items of a cancellation."""
    return {
        line.order_line_item_id
        for line in cancellation.cancel_line_items
        if line.order_line_item_id
    }


_RANK: Mapping[State, int] = {"completed": 2, "pending": 1, "dropped": 0}


class _Records:
    """The shop's records of an order to cancel."""

    def __init__(
        self,
        target: OrderToCancel,
        order: Order | None,
        cancellations: Sequence[Cancellation],
        sent_at: float | None,
    ) -> None:
        self._target = target
        self._order = order
        self._cancellations = cancellations
        self._since = None if sent_at is None else int(sent_at - CLOCK_ALLOWANCE)

    def find_ours(self) -> Cancellation | None:
        """Return the cancellation that the request seems to have created, the most advanced one."""
        return self._most_advanced(
            each for each in self._cancellations if self._may_be_ours(each) and self._covers(each)
        )

    def cancelled_by_others(self) -> Resolution | None:
        """Return the resolution if others cancelled the whole target; otherwise None."""
        completed = {
            line.id
            for line in (self._order.line_items if self._order else ())
            if line.id and line.display_status in CANCELLED_STATUSES
        }
        pending: set[str] = set()
        for each in self._cancellations:
            if state_of(each) == "completed":
                completed |= line_ids(each)
            elif state_of(each) == "pending" and not is_of_buyer(each):
                pending |= line_ids(each)
        lines = self._target_lines()
        if not lines or not lines <= completed | pending:
            return None
        left = lines - completed
        concerned = [each for each in self._cancellations if line_ids(each) & (left or lines)]
        return self.cancelled_by(self._most_advanced(concerned), is_ours=False, completed=not left)

    def order_cancelled(self, ours: Cancellation | None) -> Resolution:
        """Return the resolution of an order that is cancelled, whoever requested it."""
        is_ours = ours is not None and state_of(ours) != "dropped"
        by = ours if is_ours else self._most_advanced(self._cancellations)
        if by is None:
            return self.resolution(
                "confirmed", "The order is CANCELLED; no cancellation of it is on record."
            )
        return self.resolution(
            "confirmed", f"The order is CANCELLED, by {_describe(by)}", by, is_ours=is_ours
        )

    def cancelled_by(
        self, by: Cancellation | None, *, is_ours: bool, completed: bool | None = None
    ) -> Resolution:
        """Return the resolution for a cancellation that was not withdrawn."""
        if completed is None:
            completed = by is not None and state_of(by) == "completed"
        finding = (
            "Everything requested is cancelled" if completed else "The cancellation is pending"
        )
        evidence = f"{finding}, by {_describe(by)}" if by else f"{finding}."
        status: ResolutionStatus = "confirmed" if completed else "pending"
        return self.resolution(status, evidence, by, is_ours=is_ours)

    def find_unlisted(self) -> Cancellation | None:
        """Return a cancellation that may be that of the request but lists no line items."""
        return next(
            (
                each
                for each in self._cancellations
                if self._may_be_ours(each) and not line_ids(each) and state_of(each) != "dropped"
            ),
            None,
        )

    def nothing_found(self) -> Resolution:
        """Return that the request cancelled nothing, with what is on record instead."""
        if self._order is None:
            return self.resolution(
                "not_done", "The shop has neither this order nor a cancellation of it."
            )
        found = (
            f"The order is {self._order.status}, and none of its cancellations is this request's"
        )
        request = next(
            (
                each
                for each in self._cancellations
                if is_of_buyer(each) and state_of(each) == "pending"
            ),
            None,
        )
        if request is not None:
            found += f"; the buyer's request {request.cancel_id} awaits your decision"
        return self.resolution("not_done", f"{found}.")

    def resolution(
        self,
        status: ResolutionStatus,
        evidence: str,
        cancellation: Cancellation | None = None,
        *,
        is_ours: bool | None = None,
        withdrawn: bool = False,
    ) -> Resolution:
        """Return a resolution with the details of a cancellation."""
        if self._since is None:
            is_ours = None  # it may be an older one
        elif is_ours is not None:
            evidence = evidence.rstrip(".") + f", which {_WHOSE[is_ours]} this request's."
        return Resolution(
            order_id=self._target.order_id,
            status=status,
            evidence=evidence,
            cancel_id=cancellation.cancel_id if cancellation else None,
            order_status=self._order.status if self._order else None,
            ours=is_ours,
            role=cancellation.role if cancellation else None,
            create_time=cancellation.create_time if cancellation else None,
            withdrawn=withdrawn,
        )

    def _may_be_ours(self, cancellation: Cancellation) -> bool:
        """Return whether a seller requested it, and not before the request was sent."""
        if cancellation.role not in ("SELLER", None) or is_of_buyer(cancellation):
            return False
        created = cancellation.create_time
        return self._since is None or created is None or created >= self._since

    def _covers(self, cancellation: Cancellation) -> bool:
        """Return whether a cancellation covers the whole target."""
        if self._target.skus:
            # Exactly these units: among equal units, any other number belongs to another request.
            units = Counter(line.sku_id for line in cancellation.cancel_line_items)
            return units == self._target.skus
        covered = line_ids(cancellation)
        if self._since is None or not self._target.is_whole:
            return bool(covered) and covered.issuperset(self._target_lines())
        # It was requested for everything that was left; without a list it counts as that.
        in_other_cancellations = [
            line_ids(each) for each in self._cancellations if _was_live(each, cancellation)
        ]
        left = self._target_lines().difference(self._packed(), *in_other_cancellations)
        return not covered or covered.issuperset(left)

    def _packed(self) -> set[str | None]:
        """Return the line items that may stay uncancelled when the order is cancelled."""
        lines = self._order.line_items if self._order else ()
        return {line.id for line in lines if line.display_status in PACKED}

    def _target_lines(self) -> set[str]:
        if self._target.order_line_item_ids:
            return set(self._target.order_line_item_ids)
        return {line.id for line in (self._order.line_items if self._order else ()) if line.id}

    @staticmethod
    def _most_advanced(cancellations: Iterable[Cancellation]) -> Cancellation | None:
        return max(
            cancellations,
            key=lambda each: (_RANK[state_of(each)], each.create_time or 0),
            default=None,
        )


_WHOSE = {True: "seems to be", False: "is not"}


def _was_live(other: Cancellation, cancellation: Cancellation) -> bool:
    """Return whether ``other`` held its line items when ``cancellation`` was created."""
    if other is cancellation:
        return False
    dropped_at, created = other.update_time, cancellation.create_time
    return state_of(other) != "dropped" or (
        dropped_at is not None and created is not None and dropped_at >= created
    )


def _describe(cancellation: Cancellation) -> str:
    """Return a description of a cancellation."""
    created = cancellation.create_time
    when = (
        "" if created is None else time.strftime(" of %Y-%m-%d %H:%M:%S UTC", time.gmtime(created))
    )
    role = cancellation.role or "unnamed"
    return f"the {role} cancellation {cancellation.cancel_id}{when}."
