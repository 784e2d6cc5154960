"""Invalid arguments of clients, OAuth and options are rejected early; errors name valid ones."""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from support import APP_KEY, APP_SECRET, SECRETS, FakeShop, new_client

from tiktok_shop_async import (
    AsyncTikTokShop,
    ConnectError,
    InvalidArgumentError,
    RequestOptions,
    TikTokShopOAuth,
)
from tiktok_shop_async.limits import LearningLimiter

NOT_NUMBERS = ["5", True, False, math.nan, math.inf, -1, 0, 0.0, (5, 5), timedelta(seconds=5), []]
NOT_COUNTS = [2.5, "3", True, None, math.nan, -1, [3]]


def client(**arguments: Any) -> AsyncTikTokShop:
    return AsyncTikTokShop(APP_KEY, APP_SECRET, access_token="ROW_token-1f9", **arguments)


def oauth(**arguments: Any) -> TikTokShopOAuth:
    return TikTokShopOAuth(APP_KEY, APP_SECRET, **arguments)


class HalfALimiter:
    def try_acquire(self, key: object) -> None: ...


REJECTED: list[tuple[Callable[..., object], str, list[Any]]] = [
    (client, "timeout", NOT_NUMBERS),
    (client, "deadline", NOT_NUMBERS),
    (client, "max_retries", NOT_COUNTS),
    (client, "max_in_flight", [*NOT_COUNTS, 0]),
    (client, "max_response_bytes", [*NOT_COUNTS, 0]),
    (client, "auth", ["token", {"access_token": "x"}]),
    (client, "http_client", [httpx.Client(), httpx.AsyncClient, "http://x", httpx]),
    (client, "transport", [httpx.HTTPTransport(), httpx.AsyncHTTPTransport, "http://x", object()]),
    (client, "retry_policy", [3, "never"]),
    (client, "limiter", [5, HalfALimiter(), LearningLimiter]),
    (client, "api_versions", ["202309", ["return_refund.cancel_order"], {1: "202309"}]),
    (client, "api_versions", [{"return_refund.cancel_order": 202309}]),
    (client, "proxy", [8080, {"https": "http://x"}, "", "localhost:8080", "ftp://x", "http://"]),
    (client, "proxy", ["socks://x", "socks4://x", "http://h:abc", "http://h:99999"]),
    (client, "verify", ["/etc/ssl/ca.pem", Path("ca.pem"), None, 1, "false"]),
    (client, "trust_env", ["false", None, 1]),
    (client, "observers", [print, "print", {"a": print}, [5], 5, None]),
    (client, "clock", [5, None]),
    (client, "sleep", [5]),
    (oauth, "timeout", NOT_NUMBERS),
    (oauth, "transport", [httpx.HTTPTransport(), "http://x"]),
    (oauth, "proxy", [8080, "localhost:8080"]),
    (oauth, "verify", ["/etc/ssl/ca.pem", None]),
    (oauth, "trust_env", ["false"]),
    (oauth, "clock", [5, None]),
    (oauth, "base_url", [5, "", "auth.example"]),
    (RequestOptions, "timeout", NOT_NUMBERS),
    (RequestOptions, "deadline", NOT_NUMBERS),
    (RequestOptions, "max_retries", [each for each in NOT_COUNTS if each is not None]),
    (RequestOptions, "priority", ["urgent", 1, None]),
    (RequestOptions, "api_version", [202309, b"202309"]),
    (RequestOptions, "idempotency_key", [5, b"key"]),
    (RequestOptions, "extra_query", ["a=1", [("a", 1)], {1: "a"}]),
    (RequestOptions, "extra_body", ["{}", [1]]),
    (RequestOptions, "extra_headers", ["a: 1", {"a": 1}, {"a": b"1"}, {1: "a"}]),
]


