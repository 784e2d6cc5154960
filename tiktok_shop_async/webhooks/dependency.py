"""A verified event as a dependency of FastAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

try:
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
except ImportError as error:
    raise ImportError(
        "webhook_event is for FastAPI, which is not installed: pip install fastapi",
        name=error.name,
    ) from error

from ..errors import WebhookBodyError, WebhookExpiredError, WebhookSignatureError
from .asgi import MOST_BYTES
from .event import WebhookEvent
from .webhooks import Webhooks


def webhook_event(
    webhooks: Webhooks, *, max_body: int = MOST_BYTES
) -> Callable[[Request], Awaitable[WebhookEvent]]:
    """Return a dependency that gives the event of a request, verified and parsed.

    Write ``event: Annotated[WebhookEvent, Depends(webhook_event(webhooks))]``. It refuses the rest
    with 401, 400 or 413. It neither drops repeated deliveries nor answers before the endpoint has
    ended: `WebhookReceiver` does.
    """

    async def verified(request: Request) -> WebhookEvent:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > max_body:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            return webhooks.verify_and_parse(bytes(body), request.headers.get("authorization"))
        except (WebhookSignatureError, WebhookExpiredError):
            raise HTTPException(HTTPStatus.UNAUTHORIZED) from None
        except WebhookBodyError:
            raise HTTPException(HTTPStatus.BAD_REQUEST) from None

    return verified
