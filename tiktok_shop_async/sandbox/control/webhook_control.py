"""The endpoint that sends webhooks by hand, and shows what was sent."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..json_input import shortened
from ..webhook_delivery import Delivery, Webhooks
from .control_input import json_object
from .routes import explained

_MAX_ID = 255


def firing_routes(webhooks: Webhooks) -> list[Route]:
    """Return the route, for a mount at ``/_sandbox``.

    POST fires an event, GET lists the latest deliveries.
    """

    async def answer(request: Request) -> Response:
        is_post = request.method == "POST"
        deliveries = await _fire(webhooks, request) if is_post else webhooks.deliveries
        return JSONResponse({"deliveries": [_document(delivery) for delivery in deliveries]})

    return [Route("/events", explained(answer), methods=["GET", "POST"])]


async def _fire(webhooks: Webhooks, request: Request) -> list[Delivery]:
    # A page of another site cannot send this type without being asked for leave first.
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
