"""The FastAPI dependency beside everything else that reads a request, over the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from helpers.webhooks.serving import WEBHOOKS, delivery, served, signed
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Route

from tiktok_shop_async.webhooks import WebhookEvent, webhook_event

MAX_BODY = 1000
verified = webhook_event(WEBHOOKS, max_body=MAX_BODY)
VerifiedEvent = Annotated[WebhookEvent, Depends(verified)]
app = FastAPI()


class Notification(BaseModel):
    tts_notification_id: str


def result(event: WebhookEvent, notification_id: Any) -> dict[str, Any]:
    return {"event": event.id, "read": notification_id}


def id_in(body: bytes) -> Any:
    return json.loads(body)["tts_notification_id"]


async def read_body(request: Request) -> bytes:
    return await request.body()


@app.post("/json")
async def reads_json(event: VerifiedEvent, request: Request) -> Any:
    return result(event, (await request.json())["tts_notification_id"])


@app.post("/body")
async def reads_body(event: VerifiedEvent, request: Request) -> Any:
    return result(event, id_in(await request.body()))


@app.post("/stream")
async def reads_stream(event: VerifiedEvent, request: Request) -> Any:
    return result(event, id_in(b"".join([part async for part in request.stream()])))


@app.post("/model")
async def takes_a_model(event: VerifiedEvent, notification: Notification) -> Any:
    return result(event, notification.tts_notification_id)


@app.post("/mapping")
async def takes_a_mapping(
    event: VerifiedEvent, notification: Annotated[dict[str, Any], Body()]
) -> Any:
    return result(event, notification["tts_notification_id"])


@app.post("/dependency-before")
async def follows_a_dependency(
    body: Annotated[bytes, Depends(read_body)], event: VerifiedEvent
) -> Any:
    return result(event, id_in(body))


@app.post("/dependency-after")
async def precedes_a_dependency(
    event: VerifiedEvent, body: Annotated[bytes, Depends(read_body)]
) -> Any:
    return result(event, id_in(body))


@app.post("/twice")
async def verifies_twice(
    event: VerifiedEvent, again: Annotated[WebhookEvent, Depends(webhook_event(WEBHOOKS))]
) -> Any:
    return result(event, again.id)


@app.post("/route", dependencies=[Depends(verified)])
async def is_guarded_by_its_route(request: Request) -> Any:
    notification_id = (await request.json())["tts_notification_id"]
    return {"event": notification_id, "read": notification_id}


async def read_before(request: Request, call_next: Any) -> Any:
    await request.body()
    return await call_next(request)


async def verify_before(request: Request, call_next: Any) -> Any:
    await verified(request)
    return await call_next(request)


async def starlette_endpoint(request: Request) -> JSONResponse:
    event = await verified(request)
    return JSONResponse(result(event, (await request.json())["tts_notification_id"]))


def starlette_behind(*middleware: Any) -> Starlette:
    return Starlette(
        routes=[Route("/json", starlette_endpoint, methods=["POST"])],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=each) for each in middleware],
    )


def fastapi_behind(*middleware: Any) -> FastAPI:
    behind = FastAPI(
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=each) for each in middleware]
    )
    behind.include_router(app.router)
    return behind


PATHS = [route.path for route in app.routes if "POST" in getattr(route, "methods", ())]


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 50):
        yield body[start : start + 50]


async def post(url: str, body: Any, signature: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(
            url,
            content=body,
            headers={"Authorization": signature, "Content-Type": "application/json"},
        )


@pytest.mark.parametrize("middleware", [(), (read_before,), (verify_before, read_before)])
async def test_an_endpoint_can_read_the_body_too(middleware: Any) -> None:
    body, signature = signed(delivery())
    async with served(fastapi_behind(*middleware)) as url:
        for path in PATHS:
            for content in (body, in_pieces(body)):
                response = await post(f"{url}{path}", content, signature)
                assert (path, response.text) == (path, '{"event":"1","read":"1"}')


@pytest.mark.parametrize(
    "middleware", [(), (read_before,), (verify_before,), (verify_before, read_before)]
)
async def test_it_works_in_starlette_called_by_hand(middleware: Any) -> None:
    body, signature = signed(delivery())
    async with served(starlette_behind(*middleware)) as url:
        response = await post(f"{url}/json", in_pieces(body), signature)
    assert response.json() == {"event": "1", "read": "1"}


async def test_the_size_of_the_body_is_limited_wherever_it_is_read() -> None:
    body, signature = signed(delivery(more="x" * MAX_BODY))
    async with served(fastapi_behind()) as url, served(fastapi_behind(read_before)) as behind:
        for base in (url, behind):
            for path in PATHS:
                for content in (body, in_pieces(body)):
                    response = await post(f"{base}{path}", content, signature)
                    assert (path, response.status_code) == (path, 413)


async def test_a_body_of_the_largest_size_is_taken() -> None:
    padding = MAX_BODY - len(delivery(more=""))
    body, signature = signed(delivery(more="x" * padding))
    assert len(body) == MAX_BODY
    async with served(app) as url:
        assert (await post(f"{url}/json", body, signature)).status_code == 200


async def test_no_more_of_a_body_is_read_than_its_limit() -> None:
    """A sender without end is cut off; nothing keeps what it sent."""
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        sent += 100
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/json",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, endless, send)
    assert (statuses, sent) == ([413], MAX_BODY + 100)


@pytest.mark.parametrize("application", [app, starlette_behind()])
async def test_a_client_that_disconnects_is_no_fault_of_the_application(
    application: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body, signature = signed(delivery())
    head = (
        f"POST /json HTTP/1.1\r\nHost: app\r\nAuthorization: {signature}\r\nContent-Length: 999\r\n"
    )
    async with served(application) as url:
        host, port = url.removeprefix("http://").split(":")
        for _ in range(3):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"{head}\r\n".encode() + body)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        assert (await post(f"{url}/json", body, signature)).status_code == 200
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
