"""The overview page: clock, credentials, shops, and the latest requests and webhooks."""

from __future__ import annotations

from itertools import islice

from starlette.responses import Response

from ..._internal.movable_clock import MovableClock
from ..domain.entities.lifecycle import NEXT, count_by_status
from ..domain.shop import Shop
from ..state.sandbox_state import END_OF_TIME, SandboxState
from .fault_page import NAMES, conditions
from .forms import Form
from .pages import Page
from .rendering import date, duration
from .webhook_page import event_name

LATEST_REQUESTS = 10
LATEST_DELIVERIES = 5
MAX_TOKENS = 20
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


def overview_page(page: Page) -> Response:
    """Return the page."""
    state = page.state
    return page.render(
        "overview",
        counts=_counts,
        apps=list(state.market.apps.values()),
        movable=state.movable is not None,
        moved=state.movable.moved if isinstance(state.movable, MovableClock) else 0.0,
        units=list(UNITS),
        requests=list(islice(reversed(list(state.requests)), LATEST_REQUESTS)),
        deliveries=list(islice(reversed(state.webhooks.deliveries), LATEST_DELIVERIES)),
        event_name=event_name,
        faults=list(state.faults),
        names=NAMES,
        conditions=conditions,
        settings=state.limits.settings,
    )


def credential_page(page: Page, server: str) -> Response:
    """Return the page with all credentials, which other pages mask."""
    market = page.state.market
    tokens = list(market.tokens.values())
    return page.render(
        "overview",
        "credentials.html",
        server=server.rstrip("/"),
        apps=list(market.apps.values()),
        tokens=tokens[: -MAX_TOKENS - 1 : -1],
        hidden=max(0, len(tokens) - MAX_TOKENS),
    )


def advance_clock(state: SandboxState, form: Form) -> str:
    """Advance the clock by a number of units, or by the seconds of a button."""
    seconds = form.whole("seconds", "Time")
    if seconds is None:
        unit = UNITS.get(form.text("unit"))
        if unit is None:
            raise ValueError(f"Unit must be one of {', '.join(UNITS)}.")
        amount = form.whole("amount", "Time")
        if amount is None:
            raise ValueError("Enter how far to advance the clock.")
        seconds = amount * unit
    if state.clock.time() + seconds > END_OF_TIME:
        raise ValueError(f"The clock must stay before {date(END_OF_TIME)} UTC.")
    state.move_clock(seconds)
    return f"Clock advanced by {duration(seconds)}."


def reset(state: SandboxState, form: Form) -> str:
    """Reset the sandbox to its initial state, if the form confirms it."""
    if form.text("confirmed") != "yes":
        raise ValueError("Confirm the reset first.")
    state.reset()
    return "The sandbox is in its initial state."


def _counts(shop: Shop) -> dict[str, int]:
    """Return how many orders have each status, in the order of the life cycle."""
    counts = count_by_status(shop.orders.values())
    return {status: counts[status] for status in NEXT if status in counts}
