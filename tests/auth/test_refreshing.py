"""Tokens are refreshed in time, once, and never lost, whatever goes wrong in between."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest
from helpers.auth.environment import DAY, REASON, Process, UnreliableStore, World

from tiktok_shop_async import (
    AccessTokenExpiredError,
    AsyncTikTokShop,
    InvalidArgumentError,
    PermissionDeniedError,
    ReauthorizationRequiredError,
    TikTokAPIError,
    TokenStoreError,
    TransportError,
)
from tiktok_shop_async.auth import (
    AuthEvent,
    AuthorizationExpiring,
    MemoryTokenStore,
    ReauthorizationRequired,
    RefreshFailed,
    TokenNotStored,
    TokenRefreshed,
)
from tiktok_shop_async.sandbox import DEMO_SECOND_SHOP_CIPHER

WEEK = 7 * DAY


@pytest.fixture
async def world() -> World:
    return World()


@asynccontextmanager
async def started(world: World) -> AsyncIterator[tuple[Process, AsyncTikTokShop]]:
    """A process that has just been authorized, and a client of the shop."""
    process = world.process()
    token = await world.authorized()
    await process.authorizations.add(token)
    async with process.authorizations, process.client(token.open_id) as client:
        yield process, client


async def cancel(client: AsyncTikTokShop, order_id: str) -> None:
    await client.return_refund.cancel_order(order_id=order_id, cancel_reason=REASON)


def open_id_of(process: Process) -> str:
    [open_id] = process.authorizations._by_open_id
    return open_id


async def test_an_expired_token_is_refreshed_once_however_many_tasks_ask(world: World) -> None:
    async with started(world) as (process, client):
        world.clock.advance(WEEK)
        order_ids = world.order_ids()
        await asyncio.gather(*(cancel(client, order_id) for order_id in order_ids))
        assert world.market.refreshes == 1
        assert process.told(TokenRefreshed) == 1
        assert set(world.sandbox.shop.times_cancelled.values()) == {0, 1}
        assert not world.order_ids()


async def test_a_token_is_replaced_ahead_of_time_without_a_call_waiting(world: World) -> None:
    """The first call within the margin starts it, and goes out with the old token."""
    async with started(world) as (_, client):
        await client.order.get_order_list(page_size=1)
        before = client.auth.access_token
        world.clock.advance(WEEK - 1800)
        world.sandbox.faults.add("slow_headers", operation="oauth.refresh", seconds=5)
        await client.order.get_order_list(page_size=1)
        assert client.auth.access_token == before
        world.clock.advance(5)
        await client.auth.authorization.settle()  # type: ignore[union-attr]
        assert client.auth.access_token != before
        await client.order.get_order_list(page_size=1)
        assert world.market.refreshes == 1


async def test_two_processes_refresh_once_between_them(world: World) -> None:
    async with started(world) as (process, client):
        other = world.process()
        async with other.client(open_id_of(process)) as second:
            world.clock.advance(WEEK)
            await asyncio.gather(
                *(each.order.get_order_list(page_size=1) for each in [client, second] * 20)
            )
            assert world.market.refreshes == 1
            assert client.auth.access_token == second.auth.access_token
            assert process.told(TokenRefreshed) + other.told(TokenRefreshed) == 1


async def test_a_write_that_met_an_expired_token_is_repeated_with_the_next(world: World) -> None:
    """105002 says that nothing was processed; our clock may think the token is good."""
    world = World(old_access_token_stops=True)
    async with started(world) as (process, client):
        other = world.process()
        async with other.client(open_id_of(process)) as second:
            await client.order.get_order_list(page_size=1)
            await second.authorization.get_authorized_shops()
            # Another process refreshes, and the service stops the old token at once.
            await refresh(second)
            order_id = world.order_ids()[0]
            await cancel(client, order_id)
            assert world.market.refreshes == 1
            assert len(world.sandbox.shop.orders[order_id].cancellations) == 1


async def test_a_token_that_stays_expired_is_refreshed_once_and_the_call_fails(
    world: World,
) -> None:
    async with started(world) as (process, _):
        expired = httpx.Response(401, json={"code": 105002, "message": "expired", "data": None})
        calls = []

        def answer(request: httpx.Request) -> httpx.Response:
            calls.append(request)
            return expired

        async with process.client(
            open_id_of(process), transport=httpx.MockTransport(answer)
        ) as failing:
            with pytest.raises(AccessTokenExpiredError):
                await failing.authorization.get_authorized_shops()
        assert len(calls) == 2
        assert world.market.refreshes == 1


@pytest.mark.parametrize("code", [101000, 105005, 36009043, 36009044])
async def test_what_no_new_token_mends_is_not_refreshed(code: int, world: World) -> None:
    async with started(world) as (process, _):
        refusal = httpx.Response(401, json={"code": code, "message": "no", "data": None})
        transport = httpx.MockTransport(lambda request: refusal)
        async with process.client(open_id_of(process), transport=transport) as client:
            with pytest.raises(PermissionDeniedError):
                await client.authorization.get_authorized_shops()
        assert world.market.refreshes == 0


async def test_a_dead_refresh_token_names_the_seller_and_where_to_send_them(world: World) -> None:
    """In every process, at once from then on, until the seller has authorized again."""
    async with started(world) as (process, client):
        other = world.process()
        world.clock.advance(366 * DAY)
        with pytest.raises(ReauthorizationRequiredError) as caught:
            await client.order.get_order_list(page_size=1)
        error = caught.value
        assert error.seller == "Sandbox Goods"
        assert error.authorization_url is not None
        assert error.authorization_url.startswith("http://sandbox.local/open/authorize?service_id=")
        assert error.authorization_url in str(error)
        assert error.operation == "order.get_order_list"
        assert process.told(ReauthorizationRequired) == 1
        async with other.client(open_id_of(process)) as second:
            for each in (client, second):
                with pytest.raises(ReauthorizationRequiredError):
                    await each.authorization.get_authorized_shops()
            assert world.market.grants.refused_refreshes == 1
            await process.authorizations.add(await world.authorized())
            for each in (client, second):
                await each.authorization.get_authorized_shops()


async def test_a_refresh_whose_answer_was_lost_is_sent_again(world: World) -> None:
    """Within the service's grace the same pair comes back."""
    world = World(refresh_grace_seconds=60)
    async with started(world) as (process, client):
        world.clock.advance(WEEK)
        world.sandbox.faults.add("lost_answer", operation="oauth.refresh", nth=1)
        await client.order.get_order_list(page_size=1)
        assert process.told(TokenRefreshed) == 1
        assert world.slept == [1.0]


