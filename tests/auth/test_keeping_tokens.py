"""What happens between the service's answer and the store: the newest token is never only lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest
from auth.test_refreshing import WEEK, cancel, fails_to_keep, open_id_of, refresh, started, until
from helpers.auth.environment import Process, UnreliableStore, World

from tiktok_shop_async import (
    AccessTokenExpiredError,
    AsyncTikTokShop,
    RateLimitError,
    ReauthorizationRequiredError,
    SignatureError,
    TokenStoreError,
)
from tiktok_shop_async.auth import (
    AuthEvent,
    MemoryTokenStore,
    ReauthorizationRequired,
    StoredValue,
    TokenNotStored,
)
from tiktok_shop_async.auth.single_flight import SingleFlight
from tiktok_shop_async.auth.token import UserType
from tiktok_shop_async.sandbox import DEMO_SECOND_SHOP_CIPHER


@pytest.fixture
def store() -> UnreliableStore:
    return UnreliableStore()


@pytest.fixture
async def world(store: UnreliableStore) -> World:
    return World(store)


async def a_call(client: AsyncTikTokShop) -> None:
    await client.order.get_order_list(page_size=1)


async def assert_kept(world: World, client: AsyncTikTokShop, process: Process) -> None:
    """Check that another process has what this one has, without a further refresh."""
    refreshes = world.market.refreshes
    async with world.process().client(open_id_of(process)) as second:
        await a_call(second)
        assert second.auth.access_token == client.auth.access_token
    assert world.market.refreshes == refreshes


class TestCancelled:
    """Programs that end cancel all of their tasks, the one that refreshes too."""

    async def test_while_the_token_is_written_it_is_written_first(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (process, client):
            world.clock.advance(WEEK)
            before = asyncio.all_tasks()
            waiting = asyncio.Event()

            async def slow_put(key: str, value: bytes, *, version: int) -> int:
                if world.market.refreshes and not waiting.is_set():
                    waiting.set()
                    await asyncio.Event().wait()
                return await store.inner.put(key, value, version=version)

            store.put = slow_put  # type: ignore[method-assign]
            call = asyncio.ensure_future(a_call(client))
            await waiting.wait()
            for task in asyncio.all_tasks() - before:
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await assert_kept(world, client, process)

    async def test_at_any_step_the_next_process_can_go_on(self) -> None:
        """Within the service's grace, wherever it was."""
        for step in range(1, 60):
            world = World(refresh_grace_seconds=60)
            async with started(world) as (process, client):
                world.clock.advance(WEEK)
                before = asyncio.all_tasks()
                call = asyncio.ensure_future(a_call(client))
                for _ in range(step):
                    await asyncio.sleep(0)
                for task in asyncio.all_tasks() - before:
                    task.cancel()
                await asyncio.wait([call])
            async with world.process().client(open_id_of(process)) as second:
                await a_call(second)
            assert world.market.refreshes <= 2
            if not call.cancelled():
                break
        else:
            pytest.fail("the call never came to its end")

    async def test_a_caller_that_was_not_meant_waits_for_the_next_attempt(self) -> None:
        world = World(refresh_grace_seconds=60)
        async with started(world) as (_, client):
            world.clock.advance(WEEK)
            world.sandbox.faults.add("slow_headers", operation="oauth.refresh", seconds=5, nth=1)
            before = asyncio.all_tasks()
            call = asyncio.ensure_future(a_call(client))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            [refreshing] = asyncio.all_tasks() - before - {call}
            refreshing.cancel()
            await call


def test_an_event_loop_that_was_closed_leaves_nobody_waiting() -> None:
    flight = SingleFlight()
    done = []

    async def never() -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        done.append(1)

    async def first() -> None:
        flight.start(never)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(first())
    pending = asyncio.all_tasks(loop)
    asyncio.run(asyncio.wait_for(flight.run(work), 5))
    assert done
    for task in pending:
        task.cancel()
    loop.run_until_complete(asyncio.wait(pending))
    loop.close()


