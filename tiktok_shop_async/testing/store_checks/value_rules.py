"""Rules of the values and versions that a token store keeps."""

from __future__ import annotations

import asyncio
import os
import unicodedata
import uuid

from ...auth.stores.base import NEVER_WRITTEN, TokenStore
from ...errors import StaleVersionError
from .store_pair import StorePair, require

_WRITERS = 8
_VALUES = (b"", b"\0", bytes(range(256)), b'{"a": "\xc3\xa9"}', os.urandom(64 * 1024))
_KEYS = (
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


async def check_values(pair: StorePair) -> None:
    """Check all rules of this module."""
    await _check_reads(pair)
    await _check_any_value(pair)
    await _check_distinct_keys(pair)
    await _check_stale_versions(pair)
    await _check_concurrent_writers(pair)


async def check_secrecy(pair: StorePair) -> None:
    """Check that neither errors nor the repr show a stored value."""
    key, secret = pair.key("secret"), b"SECRET-OF-A-SHOP"
    for version in (NEVER_WRITTEN, NEVER_WRITTEN):  # the second one is stale
        try:
            await pair.one.put(key, secret, version=version)
        except StaleVersionError as error:
            shown = f"{error!r} {error.__cause__!r}"
            require("SECRET" not in shown, "an error must not show the value of a put.")
    stored = await pair.one.get(key)
    require(
        "SECRET" not in f"{stored!r} {pair.one!r} {pair.one}",
        "the repr of a store must not show stored values.",
    )


async def _check_reads(pair: StorePair) -> None:
    key = pair.key("read")
    require(await pair.one.get(key) is None, "get must return None before the first put.")
    version = await pair.one.put(key, b"first", version=NEVER_WRITTEN)
    await pair.expect(key, b"first", version)
    require(version != NEVER_WRITTEN, "the version after the first put must not be 0.")
    newer = await pair.other.put(key, b"second", version=version)
    await pair.expect(key, b"second", newer)
    require(newer > version, "each put must return a greater version than the last one.")


async def _check_any_value(pair: StorePair) -> None:
    key, version = pair.key("values"), NEVER_WRITTEN
    for value in _VALUES:
        version = await pair.one.put(key, value, version=version)
        await pair.expect(key, value, version)


async def _check_distinct_keys(pair: StorePair) -> None:
    values = {pair.key(key): key.encode() for key in _KEYS}
    for key, value in values.items():
        require(
            await pair.one.get(key) is None,
            f"{key[-30:]!r} must be distinct from similar keys.",
        )
        await pair.one.put(key, value, version=NEVER_WRITTEN)
    for key, value in values.items():
        stored = await pair.get(pair.other, key)
        require(stored.value == value, f"{key[-30:]!r} must have the value that was put.")


async def _check_stale_versions(pair: StorePair) -> None:
    key = pair.key("stale")
    await _expect_stale(pair, key, 3, "before the first put, the only valid version is 0")
    require(await pair.one.get(key) is None, "a rejected put must not write anything.")
    first = await pair.one.put(key, b"first", version=NEVER_WRITTEN)
    version = await pair.other.put(key, b"second", version=first)
    await _expect_stale(pair, key, NEVER_WRITTEN, "version 0 means that nothing was put yet")
    await _expect_stale(pair, key, first, "this version was replaced")
    await _expect_stale(pair, key, version + 1, "this version does not exist yet")
    await pair.expect(key, b"second", version)


async def _check_concurrent_writers(pair: StorePair) -> None:
    key, version = pair.key("race"), NEVER_WRITTEN
    for _ in range(3):
        values = [uuid.uuid4().bytes for _ in range(_WRITERS)]
        results = await pair.finish_in_time(
            asyncio.gather(
                *(_try_put(pair.store(n), key, values[n], version) for n in range(_WRITERS))
            ),
            "concurrent puts must all end.",
        )
        winners = [n for n, result in enumerate(results) if result is not None]
        require(
            len(winners) == 1,
            f"of {_WRITERS} concurrent puts with the same version exactly one must succeed, "
            f"and the others must raise StaleVersionError; {len(winners)} succeeded.",
        )
        version = results[winners[0]] or NEVER_WRITTEN
        await pair.expect(key, values[winners[0]], version)


async def _try_put(store: TokenStore, key: str, value: bytes, version: int) -> int | None:
    try:
        return await store.put(key, value, version=version)
    except StaleVersionError:
        return None


async def _expect_stale(pair: StorePair, key: str, version: int, reason: str) -> None:
    try:
        await pair.one.put(key, b"slow", version=version)
    except StaleVersionError:
        return
    raise AssertionError(f"put of version {version} must raise StaleVersionError: {reason}.")
