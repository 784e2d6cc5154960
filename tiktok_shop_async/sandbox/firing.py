"""The endpoint that sends webhooks by hand, and shows what was sent."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .webhooks import Delivery, Webhooks


def firing_routes(webhooks: Webhooks) -> list[Route]:
    """Return the route, for a mount at ``/_sandbox``.

    POST fires an event, GET lists the latest deliveries.
    """

    async def answer(request: Request) -> Response:
        if request.method == "GET":
            deliveries = list(webhooks.deliveries)
        else:
            try:
                deliveries = _fire(webhooks, request, await request.body())
            except ValueError as error:
                return JSONResponse({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        return JSONResponse({"deliveries": [_document(delivery) for delivery in deliveries]})

    return [Route("/events", answer, methods=["GET", "POST"])]


def _fire(webhooks: Webhooks, request: Request, content: bytes) -> list[Delivery]:
    # A page of another site cannot send this type without being asked for leave first.
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise ValueError("application/json is needed")
    body = json.loads(content)
    if not isinstance(body, dict) or not isinstance(body.get("type"), int | str):
        raise ValueError('a JSON object with a "type" is needed')
    data, shop_id = body.get("data"), body.get("shop_id")
    if not isinstance(data, dict | None) or not isinstance(shop_id, str | None):
        raise ValueError("data must be an object, shop_id a string")
    return webhooks.fire(body["type"], data, shop_id=shop_id)


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
