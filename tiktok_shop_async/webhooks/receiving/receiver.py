"""A receiver that acknowledges deliveries once they are stored, and handles them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from ..._internal.closing import ClosedOnExit
from ...errors import (
    InvalidArgumentError,
    WebhookBodyError,
    WebhookError,
    WebhookExpiredError,
    WebhookSignatureError,
)
from ..changes import change_of, polled, sent
from ..event import WebhookEvent
from ..objects import Ordering
from ..stores.base import ClaimedEvent, NewEvent, WebhookStore
from ..stores.opening import open_store
from ..webhooks import Webhooks
from .asgi import MAX_BODY, RESPONSE_TIMEOUT, Receive, Scope, Send, serve_http, serve_lifespan
from .dispatcher import Dispatcher, DispatchOptions
from .handlers import Handlers

if TYPE_CHECKING:
    from ...auth import Authorizations

logger = logging.getLogger("tiktok_shop_async.webhooks")

A = TypeVar("A", bound=WebhookEvent)
B = TypeVar("B", bound=WebhookEvent)
C = TypeVar("C", bound=WebhookEvent)
H = TypeVar("H", bound=Callable[..., object])
R = TypeVar("R")

REJECTION_LOG_INTERVAL = 60.0
"""Seconds between two messages about rejected deliveries, which anyone can send: they must not fill
the disk."""


class WebhookReceiver(ClosedOnExit):
    """An ASGI application that receives the platform's deliveries.

    Mount it in Starlette, FastAPI or Litestar, or serve it by itself. A delivery is acknowledged
    once it is stored; handlers run afterwards. The response is 401 if the signature is missing or
    does not match, and 503 if storing failed, so that the platform retries. A repeated delivery is
    acknowledged and dropped. Enter it where the application starts (``async with receiver:``).
    """

    def __init__(
        self,
        webhooks: Webhooks,
        *,
        store: WebhookStore | str | PathLike[str] | None = None,
        authorizations: Authorizations | Iterable[Authorizations] = (),
        concurrency: int = 16,
        handler_timeout: float = 60.0,
        ordered: bool = False,
        skip_outdated: bool = False,
        pauses: Sequence[float] = (1.0, 10.0, 60.0, 600.0),
        lease: float = 60.0,
        max_body: int = MAX_BODY,
        drain_timeout: float = 10.0,
    ) -> None:
        """Create the receiver; it connects when it is entered, or at its first delivery.

        Args:
            webhooks: Verifies and parses deliveries. Its ``clock`` is used for waits, and for the
                times of a store in memory that is created here.
            store: The store of events and remembered ids. By default it is in memory, where a crash
                loses waiting events. A URL (``postgresql://…``, ``redis://…``) or the path of a
                SQLite file creates a store that is closed with the receiver; a store that you pass
                in is borrowed.
            authorizations: The `Authorizations` of each app; they are updated before handlers run
                when a seller deauthorizes the app, or an authorization expires soon.
            concurrency: How many events are handled at once in this process.
            handler_timeout: Seconds for a handler to handle an event.
            ordered: Handle the events of one object, such as an order, a return or a product, one
                after another in the order in which they were received. An event that fails delays
                the later ones until it is handled or dead-lettered. Use the same in all processes
                and pollers that share the store.
            skip_outdated: Drop an event if a later state of its object was already handled by an
                event of the same type; requires ``ordered``.
            pauses: Seconds before each further attempt to handle an event. If the last one fails,
                the event is dead-lettered.
            lease: Seconds after which another process may handle the events of a dead process.
            max_body: Maximum bytes of a delivery.
            drain_timeout: Seconds for handlers to end when the receiver is closed.
        """
        if concurrency < 1:
            raise InvalidArgumentError(
                f"concurrency must be at least 1, not {concurrency!r}.", argument="concurrency"
            )
        self.webhooks = webhooks
        self.store, self._owns_store = open_store(store, webhooks.clock)
        self._ordering = Ordering(ordered=ordered, skip_outdated=skip_outdated)
        self._handlers = Handlers(handler_timeout, threads=concurrency)
        self._options = DispatchOptions(concurrency=concurrency, lease=lease, pauses=tuple(pauses))
        self._max_body = max_body
        self._drain_timeout = drain_timeout
        self._dispatcher: Dispatcher | None = None
        self._is_closing = False
        self._rejection_logged_at = -REJECTION_LOG_INTERVAL
        self._unlogged_rejections = 0
        self._register_authorizations(authorizations)

    def __repr__(self) -> str:
        return f"<WebhookReceiver of {self.webhooks!r} with {self.store!r}>"

    # Handlers -------------------------------------------------------------------------------------

    @overload
    def on(self, kind: type[A], /) -> Callable[[Callable[[A], R]], Callable[[A], R]]: ...
    @overload
    def on(
        self, kind: type[A], other: type[B], /
    ) -> Callable[[Callable[[A | B], R]], Callable[[A | B], R]]: ...
    @overload
    def on(
        self, kind: type[A], other: type[B], third: type[C], /
    ) -> Callable[[Callable[[A | B | C], R]], Callable[[A | B | C], R]]: ...
    @overload
    def on(self, *kinds: type[WebhookEvent]) -> Callable[[H], H]: ...
    def on(self, *kinds: type[WebhookEvent]) -> Callable[[H], H]:
        """Register a function for all events of these classes; `WebhookEvent` means every event.

        A coroutine function runs in the event loop, any other function in a thread. It is called
        once for each event, and again with the same ``id`` after it failed or the process died.
        Several functions for an event run one after another; if one fails, all of them run again.
        """

        def register(handler: H) -> H:
            self._handlers.add(kinds, handler)
            return handler

        return register

    # Deliveries -----------------------------------------------------------------------------------

    async def receive(self, body: bytes, signature: str | bytes | None) -> HTTPStatus:
        """Store a delivery and return the status of the response, whose body is empty.

        For frameworks that cannot mount an ASGI application.

        Args:
            body: The request's body, byte for byte as it was received.
            signature: Its header ``Authorization``.
        """
        deadline = asyncio.get_running_loop().time() + RESPONSE_TIMEOUT
        return await self._accept(body, signature, deadline)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope: a request, or the lifespan of the server."""
        if scope["type"] == "http":
            await serve_http(scope, receive, send, self._accept, max_body=self._max_body)
        elif scope["type"] == "lifespan":
            await serve_lifespan(receive, send, self)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _accept(
        self, body: bytes, signature: str | bytes | None, deadline: float
    ) -> HTTPStatus:
        try:
            event = self.webhooks.verify_and_parse(body, signature)
        except (WebhookSignatureError, WebhookExpiredError) as error:
            self._log_rejection(error)
            return HTTPStatus.UNAUTHORIZED
        except WebhookBodyError as error:
            self._log_rejection(error)
            return HTTPStatus.BAD_REQUEST
        if self._is_closing:
            return HTTPStatus.SERVICE_UNAVAILABLE
        dispatcher = self._running_dispatcher()
        try:
            async with asyncio.timeout_at(deadline):
                is_new = await self.store.add(self._new_event(event))
        except Exception as error:  # a store of the user may raise anything
            logger.error(
                "storing event %s failed, and the platform will send it again: %s",
                event.id,
                error if isinstance(error, WebhookError) else repr(error),
            )
            return HTTPStatus.SERVICE_UNAVAILABLE
        if is_new:
            dispatcher.wake()
        return HTTPStatus.OK

    async def join(self) -> None:
        """Wait until all events acknowledged so far are handled or dead-lettered.

        This includes events that wait for their next attempt, and events that other processes with
        the same store handle. Limit it with `asyncio.timeout`. A handler must not call it, because
        it would wait for its own event.
        """
        await self.store.join()

    def _new_event(self, event: WebhookEvent) -> NewEvent:
        change = change_of(event)
        return NewEvent(
            id=event.id,
            body=event.raw,
            app_key=event.app_key,
            aliases=frozenset({sent(change)} if change else ()),
            unless=frozenset({polled(change)} if change else ()),
            **self._ordering.of(event),
        )

    async def _handle(self, claim: ClaimedEvent) -> None:
        event = self.webhooks.parse(claim.body, id=claim.id, app_key=claim.app_key)
        if not await self._handlers(event):
            logger.debug("no handler for event %s of type %s", event.id, event.type)

    # Lifetime -------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._is_closing = False
        self._running_dispatcher(is_entered=True)
        return self

    async def aclose(self) -> None:
        """Reject further deliveries, wait for handlers, and close the store unless it is borrowed.

        Events in memory that are due are handled first, within ``drain_timeout``.
        """
        self._is_closing = True
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None and dispatcher.loop is asyncio.get_running_loop():
            drain = not self.store.is_durable
            await dispatcher.stop(drain=drain, grace=self._drain_timeout)
        self._handlers.close()
        if not self.store.is_durable and (waiting := (await self.store.counts()).waiting):
            logger.error("%d events were not handled, and are lost", waiting)
        if self._owns_store and isinstance(self.store, ClosedOnExit):
            await self.store.aclose()

    def _running_dispatcher(self, *, is_entered: bool = False) -> Dispatcher:
        loop = asyncio.get_running_loop()
        if self._dispatcher is None or self._dispatcher.loop is not loop:
            if not is_entered:
                logger.warning(
                    "the receiver was not entered: it works, but is not closed at shutdown; "
                    "write `async with receiver:` in the application's lifespan"
                )
            self._dispatcher = Dispatcher(
                self.store,
                self._handle,
                self._options,
                self.webhooks.clock,
                overdue=lambda: self._handlers.overdue,
            )
        return self._dispatcher

    def _log_rejection(self, error: WebhookError) -> None:
        now = self.webhooks.clock.monotonic()
        if now - self._rejection_logged_at < REJECTION_LOG_INTERVAL:
            self._unlogged_rejections += 1
            return
        unlogged = self._unlogged_rejections
        more = f" ({unlogged} more since the last message)" if unlogged else ""
        logger.warning("rejected a delivery: %s%s", error, more)
        self._rejection_logged_at, self._unlogged_rejections = now, 0

    def _register_authorizations(
        self, authorizations: Authorizations | Iterable[Authorizations]
    ) -> None:
        each_app = (
            tuple(authorizations) if isinstance(authorizations, Iterable) else (authorizations,)
        )
        if not each_app:
            return
        from ..events import SellerDeauthorization, UpcomingAuthorizationExpiration

        async def apply(event: Any) -> None:
            for of_app in each_app:
                if event.app_key in (None, of_app.oauth.app_key):
                    await of_app.apply_webhook(event)

        self._handlers.add((SellerDeauthorization, UpcomingAuthorizationExpiration), apply)