class TestWithdrawn:
    """Only the seller's new consent revives an authorization."""

    async def test_while_the_token_is_not_saved(self, store: UnreliableStore, world: World) -> None:
        async with started(world) as (process, client):
            with fails_to_keep(store, world):
                await a_call(client)
            other = world.process()
            await other.authorizations.link_shop("7", open_id_of(process))
            assert await other.authorizations.apply_webhook({"type": 6, "shop_id": "7"})
            await client.auth.authorization.settle()  # type: ignore[union-attr]
            for each in (client, other.client(open_id_of(process))):
                with pytest.raises(ReauthorizationRequiredError):
                    await a_call(each)

    async def test_while_a_refresh_has_lost_its_lock(self) -> None:
        class NoLock(MemoryTokenStore):
            def lock(self, key: str):  # type: ignore[no-untyped-def,override]
                return asyncio.Lock()

        world = World(NoLock())
        async with started(world) as (process, client):
            world.clock.advance(WEEK)
            await process.authorizations.link_shop("7", open_id_of(process))
            world.sandbox.faults.add("slow_headers", operation="oauth.refresh", seconds=5, nth=1)
            call = asyncio.ensure_future(a_call(client))
            await until(lambda: world.market.refreshes)
            await world.process().authorizations.apply_webhook({"type": 6, "shop_id": "7"})
            world.clock.advance(5)
            await asyncio.wait([call])
            with pytest.raises(ReauthorizationRequiredError):
                await a_call(client)
            assert process.told(ReauthorizationRequired) == 1

    async def test_before_the_seller_authorized_again(self, world: World) -> None:
        """The platform delivers again what was not taken, for days."""
        async with started(world) as (process, client):
            shop_id, then = world.sandbox.shop.id, int(world.clock())
            await process.authorizations.link_shop(shop_id, open_id_of(process))
            world.clock.advance(60)
            await process.authorizations.add(await world.authorized())
            late = {"type": 6, "shop_id": shop_id, "timestamp": then}
            assert await process.authorizations.apply_webhook(late)
            await a_call(client)
            in_time = {"type": 6, "shop_id": shop_id, "timestamp": int(world.clock())}
            assert await process.authorizations.apply_webhook(in_time)
            with pytest.raises(ReauthorizationRequiredError):
                await a_call(client)


