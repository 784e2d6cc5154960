"""A test of token stores: what authorizations rely on, with words for what is broken."""

from __future__ import annotations

import asyncio
import os
import unicodedata
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeAlias, TypeVar

from ..auth.stores.base import NEVER_WRITTEN, StoredValue, TokenStore
from ..errors import StaleVersionError

T = TypeVar("T")

StoreFactory: TypeAlias = Callable[[], TokenStore | AbstractAsyncContextManager[TokenStore]]

RACERS = 8
VALUES = (b"", b"\0", bytes(range(256)), b'{"a": "\xc3\xa9"}', os.urandom(64 * 1024))
KEYS = (
    "a",
    "A",
    "a ",
    " a",
    "app/user/7:*?[a]{b}",
    "50%\\'\";--",
    "two\nlines",
    "\N{PILE OF POO} \N{CJK UNIFIED IDEOGRAPH-5E97}",
    unicodedata.normalize("NFC", "e\N{COMBINING ACUTE ACCENT}"),
    unicodedata.normalize("NFD", "e\N{COMBINING ACUTE ACCENT}"),
    "long" * 250,
    "long" * 250 + "er",
)
MOMENTS = (0, 0.001, 0.003, 0.01, 0.05)
"""Seconds after which a task is cancelled: before it asked for the lock, meanwhile, and after."""


async def check_token_store(make_store: StoreFactory, *, patience: float = 10.0) -> None:
    """Check a token store of your own; `AssertionError` says which rule it breaks.

    ``make_store`` is called twice, and returns a store or a context manager that gives one: the
    two are of the same data, as those of two processes are. Keys that begin with ``check-`` stay
    behind. What takes more than ``patience`` seconds is taken for hanging.
    """
    async with AsyncExitStack() as opened:
        stores = [await _opened(opened, make_store()) for _ in range(2)]
        check = _Check(stores[0], stores[1], patience)
        await check.reads_what_was_written()
        await check.keeps_any_value()
        await check.tells_keys_apart()
        await check.refuses_stale_versions()
        await check.lets_one_writer_win()
        await check.excludes_others()
        await check.locks_each_key_by_itself()
        await check.frees_the_lock_of_a_block_that_failed()
        await check.frees_the_lock_of_a_holder_that_was_cancelled()
        await check.forgets_a_waiter_that_was_cancelled()
        await check.frees_a_lock_that_was_never_entered()
        await check.shows_no_value()


async def _opened(
    opened: AsyncExitStack, store: TokenStore | AbstractAsyncContextManager[TokenStore]
) -> TokenStore:
    if isinstance(store, AbstractAsyncContextManager):
        return await opened.enter_async_context(store)
    return store


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise AssertionError(rule)


