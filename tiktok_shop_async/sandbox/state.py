"""A sandbox's state in a SQLite file, so that it goes on where it stopped."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any

import attrs
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..clock import MovableClock
from .grants import Grants
from .idempotency import Reply
from .market import Market
from .orders import Order, Sku
from .products import Product
from .records import converter, order_of, order_record
from .shop import Shop
from .subscriptions import Subscriptions

APPLICATION_ID = 0x54_54_53_42
"""What SQLite knows our files by: TTSB."""
FORMAT = 1
"""Of the records; a file of another one is refused."""

_SCHEMA = """
CREATE TABLE record (
    shop TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (shop, kind, id)
)
"""
_OF_ALL_SHOPS = ""


class StateFile:
    """Keeps a market in a file: what changed is written before the answer that tells of it.

    It is one sandbox's at a time. Kept are orders with all that belongs to them, products, answers
    to idempotency keys, authorizations, subscriptions, and how far the clock was moved; not faults,
    limits, the log of requests, and webhooks that are still to be delivered. A crash of the process
    loses nothing that was answered, a crash of the machine perhaps the last moments.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._touched: set[tuple[str, Any]] = set()
        self._begin_anew = False
        self._market: Market | None = None
        self._clock: Callable[[], float] | None = None
        self._moved = 0.0
        with self._explained(), contextlib.ExitStack() as opened:
            self._file = sqlite3.connect(self._path, timeout=0, check_same_thread=False)
            opened.callback(self._file.close)
            self._open()
            opened.pop_all()

    def __enter__(self) -> StateFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Save what is left, and let another sandbox have the file."""
        try:
            self.save()
        finally:
            self._file.close()

    def keep(self, market: Market, clock: Callable[[], float]) -> bool:
        """Bring a market to where the file has it, and follow it from then on.

        Returns whether the file had anything; if not, it now has the market as it is.
        """
        self._market, self._clock = market, clock
        known: bool = self._file.execute("SELECT EXISTS (SELECT * FROM record)").fetchone()[0]
        if known:
            self._restore(market)
            self._follow(market)
        else:
            self.begin_anew()
            self.save()
        return bool(known)

    def begin_anew(self) -> None:
        """Forget what the file has: the market was reset."""
        assert self._market is not None, "a market is kept before it is reset"
        self._follow(self._market)
        self._begin_anew = True
        self._touched = set(_everything(self._market))

    def save(self) -> None:
        """Write what changed since the last time: all of it, or nothing if that fails."""
        moved = self._clock.moved if isinstance(self._clock, MovableClock) else 0.0
        if not self._touched and moved == self._moved:
            return
        rows = [_row(shop_id, thing) for shop_id, thing in self._touched]
        rows.append((_OF_ALL_SHOPS, "clock", "", json.dumps({"moved": moved})))
        with self._file:
            if self._begin_anew:
                self._file.execute("DELETE FROM record")
            self._file.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", rows)
        self._touched.clear()
        self._begin_anew, self._moved = False, moved

    def _open(self) -> None:
        """Take the file, for as long as it is open; a new one gets its table."""
        self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
        ours = self._pragma("application_id") == APPLICATION_ID
        if self._file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._file.execute(f"PRAGMA user_version = {FORMAT}")
            self._file.execute(_SCHEMA)
        elif not ours:
            raise ValueError(f"{self._path} is no state of a sandbox")
        elif self._pragma("user_version") != FORMAT:
            raise ValueError(
                f"{self._path} was written by another version of the sandbox, which this one "
                "cannot read: delete it, or give another file"
            )
        self._file.execute("PRAGMA synchronous = NORMAL")
        with self._file:  # takes the lock, and keeps it
            self._file.execute("BEGIN IMMEDIATE")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise ValueError(f"{self._path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self._path} is no state of a sandbox: {error}") from error

    def _pragma(self, name: str) -> int:
        value: int = self._file.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    def _follow(self, market: Market) -> None:
        for shop in market.shops.values():
            shop.on_touch = shop.stock.on_touch = partial(self._touch, shop.id)
        market.grants.on_touch = partial(self._touch, _OF_ALL_SHOPS)
        market.subscriptions.on_touch = partial(self._touch, _OF_ALL_SHOPS)

    def _touch(self, shop_id: str, thing: Any) -> None:
        self._touched.add((shop_id, thing))

    def _restore(self, market: Market) -> None:
        for cipher, made in market.shops.items():
            # A copy has what a shop is made with, but none of its orders and products.
            shop = market.shops[cipher] = attrs.evolve(made)
            self._restore_shop(shop)
        for record in self._records(_OF_ALL_SHOPS, "grants"):
            market.grants.restore(converter, record)
        for record in self._records(_OF_ALL_SHOPS, "subscriptions"):
            market.subscriptions.restore(converter, record)
        for record in self._records(_OF_ALL_SHOPS, "clock"):
            self._moved = record["moved"]
            if isinstance(self._clock, MovableClock):
                self._clock.advance(self._moved - self._clock.moved)

    def _restore_shop(self, shop: Shop) -> None:
        skus: dict[Sku, Sku] = {}
        shop.stock.add(
            converter.structure(record, Product) for record in self._records(shop.id, "product")
        )
        shop.add_orders(order_of(record, skus) for record in self._records(shop.id, "order"))
        for record in self._records(shop.id, "reply"):
            shop.remember(converter.structure(record, Reply))

    def _records(self, shop_id: str, kind: str) -> Iterator[Any]:
        """Yield records in the order of their ids, which is that of their making."""
        found = self._file.execute(
            "SELECT json FROM record WHERE shop = ? AND kind = ? ORDER BY id", (shop_id, kind)
        )
        return (json.loads(text) for (text,) in found)


def _everything(market: Market) -> Iterator[tuple[str, Any]]:
    for shop in market.shops.values():
        for thing in (*shop.orders.values(), *shop.stock.products.values(), *shop.replies.values()):
            yield shop.id, thing
    yield _OF_ALL_SHOPS, market.grants
    yield _OF_ALL_SHOPS, market.subscriptions


def _row(shop_id: str, thing: Any) -> tuple[str, str, str, str]:
    record: Any
    match thing:
        case Order():
            kind, name, record = "order", thing.id, order_record(thing)
        case Product():
            kind, name, record = "product", thing.id, converter.unstructure(thing)
        case Reply():
            name = f"{thing.operation} {thing.key}"
            kind, record = "reply", converter.unstructure(thing)
        case Grants():
            kind, name, record = "grants", "", thing.record(converter)
        case Subscriptions():
            kind, name, record = "subscriptions", "", thing.record(converter)
        case _:
            raise AssertionError(f"a {type(thing).__name__} is not kept")
    return shop_id, kind, name, json.dumps(record, separators=(",", ":"))


class SaveBeforeAnswer:
    """Middleware that has everything saved before the first byte of an answer leaves."""

    def __init__(self, app: ASGIApp, state: StateFile) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def save_and_send(message: Message) -> None:
            self._state.save()
            await send(message)

        try:
            await self._app(scope, receive, save_and_send)
        finally:
            self._state.save()  # also where a fault left no answer
