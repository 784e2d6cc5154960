"""No traceback with local variables shows a secret or a signature, whatever stage fails.

Trackers such as Sentry and rich keep the ``repr`` of the local variables of all frames, and follow
causes and contexts. Each row of the table fails in another stage.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import tempfile
import traceback
from asyncio import selector_events
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock
from urllib.parse import quote, quote_plus

import attrs
import httpcore
import httpx
import pytest
from cryptography.fernet import Fernet
from helpers.auth.consent import DOCUMENT, with_data
from helpers.client import FakeShop
from rich.console import Console
from rich.traceback import Traceback
from sqlalchemy import text as sql

from tiktok_shop_async import (
    AsyncTikTokShop,
    AuthState,
    RequestOptions,
    TikTokShopOAuth,
    Token,
)
from tiktok_shop_async.auth import (
    Authorizations,
    EncryptedTokenStore,
    MemoryTokenStore,
    parse_redirect,
)
from tiktok_shop_async.auth.stores.sql import SQLTokenStore
from tiktok_shop_async.auth.web.state_signer import StateSigner
from tiktok_shop_async.webhooks import Webhooks

APP_SECRET = "Sk7+app/secret=9Qz%2"
ACCESS_TOKEN = "TTP_tok+en/Zz9==&4"
SHOP_CIPHER = "ROW_ci+pher/8Yx=&%"
ASSET_CIPHER = "GCP_as+set/5Wv=&%"
REFRESH_TOKEN = "TTP_re+fresh/3Tt=&%"
NEXT_TOKEN = "TTP_ne+xt/6Hh=&%1"
CODE = "CODE_co+de/2Rr=&%x"
SECRETS = (
    APP_SECRET,
    ACCESS_TOKEN,
    SHOP_CIPHER,
    ASSET_CIPHER,
    REFRESH_TOKEN,
    NEXT_TOKEN,
    CODE,
)
TESTS = str(Path(__file__).parent)


# What trackers see ----------------------------------------------------------------------------


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all behind it, suppressed contexts too."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def frames_of(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames of a traceback but for those of the tests, which hold the secrets."""
    below = error.__traceback__
    while below is not None:
        if not below.tb_frame.f_code.co_filename.startswith(TESTS):
            yield below.tb_frame
        below = below.tb_next


def as_trackers_see(error: BaseException) -> str:
    """Return all values in all frames, and all attributes of the errors."""
    parts: list[str] = []
    for each in chain(error):
        parts += [str(each), repr(each), repr(each.args), repr(vars(each))]
        parts += [repr(getattr(each, "__notes__", ""))]
        request = getattr(each, "_request", None)
        if request is not None:
            parts += [str(request.url), repr(dict(request.headers))]
        for frame in frames_of(each):
            parts += [f"{frame.f_code.co_name}: {frame.f_locals!r}"]
            parts += [f"{name}={value!r}" for name, value in frame.f_locals.items()]
    return "\n".join(parts)


def without_the_tests_frames(error: BaseException) -> None:
    while (
        error.__traceback__ is not None
        and error.__traceback__.tb_frame.f_code.co_filename.startswith(TESTS)
    ):
        error.__traceback__ = error.__traceback__.tb_next


def as_python_shows(error: BaseException) -> str:
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format())


