"""Whether the request of an attempt may have been sent, which errors alone cannot say."""

from __future__ import annotations

from typing import Any

import httpx

DELIVERY = "tiktok_shop_async.delivery"
"""The name of a request's extension that holds its `Delivery`."""


class Delivery:
    """The progress of one request: whether any of its bytes has been written.

    The pipeline sets ``maybe_sent`` when it passes the request to a transport. A transport that
    knows better clears it, and sets it right before it writes the first byte. So a transport that
    knows nothing of this counts as one that may have sent the request.
    """

    __slots__ = ("maybe_sent",)

    def __init__(self) -> None:
        self.maybe_sent = False

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Follow httpcore, whose ``trace`` extension this is."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.maybe_sent = True


def delivery_of(request: httpx.Request) -> Delivery:
    """Return the delivery of a request; a new one if somebody else made the request."""
    found: Delivery | None = request.extensions.get(DELIVERY)
    return Delivery() if found is None else found


def trace_delivery(request: httpx.Request) -> httpx.Request:
    """Have httpx's own transport say when it begins to write ``request``."""
    delivery = delivery_of(request)
    delivery.maybe_sent = False
    request.extensions = {**request.extensions, "trace": delivery.trace}
    return request
