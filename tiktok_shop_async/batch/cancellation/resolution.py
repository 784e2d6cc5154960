"""What became of a cancellation, decided from what the shop has on record; no calls, no waits."""

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

It takes no signature that is more than 30 seconds ahead, so no request that it carried out was.
"""

CANCELLED_STATUSES = frozenset({"CANCELLED", "CANCEL", "CALCELLED"})
"""All three are in the service's documents."""

HANDED_OVER = frozenset({"IN_TRANSIT", "DELIVERED", "COMPLETED"})
"""Statuses in which no seller can cancel, in any region."""

PACKED = HANDED_OVER | {"AWAITING_COLLECTION"}
"""With the last one it depends on the region."""

_SUCCESS = frozenset({"CANCELLATION_REQUEST_SUCCESS", "CANCELLATION_REQUEST_COMPLETE"})
_DROPPED = frozenset({"CANCELLATION_REQUEST_CANCEL", "CANCELLATION_REQUEST_CANCELLED"})

State: TypeAlias = Literal["through", "pending", "dropped"]


@attrs.frozen(kw_only=True)
class Resolution:
    """What became of a cancellation."""

    order_id: str
    status: ResolutionStatus
    """``"not_done"``: nothing was cancelled by it, or what was requested was withdrawn."""
    evidence: str
    """What the answer rests on, as a sentence."""
    cancel_id: str | None = None
    order_status: str | None = None
    ours: bool | None = None
    """Whether the cancellation seems to be the one that was sent; None if nothing tells."""
    role: str | None = None
    """Who asked for the cancellation: SELLER, BUYER, SYSTEM, OPERATOR."""
    create_time: int | None = None
    """When it was asked for, in Unix seconds."""
    withdrawn: bool = False
    """Whether it was carried out, and rejected or taken back since."""
    error: TikTokShopError | None = attrs.field(default=None, eq=False)
    """Why the outcome is still unknown."""


def judge(
    wanted: OrderToCancel,
    order: Order | None,
    cancellations: Sequence[Cancellation],
    *,
    sent_at: float | None,
) -> Resolution:
    """Decide what became of a request, from an order and all its cancellations."""
    records = _Records(wanted, order, cancellations, sent_at)
    ours = records.ours()
    if order is not None and order.status in CANCELLED_STATUSES:
        return records.order_cancelled(ours)
    if ours is not None and state_of(ours) != "dropped":
        return records.done_by(ours, is_ours=True)
    if not wanted.skus:  # of equal units, those that others cancelled are not the ones asked for
        covered = records.done_by_others()
        if covered is not None:
            return covered
    unlisted = records.unlisted()
    if unlisted is not None:
        return records.resolution(
            "unknown",
            f"The cancellation {unlisted.cancel_id} does not tell what it is of.",
            unlisted,
        )
    if ours is not None:
        return records.resolution(
            "not_done",
            f"{ours.cancel_id} was made, and rejected or withdrawn since: {_described(ours)}",
            ours,
            is_ours=True,
            withdrawn=True,
        )
    return records.nothing_found()


def state_of(cancellation: Cancellation) -> State:
    """Return how far a cancellation is."""
    return state_of_status(cancellation.cancel_status)


def state_of_status(cancel_status: str | None) -> State:
    """Return what a status means; one that nobody knows is not through."""
    if cancel_status in _SUCCESS:
        return "through"
    return "dropped" if cancel_status in _DROPPED else "pending"


def is_buyers(cancellation: Cancellation) -> bool:
    """Whether the buyer asked for it."""
    if cancellation.role is None:
        return cancellation.cancel_type == "BUYER_CANCEL"
    return cancellation.role == "BUYER"


def line_ids(cancellation: Cancellation) -> set[str]:
    """Return the line items that a cancellation is of."""
    return {
        line.order_line_item_id
        for line in cancellation.cancel_line_items
        if line.order_line_item_id
    }


_RANK: Mapping[State, int] = {"through": 2, "pending": 1, "dropped": 0}


