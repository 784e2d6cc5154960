"""Lifetime, auth state and views of a client."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import subprocess
import sys
import traceback
import warnings
from collections.abc import Awaitable
from contextlib import suppress
from functools import cached_property
from typing import Any

import httpx
import pytest
from helpers.client import (
    ACCESS_TOKEN,
    APP_KEY,
    APP_SECRET,
    SECRETS,
    SHOP_CIPHER,
    FakeShop,
    new_client,
)

from tiktok_shop_async import (
    AsyncTikTokShop,
    AuthState,
    ClientClosedError,
    InvalidArgumentError,
    TikTokShopError,
    TikTokShopOAuth,
)


class ClosableShop(FakeShop):
    closed = False

    async def aclose(self) -> None:
        self.closed = True


async def test_a_client_closes_its_own_transport_and_then_refuses_to_work() -> None:
    transport = ClosableShop().answer({})
    async with new_client(transport=transport) as client:
        await client.authorization.get_authorized_shops()
    assert transport.closed
    with pytest.raises(ClientClosedError):
        await client.authorization.get_authorized_shops()
    with pytest.raises(ClientClosedError):
        async with client:
            pass
    await client.aclose()  # twice does no harm


async def test_a_borrowed_client_stays_open_and_works_for_others() -> None:
    transport = ClosableShop().answer({})
    async with httpx.AsyncClient(transport=transport) as borrowed:
        async with new_client(http_client=borrowed) as client:
            await client.authorization.get_authorized_shops()
        assert not borrowed.is_closed
        async with new_client(http_client=borrowed) as client:
            await client.authorization.get_authorized_shops()
    client = new_client(http_client=borrowed)
    with pytest.raises(ClientClosedError):
        await client.authorization.get_authorized_shops()


def test_a_second_event_loop_is_refused() -> None:
    shop = FakeShop().answer({})
    client = new_client(transport=shop)
    asyncio.run(client.authorization.get_authorized_shops())  # type: ignore[arg-type]
    with pytest.raises(ClientClosedError, match="event loop"):
        asyncio.run(client.authorization.get_authorized_shops())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        {"auth": AuthState(), "access_token": "x"},
        {"http_client": httpx.AsyncClient(), "transport": httpx.MockTransport(lambda _: None)},  # type: ignore[arg-type,return-value]
        {"base_url": "open-api.tiktokglobalshop.com"},
        {"base_url": "https://shop.example/?x=1"},
        {"max_in_flight": 0},
    ],
)
def test_contradictory_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        AsyncTikTokShop(APP_KEY, APP_SECRET, **arguments)


@pytest.mark.parametrize("credentials", [("", APP_SECRET), (APP_KEY, "")])
def test_empty_credentials_are_refused(credentials: tuple[str, str]) -> None:
    with pytest.raises(InvalidArgumentError, match="is empty"):
        AsyncTikTokShop(*credentials)


class TestAuth:
    async def test_a_missing_token_is_refused_unsent(self, shop: FakeShop) -> None:
        async with new_client(shop, auth=AuthState(shop_cipher="c")) as client:
            with pytest.raises(InvalidArgumentError, match="authorization code"):
                await client.order.get_order_detail(ids=["1"])
        assert not shop.requests

    async def test_a_missing_shop_cipher_is_refused_and_says_how_to_get_one(
        self, shop: FakeShop
    ) -> None:
        async with new_client(shop, auth=AuthState(access_token="t")) as client:
            with pytest.raises(InvalidArgumentError, match="get_authorized_shops"):
                await client.order.get_order_detail(ids=["1"])
        assert not shop.requests

    async def test_a_missing_category_asset_cipher_is_refused_and_says_how_to_get_one(
        self, shop: FakeShop
    ) -> None:
        async with new_client(shop, auth=AuthState(access_token="t", shop_cipher="c")) as client:
            with pytest.raises(InvalidArgumentError, match="category_asset"):
                await client.affiliate_partner.get_affiliate_partner_campaign_list(page_size=10)
        assert not shop.requests

    async def test_one_state_serves_many_clients(self, shop: FakeShop) -> None:
        shop.answer({})
        auth = AuthState(access_token="t")
        first, second = new_client(shop, auth=auth), new_client(shop, auth=auth)
        auth.access_token = "new"
        await asyncio.gather(
            *(client.authorization.get_authorized_shops() for client in (first, second))
        )
        assert [r.headers["x-tts-access-token"] for r in shop.requests] == ["new", "new"]

    async def test_views_of_many_shops_run_at_once_without_mixing(
        self, client: AsyncTikTokShop, shop: FakeShop
    ) -> None:
        shop.answers.append(
            lambda request: httpx.Response(
                200, json={"code": 0, "message": request.url.params["shop_cipher"]}
            )
        )
        views = [client.for_shop(shop_cipher=f"cipher-{number}") for number in range(50)]
        responses = await asyncio.gather(
            *(view.order.get_order_detail(ids=["1"]) for view in views)
        )
        assert [r.message for r in responses] == [f"cipher-{number}" for number in range(50)]

    async def test_a_view_follows_the_token_of_its_client(
        self, client: AsyncTikTokShop, shop: FakeShop
    ) -> None:
        shop.answer({})
        view = client.for_shop(shop_cipher="other")
        assert view.auth.access_token == ACCESS_TOKEN
        client.auth.access_token = "new"
        await view.order.get_order_detail(ids=["1"])
        assert shop.last.headers["x-tts-access-token"] == "new"
        assert client.auth.shop_cipher == SHOP_CIPHER

    async def test_a_view_with_another_token_does_not_inherit_ciphers(
        self, client: AsyncTikTokShop
    ) -> None:
        view = client.for_shop(access_token="another seller's")
        assert view.auth.shop_cipher is None
        assert client.for_shop(auth=view.auth).auth is view.auth
        for arguments in ({}, {"auth": view.auth, "shop_cipher": "x"}):
            with pytest.raises(InvalidArgumentError):
                client.for_shop(**arguments)  # type: ignore[arg-type]

    async def test_a_view_lives_and_dies_with_its_client(self, shop: FakeShop) -> None:
        shop.answer({})
        client = new_client(shop)
        async with client.for_shop(shop_cipher="other") as view:
            await view.order.get_order_detail(ids=["1"])
        await client.order.get_order_detail(ids=["1"])  # the view's end closed nothing
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await view.order.get_order_detail(ids=["1"])


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def empty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in (
            "APP_KEY",
            "APP_SECRET",
            "ACCESS_TOKEN",
            "APP_ACCESS_KEY",
            "SHOP_CIPHER",
            "BASE_URL",
        ):
            monkeypatch.delenv(f"TIKTOK_{name}", raising=False)

    async def test_a_client_is_made_from_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, shop: FakeShop
    ) -> None:
        shop.answer({})
        values = {
            "APP_KEY": "key", "APP_SECRET": "secret", "APP_ACCESS_KEY": "token",
            "SHOP_CIPHER": "cipher", "BASE_URL": "https://shop.example",
        }  # fmt: skip
        for name, value in values.items():
            monkeypatch.setenv(f"TIKTOK_{name}", value)
        async with AsyncTikTokShop.from_env(transport=shop, shop_cipher="given") as client:
            assert client.auth.access_token == "token"
            await client.order.get_order_detail(ids=["1"])
        assert shop.last.url.host == "shop.example"
        assert shop.last.url.params["shop_cipher"] == "given"
        monkeypatch.setenv("TIKTOK_ACCESS_TOKEN", "first")
        assert AsyncTikTokShop.from_env().auth.access_token == "first"

    def test_a_missing_variable_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TIKTOK_APP_KEY", "key")
        with pytest.raises(InvalidArgumentError, match="TIKTOK_APP_SECRET"):
            AsyncTikTokShop.from_env()
        assert AsyncTikTokShop.from_env(app_secret="given")


class TestConcurrency:
    async def test_calls_in_flight_are_bounded(self) -> None:
        under_way = most = 0

        async def answer(_: httpx.Request) -> httpx.Response:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return httpx.Response(200, json={"code": 0})

        async with new_client(httpx.MockTransport(answer), max_in_flight=7) as client:
            await asyncio.gather(*(client.authorization.get_authorized_shops() for _ in range(100)))
        assert most == 7

    async def test_cancelled_calls_give_their_places_back(self) -> None:
        async def never(_: httpx.Request) -> httpx.Response:
            return await asyncio.get_running_loop().create_future()

        async with new_client(httpx.MockTransport(never), max_in_flight=2) as client:
            for _ in range(5):
                tasks = [
                    asyncio.ensure_future(client.authorization.get_authorized_shops())
                    for _ in range(4)
                ]
                await asyncio.sleep(0.001)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            assert client._session.slots.free == 2


class NamedShop(AsyncTikTokShop):
    """A subclass as users write them: with arguments, attributes and a cache of its own."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(APP_KEY, APP_SECRET, access_token=ACCESS_TOKEN, **options)
        self.name = name

    @cached_property
    def described(self) -> str:
        return f"{self.name} as {self.auth.shop_cipher}"

    async def count(self) -> int:
        shops = await self.authorization.get_authorized_shops()
        return len(shops.data.shops)