class TestStore:
    """Stores fail, forget, and are slow."""

    async def test_a_client_that_is_closed_ends_no_attempt_to_save(
        self, store: UnreliableStore, world: World
    ) -> None:
        """A web application may open a client for each request."""
        async with started(world) as (process, client):
            with fails_to_keep(store, world):
                async with process.client(open_id_of(process)) as short:
                    await a_call(short)
            world.woken.set()
            await until(lambda: process.told(TokenNotStored))
            for _ in range(50):
                await asyncio.sleep(0)
            await assert_kept(world, client, process)

    async def test_what_it_forgot_is_still_known_here(
        self, store: UnreliableStore, world: World
    ) -> None:
        """A replica that takes over may lack the last write."""
        async with started(world) as (process, client):
            world.clock.advance(WEEK)
            backup = dict(store.inner._values)
            await a_call(client)
            store.inner._values = backup
            world.clock.advance(WEEK)
            await a_call(client)
            assert world.market.grants.refused_refreshes == 0
            await assert_kept(world, client, process)

    async def test_an_error_that_it_must_not_raise_loses_no_token(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (process, client):
            world.clock.advance(WEEK)
            put, failures = store.put, iter([False, *[True] * 5])

            async def broken_put(key: str, value: bytes, *, version: int) -> int:
                if next(failures, False):
                    raise RuntimeError(f"cannot write {value!r}")
                return await put(key, value, version=version)

            store.put = broken_put  # type: ignore[method-assign]
            await a_call(client)
            token = client.auth.access_token or "?"
            [event] = [each for each in process.events if isinstance(each, TokenNotStored)]
            assert "RuntimeError" in event.reason
            assert token not in event.reason
            await client.auth.authorization.settle()  # type: ignore[union-attr]
            await assert_kept(world, client, process)

    async def test_a_lock_that_cannot_be_given_back_undoes_nothing(
        self, store: UnreliableStore, world: World
    ) -> None:
        @asynccontextmanager
        async def lock(key: str):  # type: ignore[no-untyped-def]
            yield
            raise ConnectionError

        store.lock = lock  # type: ignore[method-assign,assignment]
        async with started(world) as (process, client):  # add() too
            world.clock.advance(WEEK)
            await a_call(client)
            await assert_kept(world, client, process)

    @pytest.mark.parametrize(
        "changed",
        [
            lambda document: {"format": 2},
            lambda document: [],
            lambda document: document | {"token": "text"},
            lambda document: document | {"shops": [7]},
            lambda document: document | {"refreshed_at": 1e300},
            lambda document: document | {"token": document["token"] | {"access_token": ""}},
        ],
    )
    async def test_what_is_no_authorization_is_an_error_of_the_store(
        self, changed: Callable[[Any], Any], store: UnreliableStore, world: World
    ) -> None:
        """And a new consent takes its place."""
        async with started(world) as (process, _):
            [(key, stored)] = store.inner._values.items()
            written = json.dumps(changed(json.loads(stored.value))).encode()
            await store.put(key, written, version=stored.version)
            async with world.process().client(open_id_of(process)) as second:
                with pytest.raises(TokenStoreError, match=r"not an authorization|format 2"):
                    await a_call(second)
                await process.authorizations.add(await world.authorized())
                await a_call(second)

    async def test_what_was_read_before_a_new_consent_does_not_replace_it(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (process, _):
            other, read = world.process(), asyncio.Event()
            get, going_on = store.inner.get, asyncio.Event()

            async def slow_get(key: str) -> StoredValue | None:
                stored = await get(key)
                if not read.is_set():
                    read.set()
                    await going_on.wait()
                return stored

            store.inner.get = slow_get  # type: ignore[method-assign]
            async with other.client(open_id_of(process)) as client:
                call = asyncio.ensure_future(a_call(client))
                await read.wait()
                newest = await world.authorized()
                await other.authorizations.add(newest)
                going_on.set()
                await call
                assert client.auth.access_token == newest.access_token

    async def test_one_read_is_enough_for_all(self, store: UnreliableStore, world: World) -> None:
        async with started(world) as (process, _):
            reads = []
            store.fails = lambda what: bool(reads.append(what))  # type: ignore[func-returns-value]
            async with world.process().client(open_id_of(process), max_in_flight=2) as client:
                await asyncio.gather(*(a_call(client) for _ in range(200)))
            assert reads == ["read"]


class TestService:
    """What the token endpoint may answer."""

    async def test_another_users_token_is_not_taken(self, world: World) -> None:
        async with started(world) as (process, client):
            other = (await world.authorized()).as_document() | {"open_id": "somebody-else"}
            refreshing = answering(process, lambda: {"code": 0, "message": "", "data": other})
            world.clock.advance(WEEK)
            with pytest.raises(AccessTokenExpiredError, match="the token of another user"):
                await a_call(client)
            refreshing()
            await a_call(client)

    async def test_what_a_refresh_leaves_out_stays_as_it_was(self, world: World) -> None:
        """A creator is no seller after it, and is not sent to the sellers' page."""
        token = attrs.evolve(
            await world.authorized(), user_type=UserType.CREATOR, seller_name="Ada"
        )
        process = world.process()
        await process.authorizations.add(token)
        async with process.authorizations, process.client(token.open_id) as client:
            left_out = ("open_id", "user_type", "seller_name", "granted_scopes")
            fresh = (await world.authorized()).as_document()
            body = {name: value for name, value in fresh.items() if name not in left_out}
            answering(process, lambda: {"code": 0, "message": "", "data": body})
            await refresh(client)
            authorization = client.auth.authorization
            assert authorization is not None
            kept = authorization.token
            assert kept is not None
            for name in left_out:
                assert getattr(kept, name) == getattr(token, name)
            assert kept.access_token == fresh["access_token"]

    async def test_throttled_it_waits_as_long_as_it_is_told(self, world: World) -> None:
        async with started(world) as (_, client):
            world.clock.advance(WEEK)
            world.sandbox.faults.add("throttled", operation="oauth.refresh", nth=1, retry_after=7)
            await a_call(client)
            assert world.slept == [7.0]

    @pytest.mark.parametrize(("asked", "waited"), [("7.5", 7.5), ("0", 1.0), ("soon", 1.0)])
    async def test_unavailable_it_waits_as_long_as_it_is_asked_to(
        self, world: World, asked: str, waited: float
    ) -> None:
        async with started(world) as (process, client):
            world.clock.advance(WEEK)
            oauth = process.authorizations.oauth
            real = oauth._transport

            def unavailable(_: httpx.Request) -> httpx.Response:
                oauth._transport = real
                return httpx.Response(503, headers={"retry-after": asked})

            oauth._transport = httpx.MockTransport(unavailable)
            await a_call(client)
            assert world.slept == [waited]

    @pytest.mark.parametrize("seconds", [300, 10**9])
    async def test_but_not_for_minutes(self, world: World, seconds: int) -> None:
        async with started(world) as (_, client):
            world.clock.advance(WEEK)
            world.sandbox.faults.add("throttled", operation="oauth.refresh", retry_after=seconds)
            with pytest.raises(AccessTokenExpiredError) as caught:
                await a_call(client)
            throttled = caught.value.__cause__.__cause__  # type: ignore[union-attr]
            assert isinstance(throttled, RateLimitError)
            assert throttled.retry_after == seconds
            assert not world.slept
            world.sandbox.faults.clear()
            await a_call(client)  # nothing remembers it

    async def test_what_no_repetition_mends_is_not_called_retryable(self, world: World) -> None:
        token = await world.authorized()
        process = world.process()
        process.authorizations._policy.oauth._app_secret = "not-the-secret"
        await process.authorizations.add(token)
        async with process.authorizations, process.client(token.open_id) as client:
            world.clock.advance(WEEK)
            with pytest.raises(AccessTokenExpiredError) as caught:
                await a_call(client)
            assert isinstance(caught.value.__cause__.__cause__, SignatureError)  # type: ignore[union-attr]
            assert not caught.value.retryable


def answering(process: Process, body: Callable[[], Any]) -> Callable[[], None]:
    """Have the token endpoint answer so, until the function that is returned is called."""
    oauth = process.authorizations.oauth
    real = oauth._transport
    oauth._transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body()))

    def end() -> None:
        oauth._transport = real

    return end


