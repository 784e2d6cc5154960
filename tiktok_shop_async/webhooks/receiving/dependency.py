"""A verified event as a dependency of FastAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

try:
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
except ImportError as error:
    raise ImportError(
        "webhook_event is for FastAPI, which is not installed: pip install fastapi",
        name=error.name,
    ) from error

from ...errors import WebhookBodyError, WebhookExpiredError, WebhookSignatureError
from ..event import WebhookEvent
from ..webhooks import Webhooks
from .asgi import MOST_BYTES


def webhook_event(
    webhooks: Webhooks, *, max_body: int = MOST_BYTES
) -> Callable[[Request], Awaitable[WebhookEvent]]:
    """Return a dependency that gives the event of a request, verified and parsed.

    Write ``event: Annotated[WebhookEvent, Depends(webhook_event(webhooks))]``. Other requests are
    rejected with 401, 400, or 413 for a body of more than ``max_body`` bytes. The endpoint can read
    the body too. Repeated deliveries are not dropped, and the response is sent only when the
    endpoint has ended: use `WebhookReceiver` for that.
    """

    async def verified(request: Request) -> WebhookEvent:
        body = await _read_body(request, max_body)
        try:
            return webhooks.verify_and_parse(body, request.headers.get("authorization"))
        except (WebhookSignatureError, WebhookExpiredError):
            raise HTTPException(HTTPStatus.UNAUTHORIZED) from None
        except WebhookBodyError:
            raise HTTPException(HTTPStatus.BAD_REQUEST) from None

    return verified


async def _read_body(request: Request, max_body: int) -> bytes:
    """Return the body, and keep it in the request, as `Request.body` does for later readers."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > max_body:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None  # nobody receives the response
    body = b"".join(parts)
    request._body = body  # Starlette has no public way to limit the size and keep the body
    return body