class StrangelyMade(NamedShop):
    """One whose ``__new__`` and ``for_shop`` take other arguments than those of its base."""

    def __new__(cls, name: str, **_: Any) -> StrangelyMade:
        assert name
        return super().__new__(cls)

    def for_shop(self, shop: str) -> StrangelyMade:  # type: ignore[override]
        return super().for_shop(shop_id=shop)


class TestViewsOfSubclasses:
    async def test_a_view_has_the_attributes_and_methods_of_its_client(
        self, shop: FakeShop
    ) -> None:
        shop.answer({"shops": [{"id": "1"}]})
        async with NamedShop("mine", transport=shop) as client:
            view = client.for_shop(shop_cipher="other")
            assert type(view) is NamedShop
            assert view.name == "mine"
            assert await view.count() == 1
            assert await client.for_shop(shop_cipher="a").for_shop(shop_cipher="b").count() == 1
            view.name = "the view's"
            assert client.name == "mine"

    async def test_nothing_that_was_cached_for_the_client_is_in_its_view(
        self, shop: FakeShop
    ) -> None:
        shop.answer({})
        async with NamedShop("mine", transport=shop, shop_cipher=SHOP_CIPHER) as client:
            assert client.described == f"mine as {SHOP_CIPHER}"
            await client.order.get_order_detail(ids=["1"])
            view = client.for_shop(shop_cipher="other")
            assert view.described == "mine as other"
            assert view.order is not client.order
            await view.order.get_order_detail(ids=["1"])
            assert shop.last.url.params["shop_cipher"] == "other"
            await client.order.get_order_detail(ids=["1"])
            assert shop.last.url.params["shop_cipher"] == SHOP_CIPHER

    async def test_a_subclass_may_be_made_in_its_own_way(self, shop: FakeShop) -> None:
        shop.answer({"shops": [{"id": "7", "cipher": "of 7"}]}).answer({})
        async with StrangelyMade("mine", transport=shop) as client:
            view = client.for_shop("7")
            assert view.name == "mine"
            await view.order.get_order_detail(ids=["1"])
            assert shop.last.url.params["shop_cipher"] == "of 7"


