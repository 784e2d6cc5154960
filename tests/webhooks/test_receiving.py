"""The responses of a receiver, and the events it stores, at the wire."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import pairwise
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, asgi
from starlette.applications import Starlette
from starlette.routing import Mount
from webhooks.serving import WEBHOOKS, delivery, served, signed

from tiktok_shop_async import InvalidArgumentError, WebhookStoreError
from tiktok_shop_async.sandbox import Sandbox, run_sandbox
from tiktok_shop_async.webhooks import (
    CancellationStatusChange,
    MemoryWebhookStore,
    NewEvent,
    OrderStatusChange,
    SQLWebhookStore,
    WebhookEvent,
    WebhookReceiver,
    Webhooks,
    webhook_event,
)
from tiktok_shop_async.webhooks.receiving import (
    asgi as receivers_asgi,
)

REASON = "seller_cancel_reason_out_of_stock"


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver(WEBHOOKS) as receiver:
        yield receiver


@asynccontextmanager
async def http_to(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        yield http


async def post(app: Any, body: bytes, signature: str | None, path: str = "/") -> httpx.Response:
    headers = {} if signature is None else {"Authorization": signature}
    async with http_to(app) as http:
        return await http.post(path, content=body, headers=headers)


class Kept:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[WebhookEvent] = []
        self._news = asyncio.Event()

    async def __call__(self, event: WebhookEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, count: int) -> list[WebhookEvent]:
        async with asyncio.timeout(20):
            while len(self.events) < count:
                self._news.clear()
                await self._news.wait()
        return self.events


def mounted_in_starlette(receiver: WebhookReceiver) -> Any:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with receiver:
            yield

    return Starlette(routes=[Mount("/hooks", receiver)], lifespan=lifespan)


def mounted_in_fastapi(receiver: WebhookReceiver) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with receiver:
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/hooks", receiver)
    return app


def mounted_in_litestar(receiver: WebhookReceiver) -> Any:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with receiver:
            yield

    mount = asgi("/hooks", is_mount=True, copy_scope=True)(receiver)
    return Litestar(route_handlers=[mount], lifespan=[lifespan])


def alone(receiver: WebhookReceiver) -> Any:
    return receiver


@pytest.mark.parametrize(
    "application", [alone, mounted_in_starlette, mounted_in_fastapi, mounted_in_litestar]
)
async def test_webhooks_of_the_sandbox_are_handled(
    application: Callable[[WebhookReceiver], Any],
) -> None:
    """From a sandbox over HTTP, by a server that starts and drains the receiver."""
    async with run_sandbox(orders=20, pending_share=0.0) as sandbox:
        receiver = WebhookReceiver(Webhooks(sandbox.app_key, sandbox.app_secret))
        kept, orders = Kept(), Kept()
        receiver.on(WebhookEvent)(kept)
        receiver.on(OrderStatusChange)(orders)
        async with served(application(receiver)) as url:
            sandbox.webhooks.default_url = f"{url}/hooks/"  # without the slash, mounts redirect
            async with sandbox.client() as client:
                order_id = await cancel_one(sandbox, client)
            await sandbox.webhooks.drain()
            events = await kept.until(2)
            assert [each.state for each in sandbox.webhooks.deliveries] == ["delivered"] * 2
            async with httpx.AsyncClient() as http:
                refused = await http.post(f"{url}/hooks/", content=b"{}")
                assert (refused.status_code, refused.content) == (401, b"")
    order, cancellation = sorted(events, key=lambda each: each.type or 0)
    assert orders.events == [order]
    assert isinstance(order, OrderStatusChange)
    assert (order.data.order_id, order.data.order_status) == (order_id, "CANCEL")
    assert order.app_key == sandbox.app_key
    assert isinstance(cancellation, CancellationStatusChange)
    assert cancellation.data.order_id == order_id


async def cancel_one(sandbox: Sandbox, client: Any) -> str:
    order_id: str = next(
        each.id
        for each in sandbox.shop.orders.values()
        if each.status == "AWAITING_SHIPMENT" and not each.cancellations
    )
    await client.return_refund.cancel_order(order_id=order_id, cancel_reason=REASON)
    return order_id


async def test_the_platform_retries_a_delivery_that_was_not_stored() -> None:
    """And handled once."""

    class Failing(MemoryWebhookStore):
        failures = 2

        async def add(self, event: NewEvent) -> bool:
            if self.failures:
                self.failures -= 1
                raise WebhookStoreError("the database is away")
            return await super().add(event)

    async with run_sandbox(orders=1, webhook_time_scale=0.0) as sandbox:
        receiver = WebhookReceiver(Webhooks(sandbox.app_key, sandbox.app_secret), store=Failing())
        kept = Kept()
        receiver.on(OrderStatusChange)(kept)
        async with served(receiver) as url:
            sandbox.webhooks.default_url = url
            (sent,) = sandbox.fire("ORDER_STATUS_CHANGE")
            await sandbox.webhooks.drain(retries=True)
            assert [each.http_status for each in sent.attempts] == [503, 503, 200]
            (event,) = await kept.until(1)
    assert event.tts_notification_id == sent.notification_id


async def test_a_repeated_delivery_is_acknowledged_and_dropped() -> None:
    """One after another, and all at once."""
    async with WebhookReceiver(WEBHOOKS) as receiver:
        kept = Kept()
        receiver.on(WebhookEvent)(kept)
        again = [post(receiver, *signed(delivery(number))) for number in range(5)]
        for _ in range(3):
            again += [post(receiver, *signed(delivery(number))) for number in range(5)]
        responses = await asyncio.gather(*again)
        assert {(each.status_code, each.content) for each in responses} == {(200, b"")}
        assert (await post(receiver, *signed(delivery(3)))).status_code == 200
    assert sorted(each.id for each in kept.events) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("signature", [None, "", "no", WEBHOOKS.sign(b"another body")])
async def test_an_invalid_signature_gets_401_and_an_empty_body(
    receiver: WebhookReceiver, signature: str | None
) -> None:
    response = await post(receiver, delivery(), signature)
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["content-length"] == "0"
    assert (await receiver.store.counts()).waiting == 0


async def test_an_expired_delivery_gets_401() -> None:
    receiver = WebhookReceiver(Webhooks("key", "secret", max_age=86_400))
    assert (await post(receiver, *signed(delivery()))).status_code == 401


async def test_a_signed_body_that_is_not_an_event_gets_400(receiver: WebhookReceiver) -> None:
    assert (await post(receiver, *signed(b"[]"))).status_code == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_only_post_is_allowed(receiver: WebhookReceiver, method: str) -> None:
    body, signature = signed(delivery())
    async with http_to(receiver) as http:
        response = await http.request(
            method, "/any/path", content=body, headers={"Authorization": signature}
        )
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_a_body_above_the_limit_gets_413_unread() -> None:
    """With and without a Content-Length."""
    receiver = WebhookReceiver(WEBHOOKS, max_body=1000)
    body, signature = signed(delivery(more="x" * 1000))
    assert (await post(receiver, body, signature)).status_code == 413
    fitting, signature = signed(delivery(more="x" * 800))
    assert (await post(receiver, fitting, signature)).status_code == 200
    async with served(receiver) as url:
        port = httpx.URL(url).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"64\r\n%s\r\n" % (b"x" * 100) * 11)  # and no end
        assert b" 413 " in await reader.readline()
        writer.close()


async def test_the_response_does_not_wait_for_a_store_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service gets a response that makes it retry, before its own timeout."""
    monkeypatch.setattr(receivers_asgi, "RESPONSE_TIMEOUT", 0.05)

    class Hanging(MemoryWebhookStore):
        async def add(self, event: NewEvent) -> bool:
            await asyncio.Event().wait()
            return True

    async with WebhookReceiver(WEBHOOKS, store=Hanging()) as receiver:
        assert (await post(receiver, *signed(delivery()))).status_code == 503