async def test_where_the_service_knows_no_grace_the_error_says_what_was_lost(world: World) -> None:
    async with started(world) as (process, client):
        world.clock.advance(WEEK)
        world.sandbox.faults.add("lost_answer", operation="oauth.refresh", nth=1)
        with pytest.raises(ReauthorizationRequiredError, match="its response was lost"):
            await client.order.get_order_list(page_size=1)
        assert process.told(ReauthorizationRequired) == 1


async def test_a_service_that_cannot_be_reached_loses_nothing(world: World) -> None:
    """The calls fail as not sent, and the next one refreshes."""
    async with started(world) as (process, client):
        world.clock.advance(WEEK)
        fault = world.sandbox.faults.add("reset_before", operation="oauth.refresh")
        order_id = world.order_ids()[0]
        results = await asyncio.gather(
            *(cancel(client, order_id) for _ in range(5)), return_exceptions=True
        )
        assert {type(each) for each in results} == {AccessTokenExpiredError}
        assert len({id(each) for each in results}) == 5
        assert isinstance(results[0].__cause__.__cause__, TransportError)  # type: ignore[union-attr]
        assert process.told(RefreshFailed) == 1
        world.sandbox.faults.remove(fault)
        await cancel(client, order_id)
        assert world.market.refreshes == 1


async def test_a_refresh_that_fails_ahead_of_time_fails_no_call(world: World) -> None:
    """And is not tried again for each call."""
    async with started(world) as (process, client):
        world.clock.advance(WEEK - 1800)
        world.sandbox.faults.add("unavailable", operation="oauth.refresh")
        for _ in range(5):
            await client.order.get_order_list(page_size=1)
            await client.auth.authorization.settle()  # type: ignore[union-attr]
        assert process.told(RefreshFailed) == 1