class TestApplication:
    """What the application itself gets wrong, or does by hand."""

    async def test_a_page_that_cannot_be_named_hides_no_error(self, world: World) -> None:
        def page(token: object) -> str:
            raise ZeroDivisionError

        process = world.process(authorization_url=page)
        token = await world.authorized()
        await process.authorizations.add(token)
        async with process.authorizations, process.client(token.open_id) as client:
            world.clock.advance(366 * 86400)
            with pytest.raises(ReauthorizationRequiredError) as caught:
                await a_call(client)
            assert caught.value.authorization_url is None
            assert process.told(ReauthorizationRequired) == 1

    async def test_a_handler_may_close_what_told_it(self, world: World) -> None:
        closed = asyncio.Event()

        async def handle(event: AuthEvent) -> None:
            await process.authorizations.aclose()
            closed.set()

        process = world.process(on_event=handle)
        token = await world.authorized()
        await process.authorizations.add(token)
        async with process.client(token.open_id) as client:
            world.clock.advance(WEEK)
            await a_call(client)
            async with asyncio.timeout(5):
                await closed.wait()

    async def test_another_sellers_token_set_by_hand_leaves_the_record_alone(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (process, client):
            view = client.for_shop(shop_id=world.sandbox.shop.id)
            client.auth.access_token = (await world.authorized()).access_token
            await a_call(view)
            assert await process.authorizations.auth_of_shop(world.sandbox.shop.id) is None

    async def test_a_shop_named_by_its_id_never_goes_by_the_cipher_of_another(
        self, world: World
    ) -> None:
        async with started(world) as (_, client):
            assert client.auth.shop_cipher
            second = world.market.shops[DEMO_SECOND_SHOP_CIPHER]
            view = client.for_shop(shop_id=second.id)
            assert view.auth.shop_cipher is None
            await a_call(view)
            assert view.auth.shop_cipher == DEMO_SECOND_SHOP_CIPHER

    async def test_shops_that_cannot_be_kept_are_used(
        self, store: UnreliableStore, world: World
    ) -> None:
        async with started(world) as (_, client):
            await a_call(client)
            store.fails = lambda what: what == "write"
            for _ in range(3):
                await a_call(client.for_shop(shop_id=world.sandbox.shop.id))
            assert world.calls_of("authorization.get_authorized_shops") == 1

    async def test_a_client_closed_while_calls_wait_for_a_refresh(self, world: World) -> None:
        """They fail as not sent or come to their end; none hangs, and the token is kept."""
        async with started(world) as (process, client):
            short = process.client(open_id_of(process))
            world.clock.advance(WEEK)
            world.sandbox.faults.add("slow_headers", operation="oauth.refresh", seconds=5, nth=1)
            order_id = world.order_ids()[0]
            call = asyncio.ensure_future(cancel(short, order_id))
            await until(lambda: world.market.refreshes)
            closing = asyncio.ensure_future(short.aclose())
            await asyncio.sleep(0)
            world.clock.advance(5)
            await closing
            [error] = await asyncio.gather(call, return_exceptions=True)
            cancelled = len(world.sandbox.shop.orders[order_id].cancellations)
            assert cancelled == (error is None), repr(error)
            print(repr(error))
            await assert_kept(world, client, process)


async def test_a_refresh_that_was_under_way_does_not_count_for_the_token_it_brought(
    world: World,
) -> None:
    async with started(world) as (_, client):
        await a_call(client)
        await refresh(client)
        authorization = client.auth.authorization
        assert authorization is not None
        joined: list[Awaitable[None]] = []
        for _ in range(2):
            token = authorization.token
            assert token is not None
            joined.append(asyncio.ensure_future(authorization.replace(token)))
            await until(lambda token=token: authorization.token is not token)  # type: ignore[misc]
        await asyncio.gather(*joined)
        assert world.market.refreshes == 3