async def test_a_body_that_trickles_in_gets_408(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receivers_asgi, "RESPONSE_TIMEOUT", 0.05)
    left = [b"{"]

    async def receive() -> Any:
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(), "more_body": True}

    assert await status(receiver, receive) == 408


async def test_a_disconnected_client_gets_no_response(receiver: WebhookReceiver) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    assert await status(receiver, receive) is None


async def test_a_response_to_a_disconnected_client_is_no_error(
    receiver: WebhookReceiver,
) -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        raise OSError("disconnected")

    await receiver({"type": "http", "method": "POST", "headers": []}, receive, send)


async def status(app: Any, receive: Any, headers: Any = (), method: str = "POST") -> int | None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "headers": headers, "path": "/"}, receive, send)
    return sent[0]["status"] if sent else None


HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"authorization", b"content-length", b"content-type", b"x"]),
        st.binary(max_size=80) | st.integers().map(lambda each: str(each).encode()),
    ),
    max_size=4,
)
PARTS = st.lists(st.binary(max_size=50), min_size=1, max_size=4)


@given(PARTS, HEADERS, st.sampled_from(["POST", "GET", "PATCH", "post", ""]))
def test_any_unsigned_request_gets_a_response_but_never_200(
    parts: list[bytes], headers: list[tuple[bytes, bytes]], method: str
) -> None:
    """No exception gets out of the application."""

    async def answered() -> int | None:
        left = [*parts]

        async def receive() -> Any:
            body = left.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(left)}

        return await status(WebhookReceiver(WEBHOOKS), receive, headers, method)

    assert asyncio.run(answered()) in {400, 401, 405, 413}


@given(PARTS, st.booleans())
def test_a_signed_body_is_accepted_in_any_chunks(parts: list[bytes], is_event: bool) -> None:
    """And any bytes that are signed get 200 only if they are an event."""
    body = delivery() if is_event else b"".join(parts)
    cuts = sorted({min(len(each), len(body)) for each in parts} | {0, len(body)})
    pieces = [body[a:b] for a, b in pairwise(cuts)] or [b""]

    async def answered() -> int | None:
        left = [*pieces]

        async def receive() -> Any:
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        receiver = WebhookReceiver(WEBHOOKS)
        headers = [(b"authorization", WEBHOOKS.sign(body).encode())]
        return await status(receiver, receive, headers)

    response = asyncio.run(answered())
    assert response == 200 if is_event else response in {200, 400}