class TestClientsThatNobodyCloses:
    """A `ResourceWarning` names them, when connections may be open."""

    @staticmethod
    async def use(transport: httpx.AsyncBaseTransport | None = None, **options: Any) -> None:
        client = new_client(transport, **options)
        with suppress(TikTokShopError):
            await client.for_shop(shop_cipher="other").order.get_order_detail(ids=["1"])

    @staticmethod
    async def use_oauth() -> None:
        oauth = TikTokShopOAuth("app", "a-secret", transport=ClosableShop().answer(code=36004004))
        with pytest.raises(TikTokShopError):
            await oauth.exchange("a-code")

    @staticmethod
    async def warnings_after(use: Awaitable[None]) -> list[str]:
        gc.collect()  # what other tests left
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            await use
            gc.collect()
        return [f"{each.category.__name__}: {each.message}" for each in caught]

    async def test_the_warning_names_class_and_app_key_and_no_secret(self) -> None:
        (text,) = await self.warnings_after(self.use(ClosableShop().answer({})))
        assert text.startswith(f"ResourceWarning: <AsyncTikTokShop app_key='{APP_KEY}' open> was")
        assert not [secret for secret in SECRETS if secret in text]

    async def test_an_oauth_that_nobody_closes_is_named_too(self) -> None:
        (text,) = await self.warnings_after(self.use_oauth())
        assert text.startswith("ResourceWarning: <TikTokShopOAuth app_key='app' open> was")

    async def test_a_default_client_that_was_used_is_named(self) -> None:
        (text,) = await self.warnings_after(self.use(base_url="http://127.0.0.1:1"))
        assert "never closed" in text

    async def test_none_is_named_that_has_nothing_to_close(self) -> None:
        """It was closed, never used, borrows its connections, is a view, or was not even made."""
        shop = ClosableShop().answer({})

        async def make_many() -> None:
            new_client(ClosableShop())
            new_client()
            TikTokShopOAuth("app", "a-secret")
            await self.use(FakeShop().answer({}))
            async with httpx.AsyncClient(transport=shop) as borrowed:
                await self.use(http_client=borrowed)
            async with new_client(shop) as client:
                await client.for_shop(shop_cipher="other").order.get_order_detail(ids=["1"])
            for make in (AsyncTikTokShop, TikTokShopOAuth):
                with pytest.raises(InvalidArgumentError):
                    make("", "")

        assert await self.warnings_after(make_many()) == []

    def test_a_program_that_ends_is_not_bothered(self) -> None:
        program = """
import asyncio
from tiktok_shop_async import AsyncTikTokShop, TikTokShopError

client = AsyncTikTokShop("key", "secret", access_token="token", base_url="http://127.0.0.1:1")

async def main():
    try:
        await client.authorization.get_authorized_shops()
    except TikTokShopError:
        pass

asyncio.run(main())
"""
        run = subprocess.run(  # noqa: S603
            [sys.executable, "-W", "error", "-c", program],
            check=True,
            capture_output=True,
            text=True,
        )
        assert run.stderr == ""