def as_rich_shows(error: BaseException) -> str:
    console = Console(file=io.StringIO(), width=1000)
    shown = Traceback.extract(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_length=1000,
        locals_max_string=10_000,
        locals_hide_dunder=False,
    )
    console.print(Traceback(shown, show_locals=True, locals_max_string=10_000, max_frames=0))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def forms(secret: str) -> set[str]:
    return {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote(quote(secret, safe=""), safe=""),
        secret[: len(secret) * 2 // 3],
    }


def assert_shows_nothing(error: BaseException, signatures: Iterable[str]) -> None:
    for each in chain(error):
        without_the_tests_frames(each)
    for show in (as_trackers_see, as_python_shows, as_rich_shows):
        text = show(error)
        for secret in (*SECRETS, *signatures):
            for form in forms(secret):
                at = text.find(form)
                assert at < 0, (
                    f"{show.__name__} shows {secret}: …{text[max(0, at - 300) : at + 80]}"
                )


# What fails -----------------------------------------------------------------------------------


def credentials() -> dict[str, str]:
    return {
        "access_token": ACCESS_TOKEN,
        "shop_cipher": SHOP_CIPHER,
        "category_asset_cipher": ASSET_CIPHER,
    }


def new_client(transport: Any = None, **options: Any) -> AsyncTikTokShop:
    given = {} if "auth" in options else credentials()
    return AsyncTikTokShop(
        "app-key", APP_SECRET, transport=transport, **{"max_retries": 0} | given | options
    )


async def read(client: AsyncTikTokShop, **options: Any) -> object:
    return await client.order.get_order_detail(ids=["1"], options=RequestOptions(**options))


async def write(client: AsyncTikTokShop, **options: Any) -> object:
    return await client.return_refund.cancel_order(
        order_id="1", cancel_reason="x", options=RequestOptions(**options)
    )


def as_seen(request: httpx.Request) -> str:
    """Quote a request as gateways do that show what they got."""
    headers = dict(request.headers)
    url = str(request.url)
    return f"{url} {headers} {json.dumps(headers)} {quote(url, safe='')} {url!r}"


def raises(kind: type[Exception]) -> Callable[[httpx.Request], httpx.Response]:
    def fail(request: httpx.Request) -> httpx.Response:
        if issubclass(kind, httpx.RequestError):
            raise kind(as_seen(request), request=request)
        raise kind("a fault of the transport")

    return fail


def answers(status: int, **document: Any) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"message": as_seen(request), **document})

    return answer


def page(status: int) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, html=f"<p>{as_seen(request)}</p>")


FAILING_TRANSPORTS: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    **{
        f"send: {kind.__name__}": raises(kind)
        for kind in (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.ReadError,
            httpx.ReadTimeout,
            httpx.PoolTimeout,
            httpx.ProxyError,
            httpx.LocalProtocolError,
            httpx.RemoteProtocolError,
            httpx.UnsupportedProtocol,
            httpx.DecodingError,
            RuntimeError,
            ZeroDivisionError,
        )
    },
    **{
        f"decode: code {code}": answers(status, code=code, data={"cipher": SHOP_CIPHER})
        for code, status in (
            (105002, 401),
            (106001, 400),
            (36009002, 429),
            (36009003, 500),
            (9, 200),
        )
    },
    **{f"decode: page with HTTP {status}": page(status) for status in (200, 302, 403, 429, 500)},
    "decode: no code": answers(200, data={"access_token": ACCESS_TOKEN}),
    "read: gzip": lambda request: httpx.Response(
        200, headers={"content-encoding": "gzip"}, content=as_seen(request).encode()
    ),
}


class Signatures:
    """Those that were sent, kept where no traceback of a test's own frames shows them."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def add(self, *signatures: str) -> None:
        self.seen += signatures


Failure = Callable[[Signatures], Awaitable[object]]
ROWS: dict[str, Failure] = {}


def row(name: str) -> Callable[[Failure], Failure]:
    def add(failure: Failure) -> Failure:
        ROWS[name] = failure
        return failure

    return add


def over(answer: Callable[[httpx.Request], httpx.Response], call: Any, **options: Any) -> Failure:
    async def fail(signatures: Signatures) -> object:
        def answered(request: httpx.Request) -> httpx.Response:
            signatures.add(request.url.params["sign"])
            return answer(request)

        async with new_client(httpx.MockTransport(answered), **options) as client:
            return await call(client)

    return fail


def over_a_borrowed_client(answer: Callable[[httpx.Request], httpx.Response]) -> Failure:
    async def hook(request: httpx.Request) -> None:
        """With a hook, requests go through httpx's own `send`."""

    async def fail(signatures: Signatures) -> object:
        def answered(request: httpx.Request) -> httpx.Response:
            signatures.add(request.url.params["sign"])
            return answer(request)

        async with httpx.AsyncClient(
            transport=httpx.MockTransport(answered), event_hooks={"request": [hook]}
        ) as borrowed:
            return await read(new_client(http_client=borrowed))

    return fail