class TestStoreDown:
    @pytest.fixture
    def store(self) -> UnreliableStore:
        return UnreliableStore()

    @pytest.fixture
    def world(self, store: UnreliableStore) -> World:
        return World(store)

    @pytest.mark.parametrize("what", ["read", "lock", "write"])
    async def test_before_the_refresh_nothing_is_sent(
        self, what: str, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (_, client):
            world.clock.advance(WEEK)
            store.fails = lambda each: each == what
            with pytest.raises(TokenStoreError, match=f"order.get_order_list: .*could not {what}"):
                await client.order.get_order_list(page_size=1)
            assert world.market.refreshes == 0
            store.fails = lambda each: False
            await client.order.get_order_list(page_size=1)

    async def test_calls_go_on_with_a_token_that_is_good(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (_, client):
            await client.order.get_order_list(page_size=1)
            store.fails = lambda each: True
            world.clock.advance(WEEK - 1800)
            await client.order.get_order_list(page_size=1)

    async def test_a_token_that_cannot_be_kept_is_used_and_kept_later(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (process, client):
            with fails_to_keep(store, world):
                await client.order.get_order_list(page_size=1)
            assert (process.told(TokenNotStored), process.told(TokenRefreshed)) == (1, 0)
            world.woken.set()
            await until(lambda: process.told(TokenRefreshed))
            async with world.process().client(open_id_of(process)) as second:
                await second.authorization.get_authorized_shops()
                assert second.auth.access_token == client.auth.access_token
            assert world.market.refreshes == 1

    async def test_it_is_kept_at_the_end_at_the_latest(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (process, client):
            with fails_to_keep(store, world):
                await client.order.get_order_list(page_size=1)
        async with world.process().client(open_id_of(process)) as second:
            await second.authorization.get_authorized_shops()
            assert second.auth.access_token == client.auth.access_token
        assert world.market.refreshes == 1

    async def test_one_that_was_never_kept_is_logged_without_a_secret(
        self, store: UnreliableStore, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with started(world) as (_, client):
            with fails_to_keep(store, world):
                await client.order.get_order_list(page_size=1)
            store.fails = lambda what: what == "lock"
        assert "is not saved, only this process has it" in caplog.text
        assert (client.auth.access_token or "?") not in caplog.text

    async def test_a_seller_who_authorized_again_meanwhile_has_the_newer_token(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (_, client):
            with fails_to_keep(store, world):
                await client.order.get_order_list(page_size=1)
            newest = await world.authorized()
            await world.process().authorizations.add(newest)
            world.woken.set()
            await until(lambda: client.auth.access_token == newest.access_token)


@contextmanager
def fails_to_keep(store: UnreliableStore, world: World) -> Iterator[None]:
    """Have the week end, and the store take nothing after a refresh has begun."""
    world.clock.advance(WEEK)
    world.longest = 4  # the pauses of the refresh itself, not of what comes after it
    written = store.puts
    store.fails = lambda what: what == "write" and store.puts > written + 1
    yield
    store.fails = lambda what: False


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0)


async def test_a_caller_that_is_cancelled_does_not_stop_the_refresh(world: World) -> None:
    async with started(world) as (_, client):
        world.clock.advance(WEEK)
        world.sandbox.faults.add("slow_headers", operation="oauth.refresh", seconds=5, nth=1)
        impatient, patient = [
            asyncio.ensure_future(client.authorization.get_authorized_shops()) for _ in range(2)
        ]
        await until(lambda: world.market.refreshes)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        world.clock.advance(5)
        await patient
        assert world.market.refreshes == 1


async def test_a_client_that_is_kept_from_waiting_for_a_refresh_closes_all_the_same(
    world: World,
) -> None:
    class Transport(httpx.ASGITransport):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    async with started(world) as (process, _):
        world.clock.advance(WEEK)
        world.sandbox.faults.add("slow_headers", operation="oauth.refresh", seconds=5)
        transport = Transport(world.transport.app)
        client = process.client(open_id_of(process), transport=transport)
        call = asyncio.ensure_future(client.authorization.get_authorized_shops())
        await until(lambda: world.market.refreshes)
        call.cancel()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.aclose(), 0.01)
        assert transport.closed
        world.clock.advance(5)


async def test_a_holder_that_lost_its_lock_overwrites_nothing(world: World) -> None:
    """Two refresh at once, the service takes the first; the other takes over what that one got."""

    class NoLock(MemoryTokenStore):
        def lock(self, key: str):  # type: ignore[no-untyped-def,override]
            return asyncio.Lock()

    world = World(NoLock())
    async with started(world) as (process, client):
        other = world.process()
        async with other.client(open_id_of(process)) as second:
            world.clock.advance(WEEK)
            await asyncio.gather(
                client.order.get_order_list(page_size=1), second.order.get_order_list(page_size=1)
            )
            assert client.auth.access_token == second.auth.access_token


async def test_a_holder_that_lost_its_lock_before_it_asked_takes_over_what_came_meanwhile() -> None:
    class NoLock(MemoryTokenStore):
        beaten_by: Callable[[], Awaitable[object]] | None = None

        def lock(self, key: str):  # type: ignore[no-untyped-def,override]
            return asyncio.Lock()

        async def put(self, key: str, value: bytes, *, version: int) -> int:
            beaten_by, self.beaten_by = self.beaten_by, None
            if beaten_by is not None:
                await beaten_by()
            return await super().put(key, value, version=version)

    store = NoLock()
    world = World(store)
    async with (
        started(world) as (process, client),
        world.process().client(open_id_of(process)) as second,
    ):
        world.clock.advance(WEEK)
        store.beaten_by = second.authorization.get_authorized_shops
        await client.order.get_order_list(page_size=1)
        assert world.market.refreshes == 1
        assert client.auth.access_token == second.auth.access_token


async def test_a_clock_that_is_far_ahead_does_not_refresh_for_every_call(world: World) -> None:
    ahead = lambda: world.clock() + 30 * DAY  # noqa: E731
    process = world.process(clock=ahead)
    token = await world.authorized()
    await process.authorizations.add(token)
    async with process.authorizations, process.client(token.open_id) as client:
        for _ in range(20):
            await client.authorization.get_authorized_shops()
    assert world.market.refreshes <= 1


async def test_a_token_set_by_hand_is_used_as_it_is(world: World) -> None:
    async with started(world) as (_, client):
        world.clock.advance(WEEK)
        client.auth.access_token = "a token of one's own"
        with pytest.raises(TikTokAPIError):
            await client.authorization.get_authorized_shops()
        assert world.market.refreshes == 0
        client.auth.access_token = None
        await client.authorization.get_authorized_shops()


async def test_an_authorization_that_the_store_lacks_is_said_to_be_missing(world: World) -> None:
    async with world.process().client("nobody") as client:
        with pytest.raises(InvalidArgumentError, match="no authorization for nobody"):
            await client.authorization.get_authorized_shops()


class TestShops:
    """A shop's id or code is enough."""

    async def test_its_cipher_is_found_once_and_kept_in_the_store(self, world: World) -> None:
        shop = world.sandbox.shop
        async with started(world) as (process, client):
            views = [client.for_shop(shop_id=shop.id) for _ in range(10)]
            views += [client.for_shop(shop_code=shop.code) for _ in range(10)]
            await asyncio.gather(*(view.order.get_order_list(page_size=1) for view in views))
            assert world.calls_of("authorization.get_authorized_shops") == 1
            async with world.process().client(open_id_of(process)) as second:
                second_shop = world.market.shops[DEMO_SECOND_SHOP_CIPHER]
                page = await second.for_shop(shop_id=second_shop.id).order.get_order_list(
                    page_size=50
                )
            assert page.data.total_count == len(second_shop.orders)
            assert world.calls_of("authorization.get_authorized_shops") == 1
            raw = await views[0].request(
                "POST", "/order/202309/orders/search", query={"page_size": 1}
            )
            assert raw.data["orders"]

    async def test_one_that_is_not_covered_is_refused_with_those_that_are(
        self, world: World
    ) -> None:
        async with started(world) as (_, client):
            with pytest.raises(
                InvalidArgumentError,
                match=r"get_order_list: .*no shop with the id 1.*Sandbox Goods",
            ):
                await client.for_shop(shop_id="1").order.get_order_list(page_size=1)

    async def test_it_works_without_a_store(self, world: World) -> None:
        async with world.sandbox.client(shop_cipher=None) as client:
            view = client.for_shop(shop_id=world.sandbox.shop.id)
            for _ in range(3):
                await view.order.get_order_list(page_size=1)
            assert world.calls_of("authorization.get_authorized_shops") == 1

    async def test_twenty_thousand_calls_may_wait_for_it(self, world: World) -> None:
        """More than there are places: finding the cipher must not wait for one of them."""
        async with world.sandbox.client(shop_cipher=None, max_in_flight=2) as client:
            await asyncio.gather(
                *(
                    client.for_shop(shop_id=world.sandbox.shop.id).order.get_order_list(page_size=1)
                    for _ in range(20)
                )
            )


class TestWebhooks:
    """What the platform announces about an authorization."""

    async def test_a_withdrawal_stops_all_processes(self, world: World) -> None:
        async with started(world) as (process, client):
            await client.for_shop(shop_id=world.sandbox.shop.id).order.get_order_list(page_size=1)
            event = {"type": 6, "shop_id": world.sandbox.shop.id, "data": {"message": "bye"}}
            assert await process.authorizations.apply_webhook(event)
            with pytest.raises(ReauthorizationRequiredError, match="withdrew"):
                await client.authorization.get_authorized_shops()
            assert process.told(ReauthorizationRequired) == 1

    async def test_a_withdrawal_is_told_once_however_often_it_is_delivered(
        self, world: World
    ) -> None:
        """One delivery for each shop, and each of them again until it was acknowledged."""
        async with started(world) as (process, _):
            shop_id = world.sandbox.shop.id
            await process.authorizations.link_shop(shop_id, open_id_of(process))
            event = {"type": 6, "shop_id": shop_id, "timestamp": int(world.clock())}
            for _ in range(3):
                assert await process.authorizations.apply_webhook(event)
            assert process.told(ReauthorizationRequired) == 1

    async def test_a_late_delivery_does_not_end_the_authorization_that_came_after_it(
        self, world: World
    ) -> None:
        async with started(world) as (process, client):
            shop_id = world.sandbox.shop.id
            await process.authorizations.link_shop(shop_id, open_id_of(process))
            event = {"type": 6, "shop_id": shop_id, "timestamp": int(world.clock())}
            world.clock.advance(120)
            await process.authorizations.add(await world.authorized())
            await process.authorizations.apply_webhook(event)
            await client.authorization.get_authorized_shops()
            assert process.told(ReauthorizationRequired) == 0

    async def test_an_expiry_ahead_is_told(self, world: World) -> None:
        async with started(world) as (process, client):
            shop_id = world.sandbox.shop.id
            await process.authorizations.link_shop(shop_id, open_id_of(process))
            event = {"type": 7, "shop_id": shop_id, "data": {"expiration_time": "1790000000"}}
            assert await process.authorizations.apply_webhook(event)
            [told] = process.events
            assert isinstance(told, AuthorizationExpiring)
            assert told.expires_at == datetime.fromtimestamp(1_790_000_000, UTC)
            await client.authorization.get_authorized_shops()

    async def test_others_are_none_of_its_business(self, world: World) -> None:
        async with started(world) as (process, _):
            for event in ({"type": 1, "shop_id": "7"}, {"type": 6, "shop_id": "unknown"}, {}):
                assert not await process.authorizations.apply_webhook(event)
            assert not process.events


class TestWithdrawal:
    """Only one process is told; the service's refusal makes the others look into the store."""

    @pytest.fixture
    def store(self) -> UnreliableStore:
        return UnreliableStore()

    @pytest.fixture
    def world(self, store: UnreliableStore) -> World:
        return World(store)

    async def test_the_other_processes_say_so_too(self, world: World) -> None:
        async with withdrawn(world) as (_, told, client):
            with pytest.raises(TikTokAPIError, match="code 105001"):
                await client.order.get_order_list(page_size=1)
            await told()
            for _ in range(2):
                with pytest.raises(ReauthorizationRequiredError, match="The seller withdrew"):
                    await client.order.get_order_list(page_size=1)
            assert world.market.refreshes == 0

    async def test_the_other_processes_use_the_token_of_a_new_authorization(
        self, world: World
    ) -> None:
        """Whose webhook may never have come."""
        async with withdrawn(world) as (process, _, client):
            await process.authorizations.add(await world.authorized())
            order_id = world.order_ids()[0]
            await cancel(client, order_id)
            assert len(world.sandbox.shop.orders[order_id].cancellations) == 1

    async def test_where_the_store_is_down_the_refusal_is_what_is_raised(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with withdrawn(world) as (_, told, client):
            await told()
            store.fails = lambda what: True
            with pytest.raises(TikTokAPIError, match="code 105001"):
                await client.order.get_order_list(page_size=1)


@asynccontextmanager
async def withdrawn(
    world: World,
) -> AsyncIterator[tuple[Process, Callable[[], Awaitable[object]], AsyncTikTokShop]]:
    """A process that can be told of a withdrawal, and a client of one that is not."""
    async with started(world) as (process, client):
        shop_id = world.sandbox.shop.id
        await process.authorizations.link_shop(shop_id, open_id_of(process))
        other = world.process()
        async with other.client(open_id_of(process)) as second:
            for each in (client, second):
                await each.order.get_order_list(page_size=1)
            world.market.revoke(client.auth.access_token or "")
            event = {"type": 6, "shop_id": shop_id, "data": {"message": "bye"}}
            yield process, partial(process.authorizations.apply_webhook, event), second


async def test_a_withdrawal_while_calls_are_under_way_is_refused_as_such(world: World) -> None:
    async with started(world) as (_, client):
        await client.order.get_order_list(page_size=1)
        world.market.revoke(client.auth.access_token or "")
        with pytest.raises(TikTokAPIError):
            await client.order.get_order_list(page_size=1)
        world.clock.advance(WEEK)
        with pytest.raises(ReauthorizationRequiredError):
            await client.order.get_order_list(page_size=1)


class TestFiles:
    async def test_an_upload_is_repeated_from_the_start_of_its_file(self) -> None:
        world = World(old_access_token_stops=True)
        async with started(world) as (process, client):
            await make_stale(world, process, client)
            picture = io.BytesIO(b"\xff\xd8\xff a picture")
            response = await client.product.upload_product_image(data=picture)
            assert response.data.uri

    async def test_one_that_cannot_be_read_twice_is_not_repeated(self) -> None:
        class Pipe(io.BytesIO):
            def seekable(self) -> bool:
                return False

        world = World(old_access_token_stops=True)
        async with started(world) as (process, client):
            await make_stale(world, process, client)
            with pytest.raises(AccessTokenExpiredError):
                await client.product.upload_product_image(data=Pipe(b"\xff\xd8\xff a picture"))
            again = Pipe(b"\xff\xd8\xff a picture")  # by now there is another token
            assert (await client.product.upload_product_image(data=again)).data.uri


async def refresh(client: AsyncTikTokShop) -> None:
    """Have a client's token replaced, as if the service had called it expired."""
    authorization = client.auth.authorization
    assert authorization is not None
    assert authorization.token is not None
    await authorization.replace(authorization.token)


async def make_stale(world: World, process: Process, client: AsyncTikTokShop) -> None:
    """Have another process refresh, so that the client's token is one that has stopped."""
    await client.order.get_order_list(page_size=1)
    async with world.process().client(open_id_of(process)) as second:
        await second.authorization.get_authorized_shops()
        await refresh(second)


class TestEvents:
    async def test_a_handler_may_make_calls(self, world: World) -> None:
        """Also while the refresh that it is told of is under way."""
        seen = []

        async def handle(event: AuthEvent) -> None:
            async with process.client(event.open_id) as client:
                await client.authorization.get_authorized_shops()
            seen.append(type(event))

        process = world.process(on_event=handle)
        token = await world.authorized()
        await process.authorizations.add(token)
        async with process.authorizations, process.client(token.open_id) as client:
            world.clock.advance(WEEK)
            await client.authorization.get_authorized_shops()
        assert seen == [TokenRefreshed]

    async def test_a_handler_that_fails_fails_nothing_else(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        def handle(event: AuthEvent) -> None:
            raise ZeroDivisionError

        process = world.process(on_event=handle)
        token = await world.authorized()
        await process.authorizations.add(token)
        async with process.authorizations, process.client(token.open_id) as client:
            world.clock.advance(WEEK)
            await client.authorization.get_authorized_shops()
        assert "on_event failed on TokenRefreshed" in caplog.text


async def test_the_margin_is_what_the_application_says(world: World) -> None:
    process = world.process(refresh_margin=timedelta(days=2))
    token = await world.authorized()
    await process.authorizations.add(token)
    async with process.authorizations, process.client(token.open_id) as client:
        world.clock.advance(WEEK - 1 * DAY)
        await client.authorization.get_authorized_shops()
    assert world.market.refreshes == 1
