"""The handling of a stored event: handlers, attempts, dead letters, shutdown."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.webhooks.serving import WEBHOOKS, delivery, served, signed

from tiktok_shop_async import (
    InvalidArgumentError,
    ReauthorizationRequiredError,
    TikTokShopOAuth,
    WebhookStoreError,
)
from tiktok_shop_async.auth import (
    AuthorizationExpiring,
    Authorizations,
    MemoryTokenStore,
    ReauthorizationRequired,
)
from tiktok_shop_async.sandbox import run_sandbox
from tiktok_shop_async.webhooks import (
    ClaimedEvent,
    MemoryWebhookStore,
    NewEvent,
    NewMessage,
    OrderStatusChange,
    SQLWebhookStore,
    UnknownEvent,
    WebhookEvent,
    WebhookReceiver,
    Webhooks,
    WebhookStore,
)

AT_ONCE = (0.0, 0.0, 0.0, 0.0)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WebhookStore]:
    if request.param == "memory":
        yield MemoryWebhookStore()
        return
    async with SQLWebhookStore(f"sqlite:///{tmp_path / 'webhooks.db'}") as store:
        yield store


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - short, and there are many things to wait for
            await asyncio.sleep(0.005)


async def is_settled(store: WebhookStore) -> None:
    async with asyncio.timeout(20):
        while (await store.counts()).waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_each_handler_gets_the_events_that_are_for_it(store: WebhookStore) -> None:
    """Coroutines, functions and objects; a base class stands for all below it."""
    got: list[tuple[str, str]] = []

    class Taking:
        async def __call__(self, event: WebhookEvent) -> None:
            got.append(("object", event.id))

    async with WebhookReceiver(WEBHOOKS, store=store) as receiver:

        @receiver.on(OrderStatusChange)
        async def order(event: OrderStatusChange) -> None:
            assert event.data.order_status == "UNPAID"
            got.append(("order", event.id))

        @receiver.on(NewMessage, UnknownEvent)
        def message_or_unknown(event: NewMessage | UnknownEvent) -> None:
            assert threading.current_thread() is not threading.main_thread()
            got.append(("message or unknown", event.id))

        receiver.on(WebhookEvent)(Taking())
        receiver.on(NewMessage)(partial(lambda name, event: got.append((name, event.id)), "part"))
        for number, event_type in enumerate((1, 14, 999, 5)):
            await receiver.receive(*signed(delivery(number, event_type)))
        await is_settled(store)
    assert sorted(got) == [
        ("message or unknown", "1"),
        ("message or unknown", "2"),
        ("object", "0"),
        ("object", "1"),
        ("object", "2"),
        ("object", "3"),
        ("order", "0"),
        ("part", "1"),
    ]
    assert inspect.iscoroutinefunction(order)  # it is still what it was


async def test_a_handler_that_fails_gets_the_event_again(store: WebhookStore) -> None:
    """Under the same id; the others of that event get it each time, too."""
    got: list[str] = []
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=AT_ONCE) as receiver:

        @receiver.on(WebhookEvent)
        async def failing(event: WebhookEvent) -> None:
            got.append(f"failing {event.id}")
            if len(got) < 5:
                raise ValueError("not yet")

        @receiver.on(WebhookEvent)
        async def other(event: WebhookEvent) -> None:
            got.append(f"other {event.id}")

        await receiver.receive(*signed(delivery()))
        await is_settled(store)
    assert got == ["failing 1", "other 1"] * 3
    assert (await store.counts()).dead == 0


async def test_an_event_that_always_fails_is_a_dead_letter(
    store: WebhookStore, caplog: pytest.LogCaptureFixture
) -> None:
    """After the last attempt, it can be read and replayed, and delays no other event."""
    attempts = 0
    is_broken = True
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=(0.0, 0.0)) as receiver:

        @receiver.on(OrderStatusChange)
        async def failing(event: OrderStatusChange) -> None:
            nonlocal attempts
            if event.id == "1":
                attempts += 1
                if is_broken:
                    raise LookupError("no such order")

        await receiver.receive(*signed(delivery(1, secret_of_the_buyer="Elm Street")))
        await receiver.receive(*signed(delivery(2)))
        await is_settled(store)
        assert attempts == 3
        (letter,) = [each async for each in store.dead_letters()]
        assert (letter.id, letter.attempts) == ("1", 3)
        assert letter.error == "LookupError: no such order"
        assert letter.app_key == "key"
        assert "Elm Street" not in caplog.text
        assert "dead letters" in caplog.text
        assert await receiver.receive(*signed(delivery(1))) == 200
        is_broken = False
        assert await store.replay(letter.key) == 1
        await is_settled(store)
        assert attempts == 4
    assert (await store.counts()).dead == 0


async def test_a_handler_that_takes_too_long_has_failed(store: WebhookStore) -> None:
    async with WebhookReceiver(
        WEBHOOKS, store=store, handler_timeout=0.01, pauses=(), concurrency=1
    ) as receiver:

        @receiver.on(WebhookEvent)
        async def hanging(event: WebhookEvent) -> None:
            await asyncio.Event().wait()

        await receiver.receive(*signed(delivery()))
        await is_settled(store)
    (letter,) = [each async for each in store.dead_letters()]
    assert letter.error.startswith("TimeoutError")


async def test_a_handler_whose_own_work_was_cancelled_has_failed(store: WebhookStore) -> None:
    """It is not taken for the end of the process, which would have it come again for ever."""
    attempts = 0
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=(0.0,)) as receiver:

        @receiver.on(WebhookEvent)
        async def cancelled(event: WebhookEvent) -> None:
            nonlocal attempts
            attempts += 1
            task = asyncio.create_task(asyncio.Event().wait())
            task.cancel()
            await task

        await receiver.receive(*signed(delivery()))
        await is_settled(store)
    assert attempts == 2
    assert (await store.counts()).dead == 1


class _UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
        BaseExceptionGroup("several", [SystemExit(3), ValueError()]),
        BaseException("odd"),
        _UnprintableError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_handler_raises_ends_in_the_dead_letters(
    store: WebhookStore, error: BaseException, is_async: bool
) -> None:
    """The other handlers get the event nevertheless, and other events are handled as before."""
    calls: list[str] = []
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=(0.0,)) as receiver:

        def fail(event: WebhookEvent) -> None:
            calls.append(f"failing {event.id}")
            if event.id == "1":
                raise error

        async def fail_in_the_loop(event: WebhookEvent) -> None:
            fail(event)

        receiver.on(WebhookEvent)(fail_in_the_loop if is_async else fail)

        @receiver.on(WebhookEvent)
        async def other(event: WebhookEvent) -> None:
            calls.append(f"other {event.id}")

        await receiver.receive(*signed(delivery(1)))
        await is_settled(store)
        await receiver.receive(*signed(delivery(2)))
        await is_settled(store)
    assert calls == ["failing 1", "other 1"] * 2 + ["failing 2", "other 2"]
    (letter,) = [each async for each in store.dead_letters()]
    assert letter.id == "1"
    assert letter.error.startswith(type(error).__name__)


async def test_exceptions_of_several_handlers_are_raised_together(store: WebhookStore) -> None:
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=()) as receiver:

        @receiver.on(WebhookEvent)
        async def leave(event: WebhookEvent) -> None:
            raise SystemExit

        @receiver.on(WebhookEvent)
        async def fail(event: WebhookEvent) -> None:
            raise ValueError

        await receiver.receive(*signed(delivery()))
        await is_settled(store)
    (letter,) = [each async for each in store.dead_letters()]
    assert letter.error.startswith("BaseExceptionGroup: several handlers failed")


@pytest.mark.parametrize("then", ["wait", "return", "raise"])
async def test_a_handler_that_cancels_its_own_task_is_no_shutdown(
    store: WebhookStore, then: str
) -> None:
    """It has failed if it waited or raised, and never comes again without end."""
    calls: list[str] = []
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=(0.0,)) as receiver:

        @receiver.on(WebhookEvent)
        async def handle(event: WebhookEvent) -> None:
            calls.append(event.id)
            task = asyncio.current_task()
            assert task is not None
            if event.id == "1":
                task.cancel()
                if then == "wait":
                    await asyncio.Event().wait()
                elif then == "raise":
                    raise ValueError

        await receiver.receive(*signed(delivery(1)))
        await is_settled(store)
        await receiver.receive(*signed(delivery(2)))
        await is_settled(store)
    assert calls == (["1", "2"] if then == "return" else ["1", "1", "2"])
    assert (await store.counts()).dead == (then != "return")


async def test_an_event_is_handled_again_as_soon_as_its_pause_is_over(
    store: WebhookStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_shop_async.webhooks.receiving.dispatcher.POLL_INTERVAL", 3600.0)
    attempts = 0
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=(0.05, 0.1)) as receiver:

        @receiver.on(WebhookEvent)
        async def failing(event: WebhookEvent) -> None:
            nonlocal attempts
            attempts += 1
            if attempts < 3:
                raise ValueError

        await receiver.receive(*signed(delivery()))
        await is_settled(store)
    assert attempts == 3


async def test_a_store_that_hangs_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tiktok_shop_async.webhooks.receiving.dispatcher.GRACE", 0.05)

    class Hanging(MemoryWebhookStore):
        async def put_back(self, *claim: Any, **options: Any) -> None:
            await asyncio.Event().wait()

    async with asyncio.timeout(20):
        async with WebhookReceiver(WEBHOOKS, store=Hanging(), drain_timeout=0.05) as receiver:

            @receiver.on(WebhookEvent)
            async def hanging(event: WebhookEvent) -> None:
                await asyncio.Event().wait()

            await receiver.receive(*signed(delivery()))
            await asyncio.sleep(0.01)


async def test_failures_of_all_handlers_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryWebhookStore()
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=()) as receiver:

        @receiver.on(WebhookEvent)
        async def one(event: WebhookEvent) -> None:
            raise ValueError("first reason")

        @receiver.on(WebhookEvent)
        async def other(event: WebhookEvent) -> None:
            raise ValueError("second reason")

        await receiver.receive(*signed(delivery()))
        await is_settled(store)
    assert "first reason" in caplog.text
    assert "second reason" in caplog.text


async def test_an_event_whose_process_always_dies_is_dead_lettered(store: WebhookStore) -> None:
    """It was claimed as often as allowed, and no attempt ended."""
    handled = False
    assert await store.add(NewEvent(id="1", body=delivery(), app_key="key"))
    for _ in range(3):
        assert len(await store.claim(1, lease=0.0)) == 1
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=(0.0, 0.0)) as receiver:

        @receiver.on(WebhookEvent)
        async def handle(event: WebhookEvent) -> None:
            nonlocal handled
            handled = True

        await is_settled(store)
    assert not handled
    (letter,) = [each async for each in store.dead_letters()]
    assert "none of 3 attempts" in letter.error


async def test_concurrency_limits_the_events_handled_at_once(store: WebhookStore) -> None:
    running = most = 0
    async with WebhookReceiver(WEBHOOKS, store=store, concurrency=3) as receiver:

        @receiver.on(WebhookEvent)
        async def handle(event: WebhookEvent) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.002)
            running -= 1

        deliveries = [signed(delivery(number)) for number in range(20)]
        await asyncio.gather(*(receiver.receive(*each) for each in deliveries))
        await is_settled(store)
    assert most == 3


async def test_responses_do_not_wait_for_handlers(store: WebhookStore) -> None:
    """Be they slow, or blocking in a function of their own."""
    release = threading.Event()
    async with WebhookReceiver(WEBHOOKS, store=store) as receiver:

        @receiver.on(WebhookEvent)
        def blocking(event: WebhookEvent) -> None:
            release.wait(20)

        begin = time.monotonic()
        for number in range(5):
            assert await receiver.receive(*signed(delivery(number))) == 200
        assert time.monotonic() - begin < 5
        release.set()
        await is_settled(store)


async def test_a_lease_lasts_as_long_as_the_handler(store: WebhookStore) -> None:
    """No other process gets the event meanwhile."""
    count = 0
    async with WebhookReceiver(WEBHOOKS, store=store, lease=0.3) as receiver:

        @receiver.on(WebhookEvent)
        async def slow(event: WebhookEvent) -> None:
            nonlocal count
            count += 1
            await asyncio.sleep(0.8)

        await receiver.receive(*signed(delivery()))
        await asyncio.sleep(0.5)
        assert await store.claim(1, lease=1.0) == []
        await is_settled(store)
    assert count == 1


async def test_a_store_that_fails_for_a_while_stops_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_shop_async.webhooks.receiving.dispatcher.POLL_INTERVAL", 0.01)
    monkeypatch.setattr(
        "tiktok_shop_async.webhooks.receiving.dispatcher.RETRY_PAUSES", (0.01, 0.01)
    )
    failures = 0

    class Flapping(MemoryWebhookStore):
        async def claim(self, most: int, *, lease: float) -> Any:
            self._fail(5)
            return await super().claim(most, lease=lease)

        async def finish(self, claim: ClaimedEvent) -> None:
            self._fail(7)
            await super().finish(claim)

        def _fail(self, until: int) -> None:
            nonlocal failures
            if failures < until:
                failures += 1
                raise WebhookStoreError("the database is away")

    store = Flapping()
    got: list[str] = []
    async with WebhookReceiver(WEBHOOKS, store=store) as receiver:

        @receiver.on(WebhookEvent)
        async def handle(event: WebhookEvent) -> None:
            got.append(event.id)

        await receiver.receive(*signed(delivery()))
        await is_settled(store)
    assert got == ["1"]
    assert failures == 7
    assert "the database is away" in caplog.text


async def test_events_in_memory_are_handled_before_closing() -> None:
    got: list[str] = []
    async with WebhookReceiver(WEBHOOKS, concurrency=2) as receiver:

        @receiver.on(WebhookEvent)
        async def handle(event: WebhookEvent) -> None:
            await asyncio.sleep(0.001)
            got.append(event.id)

        for number in range(20):
            await receiver.receive(*signed(delivery(number)))
    assert len(got) == 20


async def test_events_lost_from_memory_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with WebhookReceiver(WEBHOOKS, drain_timeout=0.05, concurrency=1) as receiver:

        @receiver.on(WebhookEvent)
        async def hanging(event: WebhookEvent) -> None:
            await asyncio.Event().wait()

        for number in range(3):
            await receiver.receive(*signed(delivery(number)))
    assert "3 events were not handled, and are lost" in caplog.text


async def test_events_in_a_durable_store_are_left_for_the_next_process(tmp_path: Path) -> None:
    """Handlers may end; one that takes too long is cancelled and put back, without an attempt."""
    begun: list[str] = []
    ended: list[str] = []
    is_patient = False
    async with SQLWebhookStore(f"sqlite:///{tmp_path / 'webhooks.db'}") as store:
        receiver = WebhookReceiver(WEBHOOKS, store=store, concurrency=2, drain_timeout=0.3)

        @receiver.on(WebhookEvent)
        async def handle(event: WebhookEvent) -> None:
            begun.append(event.id)
            if event.id == "1" and not is_patient:
                await asyncio.Event().wait()
            await asyncio.sleep(0.05)
            ended.append(event.id)

        async with receiver:
            for number in range(4):
                await receiver.receive(*signed(delivery(number)))
            await until(lambda: "1" in begun)
        assert "1" not in ended
        assert len(ended) < 4
        left = (await store.counts()).waiting
        assert left == 4 - len(ended)
        claims = await store.claim(10, lease=60)
        assert {each.attempt for each in claims} == {1}
        for each in claims:
            await store.put_back(each)
        is_patient = True
        async with receiver:
            await is_settled(store)
    assert sorted(ended) == ["0", "1", "2", "3"]


async def test_two_receivers_with_one_store_share_the_work(store: WebhookStore) -> None:
    got: list[tuple[int, str]] = []
    async with (
        WebhookReceiver(WEBHOOKS, store=store, concurrency=2) as one,
        WebhookReceiver(WEBHOOKS, store=store, concurrency=2) as other,
    ):
        for number, receiver in enumerate((one, other)):

            async def handle(event: WebhookEvent, number: int = number) -> None:
                await asyncio.sleep(0.002)
                got.append((number, event.id))

            receiver.on(WebhookEvent)(handle)
        for number in range(20):
            await (one, other)[number % 2].receive(*signed(delivery(number)))
            assert await (other, one)[number % 2].receive(*signed(delivery(number))) == 200
        await is_settled(store)
    assert sorted(int(event) for _, event in got) == list(range(20))


@pytest.mark.parametrize("kinds", [(), (int,), (OrderStatusChange, "OrderStatusChange")])
def test_handlers_are_for_events(kinds: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        WebhookReceiver(WEBHOOKS).on(*kinds)(print)


def test_concurrency_must_be_positive() -> None:
    with pytest.raises(InvalidArgumentError):
        WebhookReceiver(WEBHOOKS, concurrency=0)


async def test_an_event_without_a_handler_is_done(
    store: WebhookStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "tiktok_shop_async.webhooks"):
        async with WebhookReceiver(WEBHOOKS, store=store) as receiver:
            await receiver.receive(*signed(delivery()))
            await is_settled(store)
    assert "no handler for event 1" in caplog.text


async def test_deauthorizations_are_applied_first_and_to_the_right_app() -> None:
    """A failure of the token store is tried again; other events are none of its business."""
    seen: list[Any] = []

    class Recording:
        failures = 1

        def __init__(self, app_key: str) -> None:
            self.oauth = SimpleNamespace(app_key=app_key)

        async def apply_webhook(self, event: Any) -> bool:
            if self.failures:
                self.failures -= 1
                raise WebhookStoreError("the token store is away")
            seen.append((self.oauth.app_key, event.type, event.shop_id))
            return True

    both: Any = [Recording("key"), Recording("other")]
    async with WebhookReceiver(WEBHOOKS, authorizations=both, pauses=AT_ONCE) as receiver:

        @receiver.on(WebhookEvent)
        async def later(event: WebhookEvent) -> None:
            seen.append(event.id)

        await receiver.receive(*signed(delivery(1, 6)))
        await is_settled(receiver.store)
        await receiver.receive(*signed(delivery(2, 7)))
        await receiver.receive(*signed(delivery(3, 1)))
        await is_settled(receiver.store)
    assert seen[:4] == ["1", ("key", 6, "7"), "1", ("key", 7, "7")]
    assert sorted(seen[4:]) == ["2", "3"]


async def test_withdrawals_and_expiries_act_on_the_token_store() -> None:
    """After webhooks of the sandbox, calls are refused and the application is notified."""
    notified: list[Any] = []
    async with run_sandbox(orders=1) as sandbox:
        credentials = (sandbox.app_key, sandbox.app_secret)
        oauth = TikTokShopOAuth(
            *credentials, service_id="1", base_url=sandbox.base_url, clock=sandbox.clock
        )
        authorizations = Authorizations(
            oauth, MemoryTokenStore(), clock=sandbox.clock, on_event=notified.append
        )
        receiver = WebhookReceiver(Webhooks(*credentials), authorizations=authorizations)
        async with oauth, authorizations, served(receiver) as url:
            sandbox.webhooks.default_url = url
            token = await oauth.refresh(sandbox.refresh_token)
            auth = await authorizations.add(token)
            await authorizations.link_shop(sandbox.shop.id, token.open_id)
            async with sandbox.client(auth=auth) as client:
                shop = client.for_shop(shop_id=sandbox.shop.id)
                await shop.order.get_order_list(page_size=1)
                sandbox.fire(7, {"message": "soon", "expiration_time": "1790000000"})
                await sandbox.webhooks.drain()
                await until(
                    lambda: any(isinstance(each, AuthorizationExpiring) for each in notified)
                )
                await shop.order.get_order_list(page_size=1)
                sandbox.market.revoke(shop.auth.access_token or "")
                await sandbox.webhooks.drain()
                await until(
                    lambda: any(isinstance(each, ReauthorizationRequired) for each in notified)
                )
                before = len(sandbox.requests)
                with pytest.raises(ReauthorizationRequiredError, match="withdrew"):
                    await shop.order.get_order_list(page_size=1)
                assert len(sandbox.requests) == before


async def test_nothing_is_handled_after_the_end_though_the_store_ignores_a_cancellation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver may return its result although its task was cancelled meanwhile."""
    monkeypatch.setattr("tiktok_shop_async.webhooks.receiving.dispatcher.GRACE", 0.05)
    cancellations: list[str] = []

    class Ignoring(SQLWebhookStore):
        async def claim(self, most: int, *, lease: float) -> Any:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return await super().claim(most, lease=lease)

    async with Ignoring(f"sqlite:///{tmp_path / 'webhooks.db'}") as store:
        async with WebhookReceiver(WEBHOOKS, store=store, drain_timeout=0.01) as receiver:

            @receiver.on(WebhookEvent)
            async def hanging(event: WebhookEvent) -> None:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancellations.append(event.id)
                    raise

            await receiver.receive(*signed(delivery()))
        assert cancellations == ["1"]
