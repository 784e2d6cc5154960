"""The state of a sandbox in a SQLite file, so that it survives a restart."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import attrs

from ..._internal.movable_clock import MovableClock
from ..domain.entities.orders import Order, Sku
from ..domain.entities.products import Product
from ..domain.entities.replies import Reply
from ..domain.grants import Grants
from ..domain.market import Market
from ..domain.shop import Shop
from ..domain.webhook_subscriptions import Subscriptions
from ..inputs.checks import check_number
from .records import converter, order_of, order_record

APPLICATION_ID = 0x54_54_53_42
"""Identifies state files to SQLite: TTSB."""
FORMAT = 1
"""Format of the records; files of other formats are refused."""

_SCHEMA = """
CREATE TABLE record (
    shop TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (shop, kind, id)
)
"""
_ALL_SHOPS = ""
_CHOOSE_ANOTHER = ": name another file, or one that does not exist yet"
_MAX_MOVED = 200 * 365 * 24 * 3600

T = TypeVar("T")


class StateFileError(ValueError):
    """A state file that cannot be used; the message says what to do."""


class StateFile:
    """A SQLite file that stores a market; changes are written before the response is sent.

    Only one sandbox can use it at a time. It stores orders with their cancellations, packages and
    returns, products, responses to idempotency keys, authorizations, subscriptions, and how far the
    clock was moved. It does not store faults, limits, the request log and undelivered webhooks. A
    crash of the process loses nothing that was sent to a client; a crash of the machine can lose
    the last moments.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._modified: set[tuple[str, Any]] = set()
        self._begin_anew = False
        self._market: Market | None = None
        self._clock: object = None
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
        """Save, and release the file."""
        try:
            self.save()
        finally:
            self._file.close()

    def attach(self, market: Market, clock: object) -> bool:
        """Load the file into a market, and store the market's changes from then on.

        Returns whether the file had a state. If not, the market's current state is stored.
        """
        self._market, self._clock = market, clock
        with self._explained():
            known: bool = self._file.execute("SELECT EXISTS (SELECT * FROM record)").fetchone()[0]
            if known:
                self._restore(market)
                self._follow(market)
            else:
                self.begin_anew()
                self.save()
        return bool(known)

    def begin_anew(self) -> None:
        """Replace the file's content by the market, after a reset, at the next save."""
        assert self._market is not None, "a market is attached before it is reset"
        self._follow(self._market)
        self._begin_anew = True
        self._modified = set(_everything(self._market))

    def save(self) -> None:
        """Write all changes since the last save in one transaction."""
        moved = self._clock.moved if isinstance(self._clock, MovableClock) else 0.0
        if not self._modified and moved == self._moved:
            return
        rows = [_row(shop_id, thing) for shop_id, thing in self._modified]
        rows.append((_ALL_SHOPS, "clock", "", json.dumps({"moved": moved})))
        with self._file:
            if self._begin_anew:
                self._file.execute("DELETE FROM record")
            self._file.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", rows)
        self._modified.clear()
        self._begin_anew, self._moved = False, moved

    def _open(self) -> None:
        """Lock the file until it is closed; create the table in a new file."""
        self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
        owner = self._pragma("application_id")
        is_empty = self._file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if is_empty and owner in (0, APPLICATION_ID):
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._file.execute(f"PRAGMA user_version = {FORMAT}")
            self._file.execute(_SCHEMA)
        elif owner != APPLICATION_ID:
            raise StateFileError(f"{self._path} is not a sandbox's state file{_CHOOSE_ANOTHER}")
        elif (version := self._pragma("user_version")) != FORMAT:
            raise StateFileError(
                f"{self._path} has format {version} of another version of the sandbox, and this "
                f"one reads format {FORMAT}: delete the file, or name another one"
            )
        self._file.execute("PRAGMA synchronous = NORMAL")
        with self._file:  # takes the lock, which stays
            self._file.execute("BEGIN IMMEDIATE")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise errors of SQLite as `StateFileError` that says what to do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StateFileError(f"{self._path} {self._reason(error)}") from error

    def _reason(self, error: sqlite3.DatabaseError) -> str:
        path = Path(self._path)
        # SQLite reports a lock that fails for lack of permissions as an I/O error.
        if path.is_file() and not os.access(path, os.R_OK | os.W_OK):
            return "cannot be read and written: change its permissions, or name another file"
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # without the extended part
            case sqlite3.SQLITE_BUSY:
                return "is in use by another sandbox: stop that one, or name another file"
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY:
                if path.is_dir():
                    return "is a directory: name a file"
                if not path.parent.is_dir():
                    return f"cannot be created: the directory {path.parent} does not exist"
                return f"cannot be written: change the permissions of {path.parent}"
            case sqlite3.SQLITE_NOTADB:
                return f"is not a sandbox's state file{_CHOOSE_ANOTHER}"
            case sqlite3.SQLITE_CORRUPT:
                return f"is damaged ({error}): delete the file, or name another one"
        return f"cannot be used ({error}){_CHOOSE_ANOTHER}"

    def _pragma(self, name: str) -> int:
        value: int = self._file.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    def _follow(self, market: Market) -> None:
        for shop in market.shops.values():
            shop.ledger.on_modified = shop.stock.on_modified = partial(self._mark, shop.id)
        market.grants.on_modified = partial(self._mark, _ALL_SHOPS)
        market.subscriptions.on_modified = partial(self._mark, _ALL_SHOPS)

    def _mark(self, shop_id: str, thing: Any) -> None:
        self._modified.add((shop_id, thing))

    def _restore(self, market: Market) -> None:
        moved = self._moved
        for recorded in self._records(_ALL_SHOPS, "clock", _moved_of):
            moved = recorded
        for cipher, made in market.shops.items():
            # A copy has the settings of a shop, but no orders and products.
            shop = market.shops[cipher] = attrs.evolve(made)
            self._restore_shop(shop)
        self._records(_ALL_SHOPS, "grants", partial(market.grants.restore, converter))
        restore_subscriptions = partial(market.subscriptions.restore, converter)
        self._records(_ALL_SHOPS, "subscriptions", restore_subscriptions)
        self._moved = moved
        if isinstance(self._clock, MovableClock):
            self._clock.advance(moved - self._clock.moved)

    def _restore_shop(self, shop: Shop) -> None:
        skus: dict[Sku, Sku] = {}
        shop.stock.add(self._records(shop.id, "product", _product_of))
        shop.add_orders(self._records(shop.id, "order", lambda record: order_of(record, skus)))
        for reply in self._records(shop.id, "reply", _reply_of):
            shop.add_reply(reply)

    def _records(self, shop_id: str, kind: str, read: Callable[[Any], T]) -> list[T]:
        """Return the objects of records, in the order of their ids, which is that of creation."""
        things = []
        selected = self._file.execute(
            "SELECT id, json FROM record WHERE shop = ? AND kind = ? ORDER BY id", (shop_id, kind)
        )
        with contextlib.closing(selected):  # an open statement would keep the file locked
            for name, text in selected:
                try:
                    things.append(read(json.loads(text)))
                except Exception as error:  # any error means that the file is damaged
                    raise StateFileError(
                        f"{self._path} is damaged: its {f'{kind} {name}'.rstrip()} cannot be "
                        "read: delete the file, or name another one"
                    ) from error
        return things


def _moved_of(record: Any) -> float:
    moved: float = record["moved"]
    check_number(moved, "moved", -_MAX_MOVED, _MAX_MOVED)
    return moved


def _product_of(record: Any) -> Product:
    return converter.structure(record, Product)


def _reply_of(record: Any) -> Reply:
    return converter.structure(record, Reply)


def _everything(market: Market) -> Iterator[tuple[str, Any]]:
    for shop in market.shops.values():
        for thing in (*shop.orders.values(), *shop.stock.products.values(), *shop.replies.values()):
            yield shop.id, thing
    yield _ALL_SHOPS, market.grants
    yield _ALL_SHOPS, market.subscriptions


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
            raise AssertionError(f"a {type(thing).__name__} cannot be stored")
    return shop_id, kind, name, json.dumps(record, separators=(",", ":"))