for name, answer in FAILING_TRANSPORTS.items():
    ROWS[f"{name}, read"] = over(answer, read)
    ROWS[f"{name}, write"] = over(answer, write)
    ROWS[f"{name}, borrowed client"] = over_a_borrowed_client(answer)
ROWS["retries are used up"] = over(
    answers(500, code=36009003), read, max_retries=2, sleep=lambda _: asyncio.sleep(0)
)
ROWS["observed"] = over(answers(500, code=36009003), write, observers=[lambda event: None])


@row("build: an argument that cannot be sent")
async def _(signatures: Signatures) -> object:
    async with new_client(FakeShop().answer({})) as client:
        return await client.return_refund.cancel_order(order_id="1", cancel_reason="\ud800")


@row("build: a cipher among the arguments of a raw call")
async def _(signatures: Signatures) -> object:
    async with new_client(FakeShop().answer({})) as client:
        query, body = {"shop_cipher": SHOP_CIPHER}, {"odd": object()}
        return await client.request("GET", "/order/202309/orders", query=query, body=body)


@row("build: a cipher in extra_query")
async def _(signatures: Signatures) -> object:
    async with new_client(FakeShop().answer({})) as client:
        return await read(client, extra_query={"shop_cipher": SHOP_CIPHER, "sign": "x"})


@row("send: a cipher in extra_query, and a faulty transport")
async def _(signatures: Signatures) -> object:
    transport = httpx.MockTransport(raises(RuntimeError))
    async with new_client(transport) as client:
        return await read(client, extra_query={"shop_cipher": SHOP_CIPHER})


@row("sign: a missing token")
async def _(signatures: Signatures) -> object:
    auth = AuthState(shop_cipher=SHOP_CIPHER)
    async with new_client(FakeShop().answer({}), auth=auth) as client:
        return await read(client)


@row("sign: a clock that fails")
async def _(signatures: Signatures) -> object:
    def clock() -> float:
        raise ZeroDivisionError

    async with new_client(FakeShop().answer({}), clock=clock) as client:
        return await read(client)


@row("credentials replaced while the call was under way")
async def _(signatures: Signatures) -> object:
    auth = AuthState(**credentials())

    def answer(request: httpx.Request) -> httpx.Response:
        signatures.add(request.url.params["sign"])
        auth.access_token, auth.shop_cipher = "another-token-1", "another-cipher-1"
        values = [request.headers["x-tts-access-token"], *request.url.params.values()]
        return httpx.Response(500, json={"code": 36009003, "message": " ".join(values)})

    async with new_client(httpx.MockTransport(answer), auth=auth) as client:
        return await read(client)


