"""Events about authorizations, and the emitter that passes them to the application."""

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
    """An event about an authorization; it contains no secrets."""

    open_id: str
    seller_name: str = ""


@attrs.frozen(kw_only=True)
class TokenRefreshed(AuthEvent):
    """A new token is in force and stored."""

    expires_at: datetime


@attrs.frozen(kw_only=True)
class RefreshFailed(AuthEvent):
    """A refresh failed; the next calls try again, and use the old token until it expires."""

    reason: str


@attrs.frozen(kw_only=True)
class TokenNotStored(AuthEvent):
    """A new token is in force in this process only: writing it to the store failed."""

    reason: str


@attrs.frozen(kw_only=True)
class ReauthorizationRequired(AuthEvent):
    """The seller must authorize the app again; until then every call is rejected.

    Each process whose refresh fails for this reason emits it.
    """

    reason: str
    authorization_url: str | None


@attrs.frozen(kw_only=True)
class AuthorizationExpiring(AuthEvent):
    """The authorization ends soon (webhook 7); only the seller can renew it."""

    expires_at: datetime | None
    authorization_url: str | None


EventHandler: TypeAlias = Callable[[AuthEvent], Awaitable[object] | object]


class EventEmitter:
    """An emitter that logs events and calls the application's handler.

    Exceptions of the handler are only logged. A coroutine function as handler runs as a task: it
    may make calls, which may wait for the same refresh.
    """

    def __init__(self, handler: EventHandler | None) -> None:
        self._handler = (
            None if handler is None else Callback(handler, "on_event", logger, describe=str)
        )

    def emit(self, event: AuthEvent) -> None:
        """Log an event and call the handler."""
        level = logging.INFO if isinstance(event, TokenRefreshed) else logging.WARNING
        logger.log(level, "%s", event)
        if self._handler is not None:
            self._handler(event)

    async def settle(self) -> None:
        """Wait for running handlers."""
        if self._handler is not None:
            await self._handler.settle()
