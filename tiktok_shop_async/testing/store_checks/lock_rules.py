"""Rules of the locks of a token store."""

from __future__ import annotations

import asyncio

from ...auth.stores.base import NEVER_WRITTEN, TokenStore
from ...errors import StaleVersionError
from .store_pair import StorePair, require

_WORKERS = 8
_DELAYS = (0, 0.001, 0.003, 0.01, 0.05)
"""Seconds after which a task is cancelled: before it requests the lock, meanwhile, and after."""


async def check_locks(pair: StorePair) -> None:
    """Check all rules of this module."""
    await _check_exclusion(pair)
    await _check_other_keys(pair)
    await _check_failed_block(pair)
    await _check_cancelled_holder(pair)
    await _check_cancelled_waiter(pair)
    await _check_cancelled_entry(pair)


async def _check_exclusion(pair: StorePair) -> None:
    key, holders, exclusive = pair.key("lock"), 0, True

    async def work(store: TokenStore) -> None:
        nonlocal holders, exclusive
        async with store.lock(key):
            holders += 1
            stored = await store.get(key)
            count, version = (int(stored.value), stored.version) if stored else (0, 0)
            await asyncio.sleep(0)
            exclusive = exclusive and holders == 1
            try:
                await store.put(key, b"%d" % (count + 1), version=version)
            except StaleVersionError:
                exclusive = False
            holders -= 1

    workers = asyncio.gather(*(work(pair.store(number)) for number in range(_WORKERS)))
    await pair.finish_in_time(workers, "every task that waits for a lock must get it.")
    require(exclusive, "only one task at a time may hold the lock of a key.")


async def _check_other_keys(pair: StorePair) -> None:
    async with pair.one.lock(pair.key("held")):
        for store in (pair.one, pair.other):
            await pair.take_lock(
                store, pair.key("free"), "the lock of one key must not block other keys."
            )
        await pair.finish_in_time(
            pair.other.put(pair.key("held"), b"", version=NEVER_WRITTEN),
            "put must not wait for a lock: its version protects the value.",
        )


async def _check_failed_block(pair: StorePair) -> None:
    key = pair.key("failed")
    try:
        async with pair.one.lock(key):
            raise _BlockFailedError
    except _BlockFailedError:
        pass
    else:
        raise AssertionError("a lock must not suppress an exception that its block raises.")
    await pair.expect_free(key, "a lock must be free after its block raised an exception.")


async def _check_cancelled_holder(pair: StorePair) -> None:
    key, entered = pair.key("cancelled-holder"), asyncio.Event()
    holder = asyncio.create_task(_hold(pair.one, key, entered))
    await pair.finish_in_time(entered.wait(), "a free lock must be available.")
    await pair.cancel(holder)
    await pair.expect_free(key, "a lock must be free after its holder was cancelled.")


async def _check_cancelled_waiter(pair: StorePair) -> None:
    for store in (pair.one, pair.other):
        key = pair.key("cancelled-waiter")
        async with pair.one.lock(key):
            waiters = [asyncio.create_task(_hold(store, key)) for _ in _DELAYS]
            for waiter, delay in zip(waiters, _DELAYS, strict=True):
                await asyncio.sleep(delay)
                await pair.cancel(waiter)
        await pair.expect_free(
            key, "a lock must be free after a task that waited for it was cancelled."
        )


async def _check_cancelled_entry(pair: StorePair) -> None:
    for delay in _DELAYS:
        key = pair.key("cancelled-entry")
        entering = asyncio.create_task(_hold(pair.one, key))
        await asyncio.sleep(delay)
        await pair.cancel(entering)
        await pair.expect_free(
            key, f"a lock must be free after a task that requested it {delay} s ago was cancelled."
        )


class _BlockFailedError(Exception):
    pass


async def _hold(store: TokenStore, key: str, entered: asyncio.Event | None = None) -> None:
    """Take a lock, and hold it until this task is cancelled."""
    async with store.lock(key):
        if entered is not None:
            entered.set()
        await asyncio.Event().wait()