# Real connections ---------------------------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def a_server(serve: Serve, signatures: Signatures) -> AsyncIterator[str]:
    connections: list[asyncio.Task[None] | None] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            signatures.add(*re.findall(r"sign=([0-9a-f]+)", head.decode()))
            await serve(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    async with server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            for task in connections:
                if task is not None:
                    task.cancel()
            await asyncio.gather(*filter(None, connections), return_exceptions=True)
            await asyncio.sleep(0)  # which closes the sockets


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer nothing."""


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"no HTTP at all\r\n\r\n")
    await writer.drain()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"code"')
    await writer.drain()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def at_a_server(
    serve: Serve, call: Any, transport: Callable[[], Any] = lambda: None, **options: Any
) -> Failure:
    async def fail(signatures: Signatures) -> object:
        async with (
            a_server(serve, signatures) as base_url,
            new_client(transport(), base_url=base_url, **options) as client,
        ):
            return await call(client)

    return fail


async def cancelled(client: AsyncTikTokShop) -> object:
    async with asyncio.timeout(0.05):
        return await read(client)


async def cancelled_while_writing(client: AsyncTikTokShop) -> object:
    async with asyncio.timeout(0.2):
        body = {"text": "x" * 30_000_000}
        return await client.request("POST", "/order/202309/orders", body=body)


async def not_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


TRANSPORTS: dict[str, Callable[[], Any]] = {
    "our connections": lambda: None,
    "httpx's pool": httpx.AsyncHTTPTransport,
}
for name, transport in TRANSPORTS.items():
    for serve in (close, garbage, half):
        ROWS[f"{serve.__name__}, {name}, read"] = at_a_server(serve, read, transport)
        ROWS[f"{serve.__name__}, {name}, write"] = at_a_server(serve, write, transport)
    ROWS[f"timeout, {name}"] = at_a_server(silence, write, transport, timeout=0.05)
    ROWS[f"deadline, {name}"] = at_a_server(silence, write, transport, deadline=0.05)
    ROWS[f"cancelled, {name}"] = at_a_server(silence, cancelled, transport)
    ROWS[f"cancelled while writing, {name}"] = at_a_server(
        not_reading, cancelled_while_writing, transport
    )


class _UnusableStream(httpcore.AsyncNetworkStream):
    """A stream that fails with an error that httpcore does not translate."""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        del buffer
        raise RuntimeError("the loop is closed")

    async def aclose(self) -> None:
        """Do nothing."""

    def get_extra_info(self, info: str) -> Any:
        return None


class _UnusableNetwork(httpcore.AsyncNetworkBackend):
    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        return _UnusableStream()


def over_an_unusable_network(call: Any, *, hooked: bool = False) -> Failure:
    async def hook(request: httpx.Request) -> None:
        """With a hook, requests go through httpx's own `send`."""

    async def fail(signatures: Signatures) -> object:
        transport = httpx.AsyncHTTPTransport()
        transport._pool._network_backend = _UnusableNetwork()  # type: ignore[attr-defined]
        hooks: Any = {"request": [hook]} if hooked else {}
        async with httpx.AsyncClient(transport=transport, event_hooks=hooks) as borrowed:
            return await call(new_client(http_client=borrowed, base_url="http://shop.example"))

    return fail


ROWS["an error that httpcore does not know, read"] = over_an_unusable_network(read)
ROWS["an error that httpcore does not know, write"] = over_an_unusable_network(write)
ROWS["an error that httpcore does not know, hooks"] = over_an_unusable_network(read, hooked=True)


@row("an error of an ASGI application")
async def _(signatures: Signatures) -> object:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        del scope
        raise ZeroDivisionError

    async with new_client(httpx.ASGITransport(application)) as client:
        return await read(client)


async def _failing_while_it_writes(signatures: Signatures, call: Any) -> object:
    transport: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
    write_really = transport.write

    def write_and_fail(self: object, data: bytes) -> None:
        write_really(self, data)
        del data
        raise RuntimeError("the handler is closed")

    async with a_server(silence, signatures) as base_url, new_client(base_url=base_url) as client:
        with mock.patch.object(transport, "write", write_and_fail):
            return await call(client)


@row("an error of asyncio's transport, read")
async def _(signatures: Signatures) -> object:
    return await _failing_while_it_writes(signatures, read)


@row("an error of asyncio's transport, write")
async def _(signatures: Signatures) -> object:
    return await _failing_while_it_writes(signatures, write)


@row("nobody listens")
async def _(signatures: Signatures) -> object:
    async with new_client(base_url="http://127.0.0.1:1") as client:
        return await write(client)


@row("an unreachable proxy")
async def _(signatures: Signatures) -> object:
    async with new_client(
        base_url="http://shop.example", proxy=f"http://user:{quote(CODE, safe='')}@127.0.0.1:1"
    ) as client:
        return await write(client)


# Constructors -------------------------------------------------------------------------------


@row("make: a client with a wrong argument")
async def _(signatures: Signatures) -> object:
    return new_client(max_in_flight=2.5)


@row("make: a client with a wrong proxy")
async def _(signatures: Signatures) -> object:
    return new_client(proxy="socks://x")


@row("make: a client with a wrong base_url")
async def _(signatures: Signatures) -> object:
    return new_client(base_url="https://shop.example:port")


@row("make: from_env with a wrong argument")
async def _(signatures: Signatures) -> object:
    return AsyncTikTokShop.from_env(
        app_key="k", app_secret=APP_SECRET, access_token=ACCESS_TOKEN, timeout="5"
    )


@row("make: a view with contradictory arguments")
async def _(signatures: Signatures) -> object:
    return new_client().for_shop(auth=AuthState(), access_token=ACCESS_TOKEN)


@row("make: OAuth with a wrong argument")
async def _(signatures: Signatures) -> object:
    return TikTokShopOAuth("app-key", APP_SECRET, timeout="5")  # type: ignore[arg-type]


@row("make: a signer with a short secret")
async def _(signatures: Signatures) -> object:
    return StateSigner(CODE[:14])


@row("make: encryption with a key that is none")
async def _(signatures: Signatures) -> object:
    return EncryptedTokenStore(MemoryTokenStore(), [CODE])


@row("make: webhooks with a wrong argument")
async def _(signatures: Signatures) -> object:
    return Webhooks("app-key", APP_SECRET, other_apps={"other": CODE}, max_age=-1)


@row("make: a token of a document that lacks a field")
async def _(signatures: Signatures) -> object:
    return Token.from_document({"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN})


@row("redirect: a parameter that is there twice")
async def _(signatures: Signatures) -> object:
    code = quote(CODE, safe="")
    return parse_redirect(f"https://app.example/callback?code={code}&code={code}")


@row("redirect: an error together with a code")
async def _(signatures: Signatures) -> object:
    return parse_redirect(f"code={quote(CODE, safe='')}&error=server_error")


@row("store: a value that was copied to another key")
async def _(signatures: Signatures) -> object:
    memory = MemoryTokenStore()
    store = EncryptedTokenStore(memory, Fernet.generate_key())
    await store.put("a", CODE.encode(), version=0)
    stored = await memory.get("a")
    assert stored is not None
    await memory.put("b", stored.value, version=0)
    return await store.get("b")


# OAuth, refreshes and stores ------------------------------------------------------------------


def token(**changes: Any) -> Token:
    values: dict[str, Any] = {
        "access_token": ACCESS_TOKEN,
        "refresh_token": REFRESH_TOKEN,
        "access_token_expires_at": datetime.fromtimestamp(1_700_000_000, UTC),
        "refresh_token_expires_at": datetime.fromtimestamp(2_000_000_000, UTC),
        "open_id": "user-7",
    }
    return Token(**values | changes)


def exchange(answer: Callable[[httpx.Request], httpx.Response]) -> Failure:
    async def fail(signatures: Signatures) -> object:
        transport = httpx.MockTransport(answer)
        async with TikTokShopOAuth("app-key", APP_SECRET, transport=transport) as oauth:
            return await oauth.exchange(CODE)

    return fail


def refresh_for_a_call(
    answer: Callable[[httpx.Request], httpx.Response], store: Callable[[], Any] = MemoryTokenStore
) -> Failure:
    async def fail(signatures: Signatures) -> object:
        transport = httpx.MockTransport(answer)
        kept = store()
        async with (
            TikTokShopOAuth("app-key", APP_SECRET, transport=transport) as oauth,
            Authorizations(oauth, kept, sleep=lambda _: asyncio.sleep(0)) as authorizations,
        ):
            auth = await authorizations.add(token())
            if hasattr(kept, "break_it"):
                kept.break_it()
            async with new_client(FakeShop().answer({}), auth=auth) as client:
                return await read(client)

    return fail


def refreshed(request: httpx.Request) -> httpx.Response:
    return with_data(DOCUMENT | {"access_token": NEXT_TOKEN, "open_id": "user-7"})


class BrokenStore(MemoryTokenStore):
    """A store of somebody else's, which fails and quotes what it got."""

    is_broken = False

    def break_it(self) -> None:
        self.is_broken = True

    async def get(self, key: str) -> Any:
        if self.is_broken:
            raise OSError("the disk is gone")
        return await super().get(key)


class StaleStore(BrokenStore):
    async def get(self, key: str) -> Any:
        stored = await MemoryTokenStore.get(self, key)
        if self.is_broken and stored is not None:
            return attrs.evolve(stored, version=stored.version - 1)
        return stored


class OddStore(BrokenStore):
    async def get(self, key: str) -> Any:
        stored = await MemoryTokenStore.get(self, key)
        if self.is_broken and stored is not None:
            return attrs.evolve(stored, value=stored.value.replace(b'"format":1', b'"format":7'))
        return stored


class CutStore(BrokenStore):
    async def get(self, key: str) -> Any:
        stored = await MemoryTokenStore.get(self, key)
        if self.is_broken and stored is not None:
            return attrs.evolve(stored, value=stored.value[:-9])
        return stored


TOKEN_FAILURES = {
    "quoted": answers(400, code=36004004),
    "page": page(500),
    "connect": raises(httpx.ConnectError),
    "read": raises(httpx.ReadError),
    "protocol": raises(httpx.LocalProtocolError),
    "bug": raises(RuntimeError),
    "half a token": lambda _: with_data({**DOCUMENT, "access_token": f"{NEXT_TOKEN}\n"}),
}
for name, answer in TOKEN_FAILURES.items():
    ROWS[f"OAuth exchange: {name}"] = exchange(answer)
    ROWS[f"refresh for a call: {name}"] = refresh_for_a_call(answer)
for kind in (BrokenStore, StaleStore, OddStore, CutStore):
    ROWS[f"store: {kind.__name__}"] = refresh_for_a_call(refreshed, kind)


@row("OAuth: cancelled")
async def _(signatures: Signatures) -> object:
    async with (
        a_server(silence, signatures) as base_url,
        TikTokShopOAuth("app-key", APP_SECRET, base_url=base_url) as oauth,
        asyncio.timeout(0.05),
    ):
        return await oauth.exchange(CODE)


@row("OAuth: a transport that cannot be used")
async def _(signatures: Signatures) -> object:
    async with TikTokShopOAuth("app-key", APP_SECRET, base_url="http://127.0.0.1:1") as oauth:
        return await oauth.refresh(REFRESH_TOKEN)


@row("store: a database whose table is gone")
async def _(signatures: Signatures) -> object:
    transport = httpx.MockTransport(refreshed)
    with tempfile.TemporaryDirectory() as folder:
        store = SQLTokenStore(f"sqlite:///{folder}/tokens.db")
        async with (
            store,
            TikTokShopOAuth("app-key", APP_SECRET, transport=transport) as oauth,
            Authorizations(oauth, store) as authorizations,
        ):
            await authorizations.add(token())
            async with store._engine.begin() as connection:
                await connection.execute(sql(f"DROP TABLE {store._tables.tokens.name}"))
            return await authorizations.add(token(access_token=NEXT_TOKEN))


@row("webhooks: a delivery that is too old")
async def _(signatures: Signatures) -> object:
    webhooks = Webhooks("app-key", APP_SECRET, max_age=1)
    body = b'{"type":1,"timestamp":1718305585,"data":{}}'
    signatures.add(webhooks.sign(body))
    return webhooks.verify_and_parse(body, webhooks.sign(body))


@row("webhooks: a signed delivery that is no JSON")
async def _(signatures: Signatures) -> object:
    webhooks = Webhooks("app-key", APP_SECRET)
    signatures.add(webhooks.sign(b"odd"))
    return webhooks.verify_and_parse(b"odd", webhooks.sign(b"odd"))


@row("webhooks: a delivery that was changed")
async def _(signatures: Signatures) -> object:
    webhooks = Webhooks("app-key", APP_SECRET)
    signatures.add(webhooks.sign(b"{}"))
    return webhooks.verify(b"{ }", webhooks.sign(b"{}"))


@pytest.mark.parametrize("name", ROWS)
async def test_no_traceback_shows_a_secret(name: str) -> None:
    signatures = Signatures()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        await ROWS[name](signatures)
    assert_shows_nothing(caught.value, signatures.seen)


async def test_the_frames_of_users_stay_in_a_traceback() -> None:
    """Of an exception that is the user's own, only frames of libraries are dropped."""

    def fails_in_a_transport(request: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    async with new_client(httpx.MockTransport(fails_in_a_transport)) as client:
        with pytest.raises(ZeroDivisionError) as caught:
            await read(client)
    functions = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert functions[-1] == "fails_in_a_transport"
    assert "handle_async_request" not in functions


def test_the_search_finds_a_secret_in_a_frame() -> None:
    """The test itself must be able to fail."""
    namespace: dict[str, Any] = {}
    code = "def leak(values):\n    kept = list(values)\n    raise ValueError"
    exec(compile(code, "leaking.py", "exec"), namespace)  # noqa: S102
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        namespace["leak"]([ACCESS_TOKEN])
    with pytest.raises(AssertionError, match="shows TTP_tok"):
        assert_shows_nothing(caught.value, ())
