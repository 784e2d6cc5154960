"""The authorizations of an app: stored, refreshed in time, found by user or shop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from .._internal.clock import TimeSource, clock_of
from .._internal.closing import ClosedOnExit
from .._internal.secret import Secret
from .._internal.unpicklable import Unpicklable
from ..errors import InvalidArgumentError
from .authorization import Authorization
from .events import EventEmitter, EventHandler
from .oauth import TikTokShopOAuth
from .policy import REFRESH_MARGIN, RefreshPolicy
from .shops import ShopIndex
from .state import AuthState
from .stores.base import TokenStore
from .token import Token, UserType

SELLER_DEAUTHORIZATION = 6
UPCOMING_AUTHORIZATION_EXPIRATION = 7


class ReceivedEvent(Protocol):
    """A verified webhook event; `webhooks.WebhookEvent` is one."""

    @property
    def type(self) -> int | None:
        """The number of the event type."""
        ...

    @property
    def shop_id(self) -> str | None:
        """The shop that the event is about."""
        ...

    def json(self) -> Any:
        """Return the event as it was received."""
        ...


class Authorizations(ClosedOnExit, Unpicklable):
    """The authorizations of an app's sellers, creators and partners.

    Create one per process and app. All auth states, also those of other processes with the same
    store, share one refresh per authorization. Use it as an async context manager, or call `aclose`
    when done.
    """

    def __init__(
        self,
        oauth: TikTokShopOAuth,
        store: TokenStore,
        *,
        refresh_margin: timedelta = REFRESH_MARGIN,
        on_event: EventHandler | None = None,
        authorization_url: Callable[[Token], str | None] | None = None,
        clock: TimeSource = time.time,
        sleep: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        """Create the registry; the store is read at the first call.

        Args:
            refresh_margin: The time before its expiry at which an access token is replaced.
            on_event: Called with each `AuthEvent`; a coroutine function runs as a task.
            authorization_url: Returns the page for a seller who must authorize again, such as the
                ``/start`` of your `OAuthRoutes`. The default is the platform's page without a
                state, whose redirect `OAuthRoutes` rejects.
            clock: A `Clock`, or a function that returns Unix seconds.
            sleep: Waits between the attempts of a refresh, in place of the clock.
        """
        self._oauth = oauth
        self._policy = RefreshPolicy(
            oauth=oauth,
            store=store,
            shop_index=ShopIndex(store, oauth.app_key),
            margin=refresh_margin,
            events=EventEmitter(on_event),
            authorization_url=authorization_url or self._platform_page,
            clock=clock_of(clock, sleep),
        )
        self._by_open_id: dict[str, Authorization] = {}

    @property
    def oauth(self) -> TikTokShopOAuth:
        """The `TikTokShopOAuth` that exchanges and refreshes tokens."""
        return self._oauth

    async def add(self, token: Token) -> AuthState:
        """Store the token of a code exchange, in place of an earlier one of the same user."""
        if not token.open_id:
            raise InvalidArgumentError(
                "token must have an open_id: authorizations are stored by it.", argument="token"
            )
        await self._authorization(token.open_id).start(token)
        return self.auth(token.open_id)

    def auth(self, open_id: str, *, shop_cipher: str | None = None) -> AuthState:
        """Return the auth state of a user, whose token is read from the store when needed."""
        cipher = Secret(shop_cipher)
        del shop_cipher  # tracebacks can show local variables
        return AuthState(
            authorization=self._authorization(open_id), shop_cipher=cipher.optional("shop_cipher")
        )

    async def auth_of_shop(self, shop_id: str) -> AuthState | None:
        """Return the auth state of the seller of a shop; None if the seller is not known yet.

        The seller is known after a call for the shop by its id, or after `link_shop`.
        """
        authorization = await self._of_shop(shop_id)
        return None if authorization is None else AuthState(authorization=authorization)

    async def link_shop(self, shop_id: str, open_id: str) -> None:
        """Store the seller of a shop, for `auth_of_shop` and `apply_webhook`."""
        await self._policy.shop_index.link(shop_id, open_id)

    async def apply_webhook(self, event: ReceivedEvent | Mapping[str, Any]) -> bool:
        """Apply a verified webhook about an authorization; return False for any other event.

        Type 6, a withdrawal, emits `ReauthorizationRequired`; calls are rejected from now on, in
        other processes as soon as the service has rejected one. Type 7, an upcoming expiry, emits
        `AuthorizationExpiring`. A repeated delivery, or one from before a newer authorization, has
        no effect.
        """
        if not isinstance(event, Mapping):
            event = {**event.json(), "type": event.type, "shop_id": event.shop_id}
        kind = event.get("type")
        if kind not in (SELLER_DEAUTHORIZATION, UPCOMING_AUTHORIZATION_EXPIRATION):
            return False
        authorization = await self._of_shop(str(event.get("shop_id", "")))
        if authorization is None:
            return False
        if kind == SELLER_DEAUTHORIZATION:
            await authorization.withdraw(_moment(event.get("timestamp")))
        else:
            data = event.get("data") or {}
            await authorization.emit_expiry(_moment(data.get("expiration_time")))
        return True

    async def aclose(self) -> None:
        """Wait for running refreshes and event handlers."""
        await asyncio.gather(*(each.aclose() for each in self._by_open_id.values()))
        await self._policy.events.settle()

    def _authorization(self, open_id: str) -> Authorization:
        if open_id not in self._by_open_id:
            self._by_open_id[open_id] = Authorization(self._oauth.app_key, open_id, self._policy)
        return self._by_open_id[open_id]

    async def _of_shop(self, shop_id: str) -> Authorization | None:
        open_id = await self._policy.shop_index.find(shop_id)
        return None if open_id is None else self._authorization(open_id)

    def _platform_page(self, token: Token) -> str | None:
        """Return the platform's page for a seller or partner; a creator's needs a state."""
        if not self._oauth.service_id or token.user_type == UserType.CREATOR:
            return None
        return self._oauth.authorization_url(
            role="partner" if token.user_type == UserType.PARTNER else "seller",
            region="us" if token.seller_base_region == "US" else "row",
        )


def _moment(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
