"""Receives deliveries: acknowledges what is kept, and has it handled."""

from __future__ import annotations

import asyncio
import logging
import time
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
from .asgi import MOST_BYTES, SECONDS_TO_ANSWER, Receive, Scope, Send, serve_http, serve_lifespan
from .dispatcher import Dispatcher
from .handlers import Handlers

if TYPE_CHECKING:
    from ...auth import Authorizations

logger = logging.getLogger("tiktok_shop_async.webhooks")

A = TypeVar("A", bound=WebhookEvent)
B = TypeVar("B", bound=WebhookEvent)
C = TypeVar("C", bound=WebhookEvent)
H = TypeVar("H", bound=Callable[..., object])
R = TypeVar("R")

COMPLAIN_EVERY = 60.0
"""Seconds: anybody can send what is not signed, and must not fill the disk by that."""


class WebhookReceiver(ClosedOnExit):
    """An ASGI application that takes the platform's deliveries.

    Mount it in Starlette, FastAPI or Litestar, or serve it alone. A delivery is acknowledged once
    it is in the store, and handled from there, whatever the handlers do: 401 if it is not signed,
    503 if it could not be kept, so that the platform sends it again. A delivery that comes again
    is acknowledged and dropped. Enter it where the application starts (``async with receiver:``).
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
        max_body: int = MOST_BYTES,
        drain_timeout: float = 10.0,
    ) -> None:
        """Make the receiver; nothing is connected before it is entered, or gets a delivery.

        Args:
            store: Where events wait, and ids are remembered. In memory unless given, where a crash
                loses what waits; a URL (``postgresql://…``, ``redis://…``) or the path of a SQLite
                file makes a store that is closed with the receiver; one that you made is borrowed.
            authorizations: Hear first that a seller withdrew the app, or that an authorization
                ends soon: one for each app.
            concurrency: Events that are handled at once in this process.
            handler_timeout: Seconds for a handler to deal with an event.
            ordered: Handle the events of one object, such as an order, a return or a product, one
                after another in the order in which they were received. One that fails holds back
                the later ones until it is handled or a dead letter. Choose the same in all
                processes and pollers that share the store.
            skip_outdated: Drop an event that reports an older state of its object than one of the
                same kind that was handled; requires ``ordered``.
            pauses: Seconds before each further attempt to handle an event. After the last one it
                is a dead letter.
            lease: Seconds after which another process may handle what a dead one had.
            max_body: Bytes of a delivery at most.
            drain_timeout: Seconds for handlers to end when the receiver is closed.
        """
        if concurrency < 1:
            raise InvalidArgumentError("no event could be handled.", argument="concurrency")
        self.webhooks = webhooks
        self.store, self._owns_store = open_store(store)
        self._ordering = Ordering(ordered=ordered, skip_outdated=skip_outdated)
        self._handlers = Handlers(handler_timeout, threads=concurrency)
        self._concurrency = concurrency
        self._pauses = tuple(pauses)
        self._lease = lease
        self._max_body = max_body
        self._drain_timeout = drain_timeout
        self._dispatcher: Dispatcher | None = None
        self._is_closing = False
        self._complained_at = -COMPLAIN_EVERY
        self._not_said = 0
        self._apply_to(authorizations)

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
        """Let a function have all events of these classes; `WebhookEvent` stands for every event.

        A coroutine function runs in the event loop, any other one in a thread. It gets an event
        once, unless it fails or the process dies: then again, under the same ``id``. If there are
        several for an event they run one after another, and all of them again if one fails.
        """

        def register(handler: H) -> H:
            self._handlers.add(kinds, handler)
            return handler

        return register

    # Deliveries -----------------------------------------------------------------------------------

    async def receive(self, body: bytes, signature: str | bytes | None) -> HTTPStatus:
        """Take a delivery, and return the status to answer it with, and an empty body.

        For frameworks that mount no ASGI application.

        Args:
            body: The request's body, byte for byte as it came.
            signature: Its header ``Authorization``.
        """
        until = asyncio.get_running_loop().time() + SECONDS_TO_ANSWER
        return await self._take(body, signature, until)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live as long as the server."""
        if scope["type"] == "http":
            await serve_http(scope, receive, send, self._take, max_body=self._max_body)
        elif scope["type"] == "lifespan":
            await serve_lifespan(receive, send, self)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _take(self, body: bytes, signature: str | bytes | None, until: float) -> HTTPStatus:
        try:
            event = self.webhooks.verify_and_parse(body, signature)
        except (WebhookSignatureError, WebhookExpiredError) as error:
            self._complain(error)
            return HTTPStatus.UNAUTHORIZED
        except WebhookBodyError as error:
            self._complain(error)
            return HTTPStatus.BAD_REQUEST
        if self._is_closing:
            return HTTPStatus.SERVICE_UNAVAILABLE
        dispatcher = self._started()
        try:
            async with asyncio.timeout_at(until):
                is_new = await self.store.add(self._new_event(event))
        except Exception as error:  # also of stores that others wrote
            logger.error(
                "event %s could not be kept, and will be sent again: %s",
                event.id,
                error if isinstance(error, WebhookError) else repr(error),
            )
            return HTTPStatus.SERVICE_UNAVAILABLE
        if is_new:
            dispatcher.wake()
        return HTTPStatus.OK

    async def join(self) -> None:
        """Wait until all events that were acknowledged before are handled or are dead letters.

        This includes what waits between attempts, and what other processes with the same store
        handle. Limit it with `asyncio.timeout`. A handler must not call it: it would wait for its
        own event.
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
            logger.debug("there is no handler for event %s of type %s", event.id, event.type)

    # Lifetime -------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._is_closing = False
        self._started(is_entered=True)
        return self

    async def aclose(self) -> None:
        """Take nothing more, let handlers end, and close the store unless it is borrowed.

        What waits in memory is handled before, as far as it is due and time allows.
        """
        self._is_closing = True
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None and dispatcher.loop is asyncio.get_running_loop():
            drain = not self.store.is_durable
            await dispatcher.stop(drain=drain, patience=self._drain_timeout)
        self._handlers.close()
        if not self.store.is_durable and (waiting := (await self.store.counts()).waiting):
            logger.error("%d events were not handled, and are lost", waiting)
        if self._owns_store and isinstance(self.store, ClosedOnExit):
            await self.store.aclose()

    def _started(self, *, is_entered: bool = False) -> Dispatcher:
        loop = asyncio.get_running_loop()
        if self._dispatcher is None or self._dispatcher.loop is not loop:
            if not is_entered:
                logger.warning(
                    "the receiver was not entered: it works, but is not drained at shutdown; "
                    "write `async with receiver:` in the application's lifespan"
                )
            self._dispatcher = Dispatcher(
                self.store,
                self._handle,
                concurrency=self._concurrency,
                lease=self._lease,
                pauses=self._pauses,
                overdue=lambda: self._handlers.overdue,
            )
        return self._dispatcher

    def _complain(self, error: WebhookError) -> None:
        now = time.monotonic()
        if now - self._complained_at < COMPLAIN_EVERY:
            self._not_said += 1
            return
        more = f" ({self._not_said} more since the last message)" if self._not_said else ""
        logger.warning("a delivery was refused: %s%s", error, more)
        self._complained_at, self._not_said = now, 0

    def _apply_to(self, authorizations: Authorizations | Iterable[Authorizations]) -> None:
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
