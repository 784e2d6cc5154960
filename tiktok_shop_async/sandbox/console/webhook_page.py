"""The page of webhooks: deliveries, subscriptions, and a form to fire events."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ...spec.shapes import webhook_shape, webhook_types
from ..inputs.json_input import read_json
from ..state.sandbox_state import SandboxState
from ..webhook_sender import Delivery
from .forms import Form
from .pages import Page, slice_of
from .rendering import indented, plural, words

PAGE_SIZE = 50
STATES = ("sending", "waiting", "delivered", "given up", "cancelled", "dropped")


def webhook_page(page: Page) -> Response:
    """Return the page."""
    webhooks, chosen = page.state.webhooks, page.query.get("state", "")
    deliveries = [each for each in reversed(webhooks.deliveries) if chosen in ("", each.state)]
    shown, number, pages = slice_of(deliveries, page.number("page"), PAGE_SIZE)
    selected = page.query.get("selected", "")
    return page.render(
        "webhooks",
        deliveries=shown,
        found=len(deliveries),
        total=len(webhooks.deliveries),
        number=number,
        pages=pages,
        state=chosen,
        states=STATES,
        selected=selected,
        event_name=event_name,
        body_of=body_of,
        events={number: event_name(number) for number in webhook_types()},
        default_url=webhooks.default_url,
        subscriptions=list(page.state.market.subscriptions),
    )


def event_name(number: int) -> str:
    """Return the number and name of an event."""
    return f"{number} {words(webhook_shape(number)['name'])}"


def body_of(delivery: Delivery) -> str:
    """Return the indented body of a delivery."""
    return indented(delivery.body.decode("utf-8", "replace"))


def fire_event(state: SandboxState, form: Form) -> str:
    """Fire an event."""
    number = form.whole("type", "Event")
    deliveries = state.webhooks.fire(
        number or 0, _data(form.text("data")), shop_id=form.text("shop") or None
    )
    if not deliveries:
        raise LookupError(
            "This event has no receiver: subscribe to it with event.update_shop_webhook, or start "
            "the sandbox with --webhook-url."
        )
    return f"{event_name(number or 0)} sent to {plural(len(deliveries), 'receiver')}."


def resend(state: SandboxState, form: Form) -> str:
    """Attempt a delivery again."""
    delivery = state.webhooks.resend(form.required("delivery"))
    return f"Attempt {len(delivery.attempts) + 1} started."


def _data(text: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        data = read_json(text.encode())
    except ValueError as error:
        reason = str(error).replace("the body", "it", 1)
        raise ValueError(f"Data must be a JSON object, but {reason}.") from None
    if not isinstance(data, dict):
        raise ValueError(f"Data must be a JSON object, not {type(data).__name__}.")
    return data