async def test_a_full_store_makes_the_platform_retry() -> None:
    release = asyncio.Event()
    async with WebhookReceiver(
        WEBHOOKS, store=MemoryWebhookStore(max_waiting=2), concurrency=1
    ) as receiver:

        @receiver.on(WebhookEvent)
        async def wait(event: WebhookEvent) -> None:
            await release.wait()

        codes = [
            (await post(receiver, *signed(delivery(number)))).status_code for number in range(3)
        ]
        assert codes == [200, 200, 503]
        release.set()
        async with asyncio.timeout(10):
            while (await post(receiver, *signed(delivery(2)))).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_deliveries_are_rejected_while_closing() -> None:
    receiver = WebhookReceiver(WEBHOOKS)
    async with receiver:
        pass
    assert await receiver.receive(*signed(delivery())) == HTTPStatus.SERVICE_UNAVAILABLE
    async with receiver:
        assert await receiver.receive(*signed(delivery())) == HTTPStatus.OK


def test_a_receiver_that_was_not_entered_works_and_warns_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """For example in a test without a lifespan; also in one event loop after another."""
    receiver = WebhookReceiver(WEBHOOKS)

    async def once(number: int) -> None:
        kept = Kept()
        receiver.on(OrderStatusChange)(kept)
        for each in (number, number + 1):
            assert (await post(receiver, *signed(delivery(each)))).status_code == 200
        await kept.until(2)

    with caplog.at_level(logging.WARNING, "tiktok_shop_async.webhooks"):
        asyncio.run(once(1))
        assert [record.message for record in caplog.records if "entered" in record.message]
        count = len(caplog.records)
        assert count == 1
    asyncio.run(once(3))


async def test_a_wrong_secret_is_logged_at_a_limited_rate(
    receiver: WebhookReceiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(WEBHOOKS.clock, "monotonic", lambda: now)
    with caplog.at_level(logging.DEBUG, "tiktok_shop_async.webhooks"):
        for _ in range(50):
            await receiver.receive(delivery(), "wrong-signature")
        assert len(caplog.records) == 1
        now += 61
        await receiver.receive(delivery(), "wrong-signature")
    assert len(caplog.records) == 2
    assert "secrets are those of key" in caplog.records[0].message
    assert "49 more" in caplog.records[1].message
    assert "wrong-signature" not in caplog.text
    assert "secret'" not in caplog.text


async def test_a_body_that_is_not_bytes_raises(receiver: WebhookReceiver) -> None:
    with pytest.raises(InvalidArgumentError):
        await receiver.receive({"type": 1}, "x")  # type: ignore[arg-type]


async def test_websockets_are_refused(receiver: WebhookReceiver) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await receiver({"type": "websocket"}, receive, send)
    assert [each["type"] for each in sent] == ["websocket.close"]


async def test_a_failed_startup_is_reported_to_the_server() -> None:
    class Broken(WebhookReceiver):
        async def __aenter__(self) -> Any:
            raise WebhookStoreError("no database")

    messages = iter([{"type": "lifespan.startup"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    await Broken(WEBHOOKS)({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": "no database"}]


async def test_a_store_given_by_its_location_is_closed_with_the_receiver(tmp_path: Any) -> None:
    async with WebhookReceiver(WEBHOOKS, store=tmp_path / "webhooks.db") as receiver:
        kept = Kept()
        receiver.on(WebhookEvent)(kept)
        assert (await post(receiver, *signed(delivery()))).status_code == 200
        await kept.until(1)
        assert isinstance(receiver.store, SQLWebhookStore)
    assert receiver.store._commit is None
    async with WebhookReceiver(WEBHOOKS, store=tmp_path / "webhooks.db") as again:
        assert (await post(again, *signed(delivery()))).status_code == 200
        assert (await again.store.counts()).waiting == 0


async def test_fastapi_gets_a_verified_event_as_a_dependency() -> None:
    app = FastAPI()

    @app.post("/hook")
    async def hook(
        event: Annotated[WebhookEvent, Depends(webhook_event(WEBHOOKS, max_body=1000))],
    ) -> dict[str, Any]:
        return {"kind": type(event).__name__, "id": event.id, "app": event.app_key}

    response = await post(app, *signed(delivery()), "/hook")
    assert response.json() == {"kind": "OrderStatusChange", "id": "1", "app": "key"}
    for (body, signature), expected in (
        (signed(b"[]"), 400),
        ((delivery(), "no"), 401),
        (signed(delivery(more="x" * 1000)), 413),
    ):
        assert (await post(app, body, signature, "/hook")).status_code == expected
    assert (await post(app, delivery(), None, "/hook")).status_code == 401
