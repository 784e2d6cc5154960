"""What an application is told about its authorizations, beside the answers to its calls."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

import attrs

from .._internal.callbacks import Callback

logger = logging.getLogger("tiktok_shop_async.auth")


@attrs.frozen(kw_only=True)
class AuthEvent:
    """Something that happened to an authorization; nothing in it is secret."""

    open_id: str
    seller_name: str = ""


@attrs.frozen(kw_only=True)
class TokenRefreshed(AuthEvent):
    """A new token is in force, and in the store."""

    expires_at: datetime


@attrs.frozen(kw_only=True)
class RefreshFailed(AuthEvent):
    """A refresh failed; the next calls try again, and go out while the old token lasts."""

    reason: str


@attrs.frozen(kw_only=True)
class TokenNotStored(AuthEvent):
    """A new token is in force here and nowhere else: the store could not be written."""

    reason: str


@attrs.frozen(kw_only=True)
class ReauthorizationRequired(AuthEvent):
    """The seller has to authorize the app again; until then every call is refused.

    Each process that finds it out by a refresh tells it.
    """

    reason: str
    authorization_url: str | None


@attrs.frozen(kw_only=True)
class AuthorizationExpiring(AuthEvent):
    """The authorization ends soon (webhook 7); only the seller can extend it."""

    expires_at: datetime | None
    authorization_url: str | None


EventHandler: TypeAlias = Callable[[AuthEvent], Awaitable[object] | object]


class Announcer:
    """Logs events and notifies the application, whose own exceptions are logged only.

    A handler that is a coroutine function runs as a task of its own: it may make calls, and so wait
    for the very refresh that it is notified of.
    """

    def __init__(self, handler: EventHandler | None) -> None:
        self._handler = (
            None if handler is None else Callback(handler, "on_event", logger, describe=str)
        )

    def tell(self, event: AuthEvent) -> None:
        """Announce an event."""
        level = logging.INFO if isinstance(event, TokenRefreshed) else logging.WARNING
        logger.log(level, "%s", event)
        if self._handler is not None:
            self._handler(event)

    async def settle(self) -> None:
        """Wait for the handlers that are running."""
        if self._handler is not None:
            await self._handler.settle()