class _Records:
    """What the shop has on record about an order that should be cancelled."""

    def __init__(
        self,
        wanted: OrderToCancel,
        order: Order | None,
        cancellations: Sequence[Cancellation],
        sent_at: float | None,
    ) -> None:
        self._wanted = wanted
        self._order = order
        self._cancellations = cancellations
        self._since = None if sent_at is None else int(sent_at - CLOCK_ALLOWANCE)

    def ours(self) -> Cancellation | None:
        """Return the cancellation that the request seems to have made: the one that is farthest."""
        return self._farthest(
            each for each in self._cancellations if self._may_be_ours(each) and self._covers(each)
        )

    def done_by_others(self) -> Resolution | None:
        """Return what there is to say if nothing is left to cancel; else None."""
        through = {
            line.id
            for line in (self._order.line_items if self._order else ())
            if line.id and line.display_status in CANCELLED_STATUSES
        }
        pending: set[str] = set()
        for each in self._cancellations:
            if state_of(each) == "through":
                through |= line_ids(each)
            elif state_of(each) == "pending" and not is_buyers(each):
                pending |= line_ids(each)
        wanted = self._lines_wanted()
        if not wanted or not wanted <= through | pending:
            return None
        left = wanted - through
        concerned = [each for each in self._cancellations if line_ids(each) & (left or wanted)]
        return self.done_by(self._farthest(concerned), is_ours=False, through=not left)

    def order_cancelled(self, ours: Cancellation | None) -> Resolution:
        """Return what there is to say of an order that is cancelled, whoever did it."""
        is_ours = ours is not None and state_of(ours) != "dropped"
        by = ours if is_ours else self._farthest(self._cancellations)
        if by is None:
            return self.resolution(
                "confirmed", "The order is CANCELLED; no cancellation of it is on record."
            )
        return self.resolution(
            "confirmed", f"The order is CANCELLED, by {_described(by)}", by, is_ours=is_ours
        )

    def done_by(
        self, by: Cancellation | None, *, is_ours: bool, through: bool | None = None
    ) -> Resolution:
        """Return what there is to say of a cancellation that is made, and not withdrawn."""
        if through is None:
            through = by is not None and state_of(by) == "through"
        what = "What was to be cancelled is cancelled" if through else "The cancellation is pending"
        evidence = f"{what}, by {_described(by)}" if by else f"{what}."
        status: ResolutionStatus = "confirmed" if through else "pending"
        return self.resolution(status, evidence, by, is_ours=is_ours)

    def unlisted(self) -> Cancellation | None:
        """Return a cancellation that may be the request's, of nobody knows what."""
        return next(
            (
                each
                for each in self._cancellations
                if self._may_be_ours(each) and not line_ids(each) and state_of(each) != "dropped"
            ),
            None,
        )

    def nothing_found(self) -> Resolution:
        """Return that nothing was done, and what is on record instead."""
        if self._order is None:
            return self.resolution("not_done", "The shop has no such order, and no cancellation.")
        found = f"The order is {self._order.status}, and no cancellation of it is this request's"
        request = next(
            (
                each
                for each in self._cancellations
                if is_buyers(each) and state_of(each) == "pending"
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
        """Return a resolution with the facts of a cancellation."""
        if self._since is None:
            is_ours = None  # it may as well be an older one
        elif is_ours is not None:
            evidence = evidence.rstrip(".") + f", which {_WHOSE[is_ours]} this request's."
        return Resolution(
            order_id=self._wanted.order_id,
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
        """Whether a seller asked for it, and not before the request was sent."""
        if cancellation.role not in ("SELLER", None) or is_buyers(cancellation):
            return False
        made = cancellation.create_time
        return self._since is None or made is None or made >= self._since

    def _covers(self, cancellation: Cancellation) -> bool:
        """Whether a cancellation is of all that was to be cancelled."""
        if self._wanted.skus:
            # Exactly these: of equal units any one may be another request's.
            units = Counter(line.sku_id for line in cancellation.cancel_line_items)
            return units == self._wanted.skus
        covered = line_ids(cancellation)
        if self._since is None or not self._wanted.is_whole:
            return bool(covered) and covered.issuperset(self._lines_wanted())
        # What it was made for is the whole that was left; without a list it is taken for that.
        spoken_for = [
            line_ids(each) for each in self._cancellations if _was_live(each, cancellation)
        ]
        left = self._lines_wanted().difference(self._packed(), *spoken_for)
        return not covered or covered.issuperset(left)

    def _packed(self) -> set[str | None]:
        """Return the line items that an order may keep when it is cancelled."""
        lines = self._order.line_items if self._order else ()
        return {line.id for line in lines if line.display_status in PACKED}

    def _lines_wanted(self) -> set[str]:
        if self._wanted.order_line_item_ids:
            return set(self._wanted.order_line_item_ids)
        return {line.id for line in (self._order.line_items if self._order else ()) if line.id}

    @staticmethod
    def _farthest(cancellations: Iterable[Cancellation]) -> Cancellation | None:
        return max(
            cancellations,
            key=lambda each: (_RANK[state_of(each)], each.create_time or 0),
            default=None,
        )


_WHOSE = {True: "seems to be", False: "is not"}


def _was_live(other: Cancellation, cancellation: Cancellation) -> bool:
    """Whether another cancellation kept its line items from one, when that was made."""
    if other is cancellation:
        return False
    dropped_at, made = other.update_time, cancellation.create_time
    return state_of(other) != "dropped" or (
        dropped_at is not None and made is not None and dropped_at >= made
    )


def _described(cancellation: Cancellation) -> str:
    """Return a cancellation in words."""
    made = cancellation.create_time
    when = "" if made is None else time.strftime(" of %Y-%m-%d %H:%M:%S UTC", time.gmtime(made))
    role = cancellation.role or "unnamed"
    return f"the {role} cancellation {cancellation.cancel_id}{when}."
