"""Handlers that are plain functions run in threads of the receiver."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from helpers.webhooks.serving import WEBHOOKS, delivery, signed

from tiktok_shop_async.webhooks import (
    MemoryWebhookStore,
    WebhookEvent,
    WebhookReceiver,
    WebhookStore,
)
from tiktok_shop_async.webhooks.receiving.handler_threads import HandlerThreads

HANGING_PROCESS = """
import asyncio, threading
from helpers.webhooks.serving import WEBHOOKS, delivery, signed
from tiktok_shop_async.webhooks import WebhookEvent, WebhookReceiver

async def main():
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with WebhookReceiver(WEBHOOKS, drain_timeout=0.05) as receiver:

        @receiver.on(WebhookEvent)
        def hang(event):
            loop.call_soon_threadsafe(begun.set)
            threading.Event().wait()

        await receiver.receive(*signed(delivery()))
        await begun.wait()
    print("closed", flush=True)

asyncio.run(main())
"""


@asynccontextmanager
async def blocked(
    receiver: WebhookReceiver, events: int
) -> AsyncIterator[tuple[threading.Event, list[str]]]:
    """Deliver events to a plain function that waits; give what releases it, and its calls."""
    release, calls = threading.Event(), list[str]()
    all_begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    @receiver.on(WebhookEvent)
    def block(event: WebhookEvent) -> None:
        calls.append(event.id)
        if len(calls) == events:
            loop.call_soon_threadsafe(all_begun.set)
        release.wait(20)

    async with receiver:
        try:
            for number in range(events):
                await receiver.receive(*signed(delivery(number)))
            async with asyncio.timeout(20):
                await all_begun.wait()
            yield release, calls
        finally:
            release.set()
        await settled(receiver.store)


async def settled(store: WebhookStore) -> None:
    async with asyncio.timeout(20):
        while (await store.counts()).waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_the_applications_executor_stays_free() -> None:
    """Its name lookups do not wait for handlers, of which as many run as the receiver allows."""
    async with (
        asyncio.timeout(20),
        blocked(WebhookReceiver(WEBHOOKS, concurrency=16), events=16) as (_, calls),
    ):
        await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
        assert await asyncio.to_thread(threading.current_thread) is not threading.main_thread()
    assert sorted(calls) == sorted(map(str, range(16)))


async def test_no_more_threads_start_than_events_are_handled_at_once() -> None:
    """They are used again, so that what a handler keeps for each thread is kept."""
    threads: set[int] = set()
    async with WebhookReceiver(WEBHOOKS, concurrency=3) as receiver:

        @receiver.on(WebhookEvent)
        def handle(event: WebhookEvent) -> None:
            threads.add(threading.get_ident())

        for number in range(50):
            await receiver.receive(*signed(delivery(number)))
        await settled(receiver.store)
    assert 1 <= len(threads) <= 3


async def test_a_function_that_outlives_its_timeout_is_not_called_again_beside_itself() -> None:
    """However many attempts there are meanwhile."""
    receiver = WebhookReceiver(WEBHOOKS, concurrency=2, handler_timeout=0.02, pauses=(0.0,) * 500)
    async with blocked(receiver, events=1) as (release, calls):
        while (await attempts_of(receiver.store)) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        assert calls == ["0"]
        release.set()
    assert (await receiver.store.counts()).dead == 0


async def attempts_of(store: Any) -> int:
    return max((waiting.attempts for waiting in store._waiting.values()), default=0)


async def test_functions_that_hang_take_no_further_events() -> None:
    """Their threads cannot be used; what waits is left for processes that can handle it."""
    receiver = WebhookReceiver(WEBHOOKS, concurrency=2, handler_timeout=0.01, pauses=())
    async with blocked(receiver, events=2) as (release, calls):
        async with asyncio.timeout(20):
            while (await receiver.store.counts()).dead < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await receiver.receive(*signed(delivery(2)))
        await asyncio.sleep(0.02)
        (claim,) = await receiver.store.claim(3, lease=60.0)
        await receiver.store.put_back(claim, counted=False)
        assert sorted(calls) == ["0", "1"]
        release.set()
    assert sorted(calls) == ["0", "1", "2"]


async def test_the_timeout_starts_when_the_thread_does() -> None:
    threads = HandlerThreads(1)
    release = threading.Event()
    first = asyncio.create_task(threads.call(1, lambda: release.wait(20), seconds=20))
    second = asyncio.create_task(threads.call(2, lambda: "done", seconds=0.01))
    await asyncio.sleep(0.1)
    assert not second.done()
    release.set()
    assert await first
    assert await second == "done"
    threads.close()


async def test_the_next_call_takes_the_result_of_one_that_outlived_its_timeout() -> None:
    threads = HandlerThreads(1)
    release = threading.Event()
    calls: list[int] = []

    def call() -> int:
        calls.append(1)
        release.wait(20)
        return len(calls)

    for _ in range(2):
        with pytest.raises(TimeoutError):
            await threads.call("key", call, seconds=0.01)
    assert threads.overdue == 1
    last = asyncio.create_task(threads.call("key", call, seconds=20))
    await asyncio.sleep(0)
    release.set()
    assert await last == 1
    assert threads.overdue == 0
    assert await threads.call("key", call, seconds=20) == 2
    threads.close()


async def test_a_call_that_is_cancelled_while_it_waits_for_a_thread_never_runs() -> None:
    threads = HandlerThreads(1)
    release = threading.Event()
    ran: list[int] = []
    first = asyncio.create_task(threads.call(1, lambda: release.wait(20), seconds=20))
    second = asyncio.create_task(threads.call(2, lambda: ran.append(2), seconds=20))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    release.set()
    await first
    await threads.call(3, lambda: ran.append(3), seconds=20)
    assert ran == [3]
    threads.close()


async def test_threads_end_with_the_receiver() -> None:
    threads: set[threading.Thread] = set()
    async with WebhookReceiver(WEBHOOKS) as receiver:

        @receiver.on(WebhookEvent)
        def handle(event: WebhookEvent) -> None:
            threads.add(threading.current_thread())

        for number in range(5):
            await receiver.receive(*signed(delivery(number)))
        await settled(receiver.store)
    for thread in threads:
        await asyncio.to_thread(thread.join, 20)
        assert not thread.is_alive()


async def test_context_variables_reach_the_thread() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []
    variable.set("of the application")
    async with WebhookReceiver(WEBHOOKS) as receiver:
        receiver.on(WebhookEvent)(lambda event: seen.append(variable.get()))
        await receiver.receive(*signed(delivery()))
        await settled(receiver.store)
    assert seen == ["of the application"]


async def test_a_process_ends_although_a_handler_hangs() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HANGING_PROCESS,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": f"{Path(__file__).parents[1]}:{Path(__file__).parents[2]}"},
    )
    try:
        async with asyncio.timeout(30):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert output == b"closed\n", errors


async def test_a_function_that_raises_stop_iteration_has_failed() -> None:
    """asyncio's futures cannot raise it, so that waiting for it would never end."""
    store = MemoryWebhookStore()
    async with WebhookReceiver(WEBHOOKS, store=store, pauses=()) as receiver:
        receiver.on(WebhookEvent)(lambda event: next(iter(())))
        await receiver.receive(*signed(delivery()))
        await settled(store)
    (letter,) = [each async for each in store.dead_letters()]
    assert letter.error == "RuntimeError: the function raised StopIteration"
