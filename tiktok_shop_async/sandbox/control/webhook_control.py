"""The control endpoint that fires webhooks and lists their deliveries."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..inputs.json_input import shortened
from ..state.sandbox_state import SandboxState
from ..webhook_delivery import Webhooks
from ..webhook_sender import Delivery
from .control_input import json_object
from .control_routes import json_errors

_MAX_ID = 255


def webhook_control_routes(state: SandboxState) -> list[Route]:
    """Return the route, for a mount at ``/_sandbox``.

    POST fires an event, GET lists the latest deliveries.
    """
    webhooks = state.webhooks

    async def respond(request: Request) -> Response:
        is_post = request.method == "POST"
        deliveries = await _fire(webhooks, request) if is_post else webhooks.deliveries
        return JSONResponse({"deliveries": [_document(delivery) for delivery in deliveries]})

    return [Route("/events", json_errors(respond), methods=["GET", "POST"])]


async def _fire(webhooks: Webhooks, request: Request) -> list[Delivery]:
    # Browsers let pages of other sites send this type only after a preflight request.
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise ValueError(
            f"the content type must be application/json, not {shortened(content_type)}"
        )
    body = await json_object(request, ("type", "data", "shop_id"), '{"type": 1, "data": {}}')
    event_type, data, shop_id = body.get("type"), body.get("data"), body.get("shop_id")
    if not isinstance(event_type, int | str) or isinstance(event_type, bool):
        raise ValueError(
            f"type must be the number or name of an event, not {shortened(event_type)}"
        )
    if not isinstance(data, dict | None):
        raise ValueError(f"data must be an object, not {shortened(data)}")
    if not isinstance(shop_id, str | None) or len(shop_id or "") > _MAX_ID:
        raise ValueError(
            f"shop_id must be a string of at most {_MAX_ID} characters, not {shortened(shop_id)}"
        )
    return webhooks.fire(event_type, data, shop_id=shop_id)


def _document(delivery: Delivery) -> dict[str, Any]:
    return {
        "type": delivery.event.type,
        "tts_notification_id": delivery.notification_id,
        "url": delivery.url,
        "state": delivery.state,
        "next_attempt": delivery.due,
        "attempts": [
            {
                "at": attempt.at,
                "http_status": attempt.http_status,
                "error": attempt.error,
                "response": attempt.response,
            }
            for attempt in delivery.attempts
        ],
    }