@pytest.mark.parametrize(
    ("make", "argument", "value"),
    [
        pytest.param(make, argument, value, id=f"{make.__name__}-{argument}-{group}-{number}")
        for group, (make, argument, values) in enumerate(REJECTED)
        for number, value in enumerate(values)
    ],
)
def test_a_wrong_argument_is_rejected_with_its_name(
    make: Callable[..., object], argument: str, value: Any
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make(**{argument: value})
    named = {"observers": "observer", "api_versions": "version"}.get(argument, argument)
    assert named in caught.value.message
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


@pytest.mark.parametrize(
    ("make", "arguments", "message", "hint"),
    [
        (client, {"max_in_flight": 2.5}, "max_in_flight must be a positive integer, not 2.5.", ""),
        (
            client,
            {"timeout": "5"},
            "timeout must be a positive number of seconds, an httpx.Timeout or None, not '5'.",
            "None waits",
        ),
        (client, {"timeout": 0}, "not 0.", "None waits without limit"),
        (client, {"observers": print}, "a sequence of callables", "[observer]"),
        (client, {"http_client": httpx.Client()}, "an httpx.AsyncClient", "blocks the event loop"),
        (client, {"transport": httpx.HTTPTransport()}, "AsyncBaseTransport", "AsyncHTTPTransport"),
        (client, {"verify": "ca.pem"}, "ssl.SSLContext", "create_default_context(cafile"),
        (client, {"limiter": HalfALimiter()}, "LearningLimiter()", "acquire"),
        (client, {"limiter": LearningLimiter}, "the class LearningLimiter", "instance"),
        (RequestOptions, {"timeout": 0}, "not 0.", "httpx.Timeout(None)"),
    ],
)
def test_the_error_says_what_is_accepted(
    make: Callable[..., object], arguments: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make(**arguments)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"timeout": 3}, "Pass options=RequestOptions(timeout=3)."),
        ({}, "Pass options=RequestOptions(timeout=5)."),
        ({"extra_headers": {"a": "ROW_x"}}, "Pass options=RequestOptions(extra_headers=…)."),
        (3, "Pass options=RequestOptions(timeout=5)."),
    ],
)
async def test_options_that_are_no_request_options_are_rejected_unsent(
    options: Any, hint: str
) -> None:
    shop = FakeShop().answer({})
    async with new_client(shop) as client:
        for call in (
            lambda: client.return_refund.cancel_order(
                order_id="1", cancel_reason="x", options=options
            ),
            lambda: client.order.get_order_list(page_size=1, options=options),
            lambda: client.request("GET", "/order/202309/orders", options=options),
        ):
            with pytest.raises(InvalidArgumentError, match="options must be") as caught:
                await call()
            assert caught.value.argument == "options"
            assert caught.value.hint == hint
    assert not shop.requests


def test_every_argument_has_rows_here() -> None:
    """A new argument needs a rule: which values are rejected, and how."""
    credentials = {"app_key", "app_secret", "access_token", "shop_cipher", "category_asset_cipher"}
    tested_elsewhere = credentials | {"service_id"}
    checked_by_their_owner = {"before_sending"}
    for make, kind in (
        (client, AsyncTikTokShop),
        (oauth, TikTokShopOAuth),
        (RequestOptions, RequestOptions),
    ):
        arguments = set(inspect.signature(kind).parameters)
        rows = {argument for each, argument, _ in REJECTED if each is make} | {"base_url"}
        assert not arguments - rows - tested_elsewhere - checked_by_their_owner