async def test_secrets_show_nowhere(
    caplog: pytest.LogCaptureFixture, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    shop.answer({"shops": [{"id": "1", "cipher": SHOP_CIPHER}]}).answer(code=106001)
    async with new_client(shop) as client:
        response = await client.authorization.get_authorized_shops()
        shown = [repr(client), repr(client.auth), repr(client.for_shop(shop_cipher=SHOP_CIPHER))]
        shown += [repr(response), repr(client._session.options), str(client.auth)]
        with pytest.raises(TikTokShopError) as caught:
            await client.order.get_order_detail(ids=["1"])
    shown += traceback.format_exception(caught.value)
    shown += [repr(caught.value), pickle.dumps(caught.value).decode("latin-1"), caplog.text]
    assert not [secret for secret in SECRETS for text in shown if secret in text]


async def test_many_clients_live_side_by_side(shop: FakeShop) -> None:
    shop.answer({})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clients = [new_client() for _ in range(100)]
        await asyncio.gather(*(client.aclose() for client in clients))
        del clients
        gc.collect()


async def test_requests_are_stamped_by_the_clients_clock() -> None:
    times = iter((1_800_000_000.9, 1_800_000_300.0))
    shop = FakeShop().answer({})
    async with new_client(shop, clock=lambda: next(times)) as client:
        await client.authorization.get_authorized_shops()
        await client.for_shop(shop_cipher="another").authorization.get_authorized_shops()
    stamps = [request.url.params["timestamp"] for request in shop.requests]
    assert stamps == ["1800000000", "1800000300"]
