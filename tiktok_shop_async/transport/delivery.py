"""The record of whether a request may have been sent, which an error alone cannot tell."""

from __future__ import annotations

from typing import Any

import httpx

DELIVERY = "tiktok_shop_async.delivery"
"""The name of a request's extension that holds its `Delivery`."""


class Delivery:
    """The progress of one request: whether any of its bytes has been written.

    The pipeline sets ``maybe_sent`` when it passes the request to a transport. A transport that
    supports this class clears it, and sets it again right before it writes the first byte. Any
    other transport therefore counts as having sent the request.
    """

    __slots__ = ("maybe_sent",)

    def __init__(self) -> None:
        self.maybe_sent = False

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Set ``maybe_sent`` when httpcore starts to write; for its ``trace`` extension."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.maybe_sent = True


def delivery_of(request: httpx.Request) -> Delivery:
    """Return the delivery of a request; a new one if the request is not the pipeline's."""
    found: Delivery | None = request.extensions.get(DELIVERY)
    return Delivery() if found is None else found


def trace_delivery(request: httpx.Request) -> httpx.Request:
    """Make httpx's own transport report when it starts to write ``request``; return the request."""
    delivery = delivery_of(request)
    delivery.maybe_sent = False
    request.extensions = {**request.extensions, "trace": delivery.trace}
    return request
