"""A FastAPI dependency that verifies and parses an event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

try:
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
except ImportError as error:
    raise ImportError(
        "webhook_event needs FastAPI: pip install fastapi",
        name=error.name,
    ) from error

from ...errors import WebhookBodyError, WebhookExpiredError, WebhookSignatureError
from ..event import WebhookEvent
from ..webhooks import Webhooks
from .asgi import MAX_BODY


def webhook_event(
    webhooks: Webhooks, *, max_body: int = MAX_BODY
) -> Callable[[Request], Awaitable[WebhookEvent]]:
    """Return a dependency that verifies a request and returns its event.

    Write ``event: Annotated[WebhookEvent, Depends(webhook_event(webhooks))]``. A request without a
    valid signature is rejected with 401, a malformed body with 400, and a body of more than
    ``max_body`` bytes with 413. The endpoint can read the body too. Repeated deliveries are not
    dropped, and the response is sent when the endpoint returns; `WebhookReceiver` drops them, and
    responds before an event is handled.
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
    """Return the body, and keep it in the request for later calls of `Request.body`."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > max_body:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None  # the client receives no response
    body = b"".join(parts)
    request._body = body  # Starlette has no public way to limit the size and keep the body
    return body
