"""The environment's proxies and NO_PROXY have the same effect as in httpx, with a real proxy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Peer, Server, serving

from tiktok_shop_async import AsyncTikTokShop, InvalidArgumentError, TikTokShopError

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
ENTRIES = [
    "*",
    "",
    "localhost",
    "LOCALHOST",
    "shop.example",
    ".shop.example",
    "*.shop.example",
    "example",
    "hop.example",
    "shop.example:8080",
    "shop.example:80",
    "shop.example:8443",
    ".shop.example:8080",
    "http://shop.example",
    "https://shop.example",
    "http://shop.example:8080",
    "https://shop.example:8443",
    "all://shop.example",
    "all://*shop.example",
    "http://",
    "https://",
    "all://",
    "http://*",
    ":8080",
    "10.0.0.1",
    "10.0.0.0/8",
    "10.0.0.1:8080",
    "::1",
    "http://10.0.0.1",
]
URLS = [
    "http://shop.example",
    "http://shop.example:8080",
    "https://shop.example",
    "https://shop.example:8443",
    "http://api.shop.example",
    "http://api.shop.example:8080",
    "http://other.example",
    "http://workshop.example",
    "http://10.0.0.1",
    "http://10.0.0.1:8080",
    "http://10.0.0.2",
    "http://[::1]:8080",
    "http://localhost:1",
]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing but 127.0.0.1 be found, so that whatever is not proxied fails at once."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in ("127.0.0.1", b"127.0.0.1"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


async def answer(peer: Peer) -> None:
    while head := await peer.request():
        if head.startswith(b"CONNECT "):
            await peer.answer(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
        else:
            await peer.answer()


@pytest.fixture
async def proxy() -> AsyncIterator[Server]:
    async with serving(answer) as server:
        yield server


async def is_proxied_by_httpx(proxy: Server, url: str) -> bool:
    before = proxy.connections
    async with httpx.AsyncClient(verify=False) as client:  # noqa: S501 - it talks to nobody
        with suppress(httpx.TransportError):
            await client.get(url)
    return proxy.connections > before


async def is_proxied_by_us(proxy: Server, url: str) -> bool:
    before = proxy.connections
    async with AsyncTikTokShop(
        "key", "secret", access_token="t", base_url=url, verify=False, max_retries=0
    ) as client:
        with suppress(TikTokShopError):
            await client.request("GET", "/a/202309/b", cipher="none")
    return proxy.connections > before


@pytest.mark.usefixtures("only_loopback")
@pytest.mark.parametrize("entry", ENTRIES)
async def test_each_entry_counts_as_in_httpx(
    proxy: Server, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", entry)
    for url in URLS:
        assert await is_proxied_by_us(proxy, url) == await is_proxied_by_httpx(proxy, url), url


@pytest.mark.usefixtures("only_loopback")
async def test_the_listed_cases_of_the_issue(
    proxy: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
    for no_proxy, direct in {
        "shop.example:8080": ["http://shop.example:8080", "http://api.shop.example:8080"],
        "http://shop.example": ["http://shop.example", "http://shop.example:8080"],
    }.items():
        monkeypatch.setenv("no_proxy", no_proxy)
        reached = [url for url in URLS[:7] if not await is_proxied_by_us(proxy, url)]
        assert reached == direct


@pytest.mark.usefixtures("only_loopback")
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    entries=st.lists(st.sampled_from(ENTRIES[1:]), max_size=4),
    schemes=st.sets(st.sampled_from(["http", "https", "all"]), min_size=1),
    urls=st.lists(st.sampled_from(URLS), min_size=3, max_size=3, unique=True),
)
def test_any_environment_counts_as_in_httpx(
    entries: list[str], schemes: set[str], urls: list[str]
) -> None:
    async def main() -> None:
        async with serving(answer) as proxy:
            with environment(
                no_proxy=" , ".join(entries),
                **{f"{scheme}_proxy": f"http://127.0.0.1:{proxy.port}" for scheme in schemes},
            ):
                for url in urls:
                    ours = await is_proxied_by_us(proxy, url)
                    assert ours == await is_proxied_by_httpx(proxy, url), url

    asyncio.run(main())


@pytest.mark.usefixtures("only_loopback")
@pytest.mark.parametrize(
    ("entry", "direct"),
    [("[::1]:8080", True), ("[::1]", True), ("::1/128", True), ("fe80::/10", False)],
)
async def test_ipv6_entries_that_httpx_cannot_read_are_understood(
    proxy: Server, monkeypatch: pytest.MonkeyPatch, entry: str, direct: bool
) -> None:
    """Of a network, the address itself counts, as it does in httpx for IPv4."""
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", entry)
    assert await is_proxied_by_us(proxy, "http://[::1]:8080") is not direct
    assert await is_proxied_by_us(proxy, "http://shop.example")


async def test_an_entry_that_is_not_a_host_is_named(
    monkeypatch: pytest.MonkeyPatch, proxy: Server
) -> None:
    """httpx raises an error of its own for it; ours names the variable when the client is made."""
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", "localhost,shop.example:port")
    with pytest.raises(InvalidArgumentError, match="NO_PROXY"):
        AsyncTikTokShop("key", "secret")