@pytest.mark.parametrize(
    "arguments",
    [
        {"timeout": 5},
        {"timeout": 0.1},
        {"timeout": None},
        {"timeout": httpx.Timeout(5, connect=1)},
        {"deadline": 1},
        {"max_retries": 0},
        {"proxy": "http://user:password@proxy.example:3128"},
        {"proxy": httpx.Proxy("https://proxy.example")},
        {"proxy": httpx.URL("http://proxy.example")},
        {"verify": False},
        {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
        {"observers": (print, print)},
        {"observers": iter([print])},
        {"base_url": "http://127.0.0.1:8000/prefix/"},
        {"base_url": "https://münchen.example"},
        {"base_url": "https://[::1]:8443"},
        {"base_url": "https://user:password@shop.example"},  # which are never sent or shown
    ],
)
def test_good_arguments_are_accepted(arguments: dict[str, Any]) -> None:
    assert client(**arguments)


@pytest.mark.parametrize(
    "base_url",
    [
        None,
        5,
        b"https://shop.example",
        "",
        "shop.example",
        "ftp://shop.example",
        "https://",
        "https:///path",
        "https://shop.example:port",
        "https://shop.example:99999",
        "https://shop.example:0",
        "https://shop.example\n",
        "https://shop.example/\r\nx: y",
        " https://shop.example",
        "https://shop example",
        "https://xn--.example",
        "https://☃.example",
        "https://a..b",
        "https://" + "a" * 64 + ".example",
        "https://[::1",
        "https://user:pass-7w0rd@shop.example:port",
        "https://shop.example/?x=1",
        "https://shop.example?",
        "https://shop.example/#x",
    ],
)
def test_a_malformed_base_url_is_rejected_when_the_client_is_made(base_url: Any) -> None:
    for make in (client, oauth):
        if make is oauth and base_url is None:
            continue  # the platform's own hosts
        with pytest.raises(InvalidArgumentError, match="base_url") as caught:
            make(base_url=base_url)
        assert caught.value.argument == "base_url"
        assert "pass-7w0rd" not in str(caught.value)


def test_a_malformed_base_url_of_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIKTOK_APP_KEY", APP_KEY)
    monkeypatch.setenv("TIKTOK_APP_SECRET", APP_SECRET)
    monkeypatch.setenv("TIKTOK_BASE_URL", "https://shop.example:port")
    with pytest.raises(InvalidArgumentError, match="TIKTOK_BASE_URL"):
        AsyncTikTokShop.from_env()


# Proxies and certificates ---------------------------------------------------------------------

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*PROXY_VARIABLES, *map(str.upper, PROXY_VARIABLES), *CERTIFICATE_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("make", [client, oauth])
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", "socks://user:pass-7w0rd@proxy.example:1080", "socks://, which is not"),
        ("HTTPS_PROXY", "socks4://proxy.example:1080", "socks4://, which is not"),
        ("all_proxy", "socks5://proxy.example:1080", "requires the package socksio"),
        ("https_proxy", "http://user:pass-7w0rd@proxy.example:port", "not the URL of a proxy"),
        ("http_proxy", "http://", "not the URL of a proxy"),
        ("HTTPS_PROXY", "proxy.example:99999", "not the URL of a proxy"),
    ],
)
def test_a_proxy_of_the_environment_that_cannot_be_used_is_named_when_the_client_is_made(
    environment: pytest.MonkeyPatch, make: Any, variable: str, value: str, words: str
) -> None:
    environment.setattr("importlib.util.find_spec", lambda name: None)
    environment.setenv(variable, value)
    with pytest.raises(InvalidArgumentError) as caught:
        make()
    assert variable in caught.value.message
    assert words in caught.value.message
    assert "trust_env=False" in (caught.value.hint or "")
    assert "pass-7w0rd" not in str(caught.value)
    assert make(trust_env=False)
    assert make(transport=FakeShop())


def test_a_socks_proxy_needs_its_package_when_the_client_is_made(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidArgumentError, match="further package") as caught:
        client(proxy="socks5://proxy.example:1080")
    assert "pip install 'httpx[socks]'" in (caught.value.hint or "")


def test_a_proxy_for_all_schemes_that_is_never_used_does_no_harm(
    environment: pytest.MonkeyPatch,
) -> None:
    """Desktops set all three, the last one with a scheme of their own."""
    environment.setenv("http_proxy", "http://127.0.0.1:7890")
    environment.setenv("https_proxy", "http://127.0.0.1:7890")
    environment.setenv("all_proxy", "socks://127.0.0.1:7890")
    assert client()