class _Check:
    """The rules, one a method; ``one`` and ``other`` are stores of the same data."""

    def __init__(self, one: TokenStore, other: TokenStore, patience: float) -> None:
        self.one = one
        self.other = other
        self._patience = patience
        self._run = f"check-{uuid.uuid4()}"

    async def reads_what_was_written(self) -> None:
        key = self._key("read")
        _require(await self.one.get(key) is None, "get must return None before anything is put.")
        version = await self.one.put(key, b"first", version=NEVER_WRITTEN)
        await self._expect(key, b"first", version)
        _require(version != NEVER_WRITTEN, "the version after the first put must not be 0.")
        newer = await self.other.put(key, b"second", version=version)
        await self._expect(key, b"second", newer)
        _require(newer > version, "each put must return a version that is greater than before.")

    async def keeps_any_value(self) -> None:
        key, version = self._key("values"), NEVER_WRITTEN
        for value in VALUES:
            version = await self.one.put(key, value, version=version)
            await self._expect(key, value, version)

    async def tells_keys_apart(self) -> None:
        keys = {self._key(key): key.encode() for key in KEYS}
        for key, value in keys.items():
            _require(
                await self.one.get(key) is None,
                f"{key[-30:]!r} must be a key of its own, apart from others that look alike.",
            )
            await self.one.put(key, value, version=NEVER_WRITTEN)
        for key, value in keys.items():
            stored = await self._get(self.other, key)
            _require(stored.value == value, f"{key[-30:]!r} must have the value that was put.")

    async def refuses_stale_versions(self) -> None:
        key = self._key("stale")
        await self._expect_stale(key, 3, "where nothing was put yet, version 0 alone is right")
        _require(await self.one.get(key) is None, "a put that is refused must write nothing.")
        first = await self.one.put(key, b"first", version=NEVER_WRITTEN)
        version = await self.other.put(key, b"second", version=first)
        await self._expect_stale(key, NEVER_WRITTEN, "version 0 means that nothing was put yet")
        await self._expect_stale(key, first, "this version was replaced")
        await self._expect_stale(key, version + 1, "this version does not exist yet")
        await self._expect(key, b"second", version)

    async def lets_one_writer_win(self) -> None:
        key, version = self._key("race"), NEVER_WRITTEN
        for _ in range(3):
            values = [uuid.uuid4().bytes for _ in range(RACERS)]
            results = await self._soon(
                asyncio.gather(*(self._try_put(n, key, values[n], version) for n in range(RACERS))),
                "puts at the same time must all end.",
            )
            winners = [n for n, result in enumerate(results) if result is not None]
            _require(
                len(winners) == 1,
                f"of {RACERS} puts in place of one version exactly one must succeed, "
                f"and the others raise StaleVersionError; {len(winners)} succeeded.",
            )
            version = results[winners[0]] or NEVER_WRITTEN
            await self._expect(key, values[winners[0]], version)

    async def excludes_others(self) -> None:
        key, inside, alone = self._key("lock"), 0, True

        async def work(number: int) -> None:
            nonlocal inside, alone
            store = self._store(number)
            async with store.lock(key):
                inside += 1
                stored = await store.get(key)
                count, version = (int(stored.value), stored.version) if stored else (0, 0)
                await asyncio.sleep(0)
                alone = alone and inside == 1
                try:
                    await store.put(key, b"%d" % (count + 1), version=version)
                except StaleVersionError:
                    alone = False
                inside -= 1

        racing = asyncio.gather(*(work(number) for number in range(RACERS)))
        await self._soon(racing, "all who wait for a lock must get it in the end.")
        _require(alone, "while one has the lock of a key no other may get it.")

    async def locks_each_key_by_itself(self) -> None:
        async with self.one.lock(self._key("held")):
            for store in (self.one, self.other):
                await self._lock(
                    store, self._key("free"), "the lock of one key must not keep another one."
                )
            await self._soon(
                self.other.put(self._key("held"), b"", version=NEVER_WRITTEN),
                "put must not wait for a lock: its version is what protects it.",
            )

    async def frees_the_lock_of_a_block_that_failed(self) -> None:
        key = self._key("failed")
        try:
            async with self.one.lock(key):
                raise _BlockFailedError
        except _BlockFailedError:
            pass
        else:
            raise AssertionError("an exception in the block of a lock must get out of it.")
        await self._expect_free(key, "a lock must be free after its block raised an exception.")

    async def frees_the_lock_of_a_holder_that_was_cancelled(self) -> None:
        key, inside = self._key("cancelled-holder"), asyncio.Event()

        async def stay() -> None:
            async with self.one.lock(key):
                inside.set()
                await asyncio.Event().wait()

        holder = asyncio.create_task(stay())
        await self._soon(inside.wait(), "a lock that nobody has must be had.")
        await self._cancel(holder)
        await self._expect_free(key, "a lock must be free after its holder was cancelled.")

    async def forgets_a_waiter_that_was_cancelled(self) -> None:
        for store in (self.one, self.other):
            key = self._key("cancelled-waiter")
            async with self.one.lock(key):
                waiters = [asyncio.create_task(_enter(store, key)) for _ in MOMENTS]
                for waiter, moment in zip(waiters, MOMENTS, strict=True):
                    await asyncio.sleep(moment)
                    await self._cancel(waiter)
            await self._expect_free(
                key, "a lock must be free where one who waited for it was cancelled."
            )

    async def frees_a_lock_that_was_never_entered(self) -> None:
        for moment in MOMENTS:
            key = self._key("cancelled-entry")
            entering = asyncio.create_task(_enter(self.one, key))
            await asyncio.sleep(moment)
            await self._cancel(entering)
            await self._expect_free(
                key, f"a lock must be free where a task was cancelled {moment} s after it asked."
            )

    async def shows_no_value(self) -> None:
        key, secret = self._key("secret"), b"SECRET-OF-A-SHOP"
        for version in (NEVER_WRITTEN, NEVER_WRITTEN):  # the second one is refused
            try:
                await self.one.put(key, secret, version=version)
            except StaleVersionError as error:
                shown = f"{error!r} {error.__cause__!r}"
                _require("SECRET" not in shown, "an error must not show what was to be stored.")
        stored = await self.one.get(key)
        _require(
            "SECRET" not in f"{stored!r} {self.one!r} {self.one}",
            "the repr of a store must not show what is stored.",
        )

    def _key(self, name: str) -> str:
        return f"{self._run}/{name}"

    def _store(self, number: int) -> TokenStore:
        return self.other if number % 2 else self.one

    async def _try_put(self, number: int, key: str, value: bytes, version: int) -> int | None:
        try:
            return await self._store(number).put(key, value, version=version)
        except StaleVersionError:
            return None

    async def _get(self, store: TokenStore, key: str) -> StoredValue:
        stored: Any = await store.get(key)
        _require(
            isinstance(stored, StoredValue),
            f"get must return a StoredValue for a key that was put, not {type(stored).__name__}.",
        )
        assert isinstance(stored, StoredValue)
        _require(type(stored.value) is bytes, "get must return the value as bytes.")
        return stored

    async def _expect(self, key: str, value: bytes, version: int) -> None:
        for store in (self.one, self.other):
            stored = await self._get(store, key)
            _require(
                stored.value == value,
                f"a value of {len(value)} bytes must be read as it was put, by all stores of the "
                f"same data; {len(stored.value)} bytes came back.",
            )
            _require(
                stored.version == version,
                f"get must return the version that put returned, {version}, not {stored.version}.",
            )

    async def _expect_stale(self, key: str, version: int, why: str) -> None:
        try:
            await self.one.put(key, b"slow", version=version)
        except StaleVersionError:
            return
        raise AssertionError(f"put of version {version} must raise StaleVersionError: {why}.")

    async def _expect_free(self, key: str, rule: str) -> None:
        for store in (self.one, self.other):
            await self._lock(store, key, rule)

    async def _lock(self, store: TokenStore, key: str, rule: str) -> None:
        async def enter() -> None:
            async with store.lock(key):
                pass

        await self._soon(enter(), rule)

    async def _cancel(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await self._soon(asyncio.wait([task]), "a task that is cancelled at a lock must end.")
        if not task.cancelled():
            raise AssertionError(
                "a task that is cancelled at a lock must end with CancelledError."
            ) from task.exception()

    async def _soon(self, work: Awaitable[T], rule: str) -> T:
        try:
            return await asyncio.wait_for(work, self._patience)
        except TimeoutError as error:
            raise AssertionError(rule) from error


class _BlockFailedError(Exception):
    pass


async def _enter(store: TokenStore, key: str) -> None:
    """Take a lock, and stay there."""
    async with store.lock(key):
        await asyncio.Event().wait()
