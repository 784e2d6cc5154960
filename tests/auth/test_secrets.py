"""No secret shows: not in text, logs, errors, tracebacks, copies or pickles."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import string
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import attrs
import httpx
import pytest
from auth.consent import DOCUMENT, with_data
from hypothesis import given, settings
from hypothesis import strategies as st

from tiktok_shop_async import (
    AccessTokenExpiredError,
    AsyncTikTokShop,
    AuthState,
    TikTokShopError,
    TikTokShopOAuth,
    Token,
)
from tiktok_shop_async.auth import (
    Authorizations,
    AuthorizedShop,
    MemoryTokenStore,
    StateSigner,
    parse_redirect,
)
from tiktok_shop_async.auth.record import AuthorizationRecord
from tiktok_shop_async.auth.web import Authorized
from tiktok_shop_async.sandbox import run_sandbox

LONG_AGO = 1_700_000_000


@attrs.frozen(kw_only=True)
class Secrets:
    app_secret: str
    access_token: str
    refresh_token: str
    next_access_token: str
    next_refresh_token: str
    code: str
    cipher: str

    def token(self) -> Token:
        moment = datetime.fromtimestamp(LONG_AGO, UTC)
        return Token(
            access_token=self.access_token,
            refresh_token=self.refresh_token,
            access_token_expires_at=moment,
            refresh_token_expires_at=moment,
            open_id="user-7",
        )

    def document(self) -> dict[str, Any]:
        return DOCUMENT | {
            "access_token": self.next_access_token,
            "refresh_token": self.next_refresh_token,
        }

    def assert_absent(self, text: str) -> None:
        for name, value in attrs.asdict(self).items():
            forms = {
                value,
                quote(value),
                quote(value, safe=""),
                quote_plus(value),
                repr(value)[1:-1],
            }
            assert not any(form in text for form in forms), f"the {name} shows in {text!r}"


def a_secret(name: str) -> st.SearchStrategy[str]:
    """Return made-up values, told apart from all other text by their beginning."""
    alphabet = string.ascii_letters + string.digits + "+/=_-.%&#?~"
    return st.text(alphabet, min_size=8, max_size=40).map(lambda text: f"{name}!{text}")


secrets_of_an_app = st.builds(
    Secrets, **{field.name: a_secret(field.name.upper()) for field in attrs.fields(Secrets)}
)


def all_forms(thing: Any) -> Iterator[str]:
    """Yield what Python makes of a thing in text."""
    yield from (str(thing), repr(thing), f"{thing}", repr([thing]), repr({"a": thing}))
    for copied in (copy.copy(thing), copy.deepcopy(thing)):
        yield repr(copied)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        try:
            yield pickle.dumps(thing, protocol).decode("latin-1")
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            yield str(error)


def all_of_an_error(error: BaseException) -> Iterator[str]:
    """Yield an error as loggers, error trackers and process pools see it, with its causes."""
    yield from all_forms(error)
    yield repr(vars(error))
    yield "".join(traceback.format_exception(error))
    tracked = traceback.TracebackException(
        type(error),
        error,
        error.__traceback__ and error.__traceback__.tb_next,  # the first frame is the test's own
        capture_locals=True,
    )
    yield "".join(tracked.format())
    below = error.__cause__ or error.__context__
    if below is not None:
        yield from all_of_an_error(below)


@contextmanager
def all_logs() -> Iterator[list[str]]:
    """Collect what any logger says, down to DEBUG."""
    said: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{self.format(record)} {record.args!r} {vars(record)!r}")

    collector, root, level = Collector(), logging.getLogger(), logging.getLogger().level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.removeHandler(collector)
        root.setLevel(level)


@asynccontextmanager
async def an_oauth(secrets: Secrets, answer: Any) -> AsyncIterator[TikTokShopOAuth]:
    def answered(request: httpx.Request) -> httpx.Response:
        response: httpx.Response = answer(request)
        return response

    async with TikTokShopOAuth(
        "app-key", secrets.app_secret, transport=httpx.MockTransport(answered)
    ) as oauth:
        yield oauth


@settings(max_examples=10)
@given(secrets_of_an_app)
def test_no_object_shows_a_secret(secrets: Secrets) -> None:
    async def objects() -> list[Any]:
        token, store = secrets.token(), MemoryTokenStore()
        shop = AuthorizedShop(id="1", cipher=secrets.cipher)
        record = AuthorizationRecord(token=token, shops=(shop,))
        oauth = TikTokShopOAuth("app-key", secrets.app_secret)
        client = AsyncTikTokShop(
            "app-key", secrets.app_secret, auth=AuthState(shop_cipher=secrets.cipher)
        )
        async with oauth, client, Authorizations(oauth, store) as authorizations:
            auth = await authorizations.add(token)
            assert auth.access_token == secrets.access_token
            return [
                *(token, shop, oauth, client, store, authorizations, auth, auth.authorization),
                *(record, client.auth, auth.for_shop(secrets.cipher)),
                client.for_shop(shop_cipher=secrets.cipher),
                AuthState(access_token=secrets.access_token, category_asset_cipher=secrets.cipher),
                StateSigner(secrets.app_secret),
                parse_redirect(f"code={quote(secrets.code, safe='')}"),
                Authorized(token=token, auth=auth, data=None),
            ]

    with all_logs() as logs:
        things = asyncio.run(objects())
        for thing in things:
            for text in all_forms(thing):
                secrets.assert_absent(text)
    secrets.assert_absent("\n".join(logs))


@pytest.mark.parametrize(
    "kind", [Token, TikTokShopOAuth, AsyncTikTokShop, Authorizations, AuthState]
)
def test_what_holds_secrets_refuses_to_be_pickled(kind: type[Any]) -> None:
    thing = kind.__new__(kind)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps([thing])
    assert copy.deepcopy(thing) is thing


def as_seen(request: httpx.Request) -> str:
    """Quote a request in several ways, secrets with and without their names."""
    words = str(request.url).replace("&", "=").split("=")
    return f"{request.url} {dict(request.url.params)} {list(request.url.params.values())} {words}"


def failures(secrets: Secrets) -> list[Callable[[httpx.Request], httpx.Response]]:
    """Return ways in which a token call fails, most of which quote what was sent."""

    def broken(kind: type[httpx.HTTPError]) -> Callable[[httpx.Request], httpx.Response]:
        def fail(request: httpx.Request) -> httpx.Response:
            raise kind(as_seen(request), request=request)

        return fail

    def told(code: int) -> Callable[[httpx.Request], httpx.Response]:
        return lambda request: with_data(secrets.document(), code=code, message=as_seen(request))

    def page(status: int) -> Callable[[httpx.Request], httpx.Response]:
        return lambda request: httpx.Response(
            status, html=f"<a href={str(request.url)!r}>{as_seen(request)} {secrets.document()}"
        )

    half = secrets.document() | {"access_token_expire_in": secrets.next_refresh_token}
    return [
        *map(broken, (httpx.ReadError, httpx.ConnectError, httpx.ReadTimeout, httpx.ProxyError)),
        *map(broken, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)),
        *map(told, (36004004, 36004001, 36009003, 36009004, 105002, 99)),
        *map(page, (200, 302, 403, 404, 429, 500, 503)),
        lambda request: with_data(half),
        lambda request: with_data([secrets.document()]),
        lambda request: httpx.Response(200, json={"data": secrets.document()}),
        lambda request: httpx.Response(200, json=str(with_data(secrets.document()).text)),
        lambda request: httpx.Response(200, headers={"content-encoding": "gzip"}, content=b"{}"),
    ]


@settings(max_examples=10)
@given(secrets_of_an_app)
def test_no_failed_token_call_shows_a_secret(secrets: Secrets) -> None:
    async def failing(call: Callable[[], Awaitable[Token]]) -> None:
        try:
            await call()
        except TikTokShopError as error:
            texts = list(all_of_an_error(error))
        for text in texts:
            secrets.assert_absent(text)

    async def all_fail() -> None:
        for failure in failures(secrets):
            async with an_oauth(secrets, failure) as oauth:
                await failing(lambda: oauth.exchange(secrets.code))
                await failing(lambda: oauth.refresh(secrets.refresh_token))

    with all_logs() as logs:
        asyncio.run(all_fail())
    secrets.assert_absent("\n".join(logs))


@settings(max_examples=10)
@given(secrets_of_an_app)
def test_no_call_shows_a_secret_whose_refresh_failed(secrets: Secrets) -> None:
    async def no_pause(seconds: float) -> None:
        await asyncio.sleep(0)

    async def all_fail() -> None:
        for failure in failures(secrets):
            events: list[Any] = []
            async with (
                an_oauth(secrets, failure) as oauth,
                Authorizations(
                    oauth, MemoryTokenStore(), on_event=events.append, sleep=no_pause
                ) as authorizations,
                AsyncTikTokShop(
                    "app-key",
                    secrets.app_secret,
                    auth=await authorizations.add(secrets.token()),
                    transport=httpx.MockTransport(lambda _: httpx.Response(500)),
                    sleep=no_pause,
                ) as client,
            ):
                try:
                    await client.authorization.get_authorized_shops()
                except TikTokShopError as error:
                    for text in all_of_an_error(error):
                        secrets.assert_absent(text)
            secrets.assert_absent(repr(events))

    with all_logs() as logs:
        asyncio.run(all_fail())
    secrets.assert_absent("\n".join(logs))


@settings(max_examples=10)
@given(secrets_of_an_app)
def test_no_call_shows_a_token_that_the_service_or_the_store_refused(secrets: Secrets) -> None:
    """Also where error trackers keep the values of names in every frame."""

    class FullStore(MemoryTokenStore):
        async def put(self, key: str, value: bytes, *, version: int) -> int:
            if secrets.next_access_token.encode() in value:
                del value  # a frame of the store's own
                raise OSError("full")
            return await super().put(key, value, version=version)

    async def no_pause(seconds: float) -> None:
        await asyncio.sleep(0)

    def expired(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"code": 105002, "message": "expired", "data": None})

    async def all_fail() -> None:
        fresh = attrs.evolve(
            secrets.token(), access_token_expires_at=datetime.fromtimestamp(2**34, UTC)
        )
        fresh_document = secrets.document() | {"open_id": fresh.open_id}
        for store in (MemoryTokenStore(), FullStore()):
            async with (
                an_oauth(secrets, lambda _: with_data(fresh_document)) as oauth,
                Authorizations(oauth, store, sleep=no_pause) as authorizations,
                AsyncTikTokShop(
                    "app-key",
                    secrets.app_secret,
                    auth=await authorizations.add(fresh),
                    transport=httpx.MockTransport(expired),
                    sleep=no_pause,
                ) as client,
            ):
                try:
                    await client.authorization.get_authorized_shops()
                except AccessTokenExpiredError as error:
                    texts = list(all_of_an_error(error))
                for text in texts:
                    secrets.assert_absent(text)

    with all_logs() as logs:
        asyncio.run(all_fail())
    secrets.assert_absent("\n".join(logs))


@pytest.mark.parametrize("transport", [None, httpx.AsyncHTTPTransport])
async def test_no_log_shows_a_secret_over_real_connections(transport: Any) -> None:
    """httpcore logs each step at DEBUG, our own connections that they connect, httpx each URL."""
    gone: list[asyncio.StreamWriter] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        gone.append(writer)

    secrets = Secrets(
        app_secret="sandbox-app-secret-4f1d8c20",
        access_token="SANDBOX_seller-token-7b29",
        refresh_token="SANDBOX_refresh-token-51fe",
        next_access_token="SANDBOX_token-",
        next_refresh_token="SANDBOX_refresh-",
        code="SANDBOX_code-of-nobody",
        cipher="SANDBOX_xkMbgAAAeVAQra0eZWebFQq5aIKt",
    )
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    broken = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with all_logs() as logs:
        async with server, run_sandbox(orders=0) as sandbox:
            for base_url in (sandbox.base_url, broken, "http://127.0.0.1:1"):
                async with TikTokShopOAuth(
                    sandbox.app_key,
                    secrets.app_secret,
                    base_url=base_url,
                    transport=transport and transport(),
                ) as oauth:
                    for call in (
                        oauth.exchange(secrets.code),
                        oauth.refresh(secrets.refresh_token),
                        oauth.refresh(secrets.refresh_token),
                    ):
                        try:
                            await call
                        except TikTokShopError as error:
                            for text in all_of_an_error(error):
                                secrets.assert_absent(text)
    connecting = "httpcore" if transport else "connected to"
    assert any(connecting in line for line in logs)
    assert gone
    secrets.assert_absent("\n".join(logs))