@pytest.mark.parametrize("make", [client, oauth])
@pytest.mark.parametrize("variable", CERTIFICATE_VARIABLES)
def test_a_missing_certificate_file_is_named_when_the_client_is_made(
    environment: pytest.MonkeyPatch, tmp_path: Path, make: Any, variable: str
) -> None:
    environment.setenv(variable, str(tmp_path / "missing" / "file.pem"))
    with pytest.raises(InvalidArgumentError) as caught:
        make()
    assert variable in caught.value.message
    assert "file.pem" in caught.value.message
    assert make(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert make(verify=False)
    assert make(base_url="http://127.0.0.1:1")
    if variable != "SSLKEYLOGFILE":  # which Python reads in any case
        assert make(trust_env=False)


async def test_a_file_without_certificates_is_named_by_the_call(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    environment.setenv("SSL_CERT_FILE", str(broken))
    # `trust_env` False and True have a context each; this one must not be that of other tests.
    from tiktok_shop_async.transport import connection_stack as connections

    environment.setattr(connections, "_new_ssl_context", connections._new_ssl_context.__wrapped__)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with client(base_url=f"https://127.0.0.1:{port}") as shop:
            with pytest.raises(InvalidArgumentError, match="SSL_CERT_FILE"):
                await shop.authorization.get_authorized_shops()


async def test_a_certificate_that_is_not_trusted_gets_a_hint() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with client(base_url=f"https://127.0.0.1:{port}", max_retries=0) as shop:
            with pytest.raises(ConnectError, match="certificate") as caught:
                await shop.authorization.get_authorized_shops()
    assert "cafile" in (caught.value.hint or "")
    assert not caught.value.maybe_sent


@pytest.mark.parametrize("base_url", ["http://shop.example", "https://shop.example"])
async def test_a_proxy_that_cannot_be_reached_is_named_by_the_call(base_url: str) -> None:
    proxy = "http://user:pass-7w0rd@127.0.0.1:1"
    async with client(base_url=base_url, proxy=proxy, max_retries=0) as shop:
        with pytest.raises(ConnectError, match=r"proxy.*127\.0\.0\.1:1") as caught:
            await shop.authorization.get_authorized_shops()
    assert "proxy" in (caught.value.hint or "")
    assert "pass-7w0rd" not in str(caught.value)
    assert not caught.value.maybe_sent


async def test_a_proxy_that_refuses_gets_a_hint() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with client(base_url="https://shop.example", proxy=proxy, max_retries=0) as shop:
            with pytest.raises(ConnectError, match="proxy") as caught:
                await shop.authorization.get_authorized_shops()
    assert "user and password" in (caught.value.hint or "")


def test_making_a_client_reads_no_certificates_and_imports_no_ssl_backend(tmp_path: Path) -> None:
    code = (
        "import httpx, ssl, sys\n"
        "loaded = {*sys.modules}\n"  # httpx 0.27 imports httpcore at once
        "def refuse(*_, **__): raise AssertionError('certificates were read')\n"
        "ssl.create_default_context = ssl.SSLContext.load_verify_locations = refuse\n"
        "from tiktok_shop_async import AsyncTikTokShop\n"
        "AsyncTikTokShop('key', 'secret', access_token='token')\n"
        "assert not {'httpcore', 'attr'} & ({*sys.modules} - loaded)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))  # noqa: S603


# Timeouts of a borrowed client ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "per_call", "expected"),
    [
        ({}, None, {"connect": 7.0, "read": 8.0, "write": 7.0, "pool": 7.0}),
        ({"timeout": 3}, None, dict.fromkeys(("connect", "read", "write", "pool"), 3)),
        ({"timeout": 30.0}, None, dict.fromkeys(("connect", "read", "write", "pool"), 30.0)),
        ({"timeout": None}, None, dict.fromkeys(("connect", "read", "write", "pool"))),
        ({}, 2, dict.fromkeys(("connect", "read", "write", "pool"), 2)),
        ({"timeout": 3}, 2, dict.fromkeys(("connect", "read", "write", "pool"), 2)),
    ],
)
async def test_a_borrowed_clients_timeout_applies_unless_one_is_given(
    given: dict[str, Any], per_call: float | None, expected: dict[str, Any]
) -> None:
    shop = FakeShop().answer({})
    timeout = httpx.Timeout(7, read=8)
    async with (
        httpx.AsyncClient(transport=shop, timeout=timeout) as borrowed,
        new_client(http_client=borrowed, **given) as client,
    ):
        options = RequestOptions(timeout=per_call)
        await client.authorization.get_authorized_shops(options=options)
    assert shop.last.extensions["timeout"] == expected


async def test_a_borrowed_clients_timeout_may_change_later() -> None:
    shop = FakeShop().answer({})
    async with (
        httpx.AsyncClient(transport=shop, timeout=7) as borrowed,
        new_client(http_client=borrowed) as client,
    ):
        await client.authorization.get_authorized_shops()
        borrowed.timeout = httpx.Timeout(9)
        await client.authorization.get_authorized_shops()
    assert shop.last.extensions["timeout"]["read"] == 9


async def test_the_default_timeout_of_a_client_of_its_own_is_30_seconds() -> None:
    shop = FakeShop().answer({})
    async with new_client(shop) as client:
        await client.authorization.get_authorized_shops()
    assert shop.last.extensions["timeout"]["read"] == 30.0
    assert "timeout: 'Timeout | None' = 30.0" in str(inspect.signature(AsyncTikTokShop))


@pytest.mark.parametrize(
    "arguments",
    [{"shop_id": value} for value in (True, 7.0, b"7", "", 0, ["7"])]
    + [{"shop_code": value} for value in (True, b"X", "")]
    + [{"auth": "token"}],
)
def test_a_wrong_argument_of_for_shop_is_rejected_with_its_name(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        client().for_shop(**arguments)
    assert caught.value.argument in arguments


async def test_the_id_of_a_shop_may_be_a_number() -> None:
    shop = FakeShop().answer({"shops": [{"id": "7", "cipher": "ROW_7"}]}).answer({})
    async with new_client(shop) as client:
        await client.for_shop(shop_id=7).order.get_order_detail(ids=["1"])  # type: ignore[arg-type]
    assert shop.last.url.params["shop_cipher"] == "ROW_7"
