"""The first page: time, credentials, shops, and what happened last."""

from __future__ import annotations

from itertools import islice

from starlette.responses import Response

from ..._internal.movable_clock import Movable, MovableClock
from ..control.routes import END_OF_TIME, orders_by_status
from ..control.sandbox_state import SandboxState
from ..domain.orders.lifecycle import NEXT
from ..domain.shop import Shop
from .faults import NAMES, conditions
from .forms import Form
from .pages import Page
from .rendering import date, duration
from .webhooks import event_name

LATEST_REQUESTS = 10
LATEST_DELIVERIES = 5
MAX_TOKENS = 20
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


def overview_page(page: Page) -> Response:
    """Return the page."""
    bench = page.bench
    clock = bench.clock
    return page.render(
        "overview",
        counts=_counts,
        apps=list(bench.market.apps.values()),
        movable=isinstance(clock, Movable),
        moved=clock.moved if isinstance(clock, MovableClock) else 0.0,
        units=list(UNITS),
        requests=list(islice(reversed(list(bench.requests)), LATEST_REQUESTS)),
        deliveries=list(islice(reversed(bench.webhooks.deliveries), LATEST_DELIVERIES)),
        event_name=event_name,
        faults=list(bench.faults),
        names=NAMES,
        conditions=conditions,
        settings=bench.limits.settings,
    )


def credential_page(page: Page, server: str) -> Response:
    """Return the page with all credentials, which other pages do not show."""
    market = page.bench.market
    tokens = list(market.tokens.values())
    return page.render(
        "overview",
        "credentials.html",
        server=server.rstrip("/"),
        apps=list(market.apps.values()),
        tokens=tokens[: -MAX_TOKENS - 1 : -1],
        hidden=max(0, len(tokens) - MAX_TOKENS),
    )


def advance_clock(bench: SandboxState, form: Form) -> str:
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
    if bench.clock() + seconds > END_OF_TIME:
        raise ValueError(f"The clock must stay before {date(END_OF_TIME)} UTC.")
    bench.move_clock(seconds)
    return f"Clock advanced by {duration(seconds)}."


def reset(bench: SandboxState, form: Form) -> str:
    """Return the sandbox to its initial state, once that was confirmed."""
    if form.text("confirmed") != "yes":
        raise ValueError("Confirm the reset first.")
    bench.reset()
    return "The sandbox is in its initial state."


def _counts(shop: Shop) -> dict[str, int]:
    """Return how many orders each status has, in the order of an order's life."""
    counts = orders_by_status(shop)
    return {status: counts[status] for status in NEXT if status in counts}
