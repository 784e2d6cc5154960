"""Attempts to send a webhook to a receiver."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import cache
from typing import Literal

import attrs
import httpx

from .._internal.redaction import excerpt
from .domain.shop_events import Event

RESPONSE_TIMEOUT = 3.0
MAX_RESPONSE_CHARACTERS = 500
"""Characters of a receiver's response that an attempt stores."""

State = Literal["sending", "waiting", "delivered", "given up", "cancelled", "dropped"]


@attrs.frozen
class Attempt:
    """An attempt: its start, and the receiver's response or an error."""

    at: float
    http_status: int | None = None
    error: str | None = None
    response: str = attrs.field(default="", repr=False)
    """The start of the response's body, with secrets masked."""


@attrs.define(eq=False)
class Delivery:
    """A webhook to one address, with its attempts."""

    notification_id: str
    event: Event
    app_key: str
    url: str
    body: bytes = attrs.field(repr=False)
    signature: str = attrs.field(repr=False)
    state: State = "sending"
    due: float | None = None
    """Time of the next attempt in Unix seconds, in the state ``waiting``."""
    attempts: list[Attempt] = attrs.field(factory=list)


class WebhookSender:
    """A sender of webhooks over one HTTP client, which exists only while it is needed."""

    def __init__(self, secrets: Callable[[], tuple[str, ...]]) -> None:
        self._secrets = secrets
        self._http: httpx.AsyncClient | None = None

    async def attempt(
        self, delivery: Delivery, now: float, transport: httpx.AsyncBaseTransport | None
    ) -> Attempt:
        """Send a delivery once and return the outcome; a new client uses the transport."""
        headers = {"Authorization": delivery.signature, "Content-Type": "application/json"}
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                response = await self._client(transport).post(
                    delivery.url, content=delivery.body, headers=headers
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            return Attempt(now, error=f"{type(error).__name__}: {error}".rstrip(": "))
        return Attempt(
            now,
            http_status=response.status_code,
            response=excerpt(response.content, self._secrets(), MAX_RESPONSE_CHARACTERS),
        )

    async def aclose(self) -> None:
        """Close the client; the next attempt opens another one."""
        if self._http is not None:
            http, self._http = self._http, None
            await http.aclose()

    def _client(self, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
        if self._http is None:
            # A proxy from the environment could not reach a receiver on this machine.
            self._http = httpx.AsyncClient(
                transport=transport, verify=_tls(), timeout=RESPONSE_TIMEOUT, trust_env=False
            )
        return self._http


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()
