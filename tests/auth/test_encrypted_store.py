"""Encryption at rest: what is stored, whose key it is, and how keys change."""

from __future__ import annotations

import base64

import pytest
from cryptography.fernet import Fernet

from tiktok_shop_async import InvalidArgumentError, TokenStoreError
from tiktok_shop_async.auth import EncryptedTokenStore, MemoryTokenStore

OLD, NEW = (base64.urlsafe_b64encode(letter * 32) for letter in (b"o", b"n"))


async def value(store: MemoryTokenStore | EncryptedTokenStore, key: str) -> bytes:
    stored = await store.get(key)
    assert stored is not None
    return stored.value


async def test_the_store_below_sees_no_value() -> None:
    memory = MemoryTokenStore()
    await EncryptedTokenStore(memory, [OLD]).put("shop", b"a token of a shop", version=0)
    kept = await value(memory, "shop")
    assert b"token" not in kept
    assert await value(EncryptedTokenStore(memory, [OLD]), "shop") == b"a token of a shop"


async def test_a_value_is_good_for_its_key_alone() -> None:
    memory = MemoryTokenStore()
    store = EncryptedTokenStore(memory, [OLD])
    await store.put("mine", b"token", version=0)
    await memory.put("yours", await value(memory, "mine"), version=0)
    with pytest.raises(TokenStoreError, match="the value of yours was encrypted for another key"):
        await store.get("yours")


async def test_keys_change_in_three_steps() -> None:
    """A new one to the front, all values rotated, the old one away."""
    memory = MemoryTokenStore()
    old = EncryptedTokenStore(memory, [OLD])
    for shop in ("1", "2"):
        await old.put(shop, shop.encode(), version=0)
    both = EncryptedTokenStore(memory, [NEW, OLD])
    assert await value(both, "1") == b"1"
    for key in await memory.keys():
        await both.rotate(key)
    await both.rotate("of nothing")
    new = EncryptedTokenStore(memory, NEW.decode())
    assert [await value(new, shop) for shop in ("1", "2")] == [b"1", b"2"]
    assert await memory.get("of nothing") is None
    with pytest.raises(TokenStoreError, match=r"none of the keys decrypts the value of 1.*to keys"):
        await old.get("1")


@pytest.mark.parametrize(
    "stored", [b"", b"plain text", Fernet(OLD).encrypt(b"")[:-8]], ids=["empty", "plain", "cut"]
)
async def test_what_was_not_encrypted_is_no_value(stored: bytes) -> None:
    memory = MemoryTokenStore()
    await memory.put("shop", stored, version=0)
    with pytest.raises(TokenStoreError, match="none of the keys decrypts"):
        await EncryptedTokenStore(memory, [OLD, NEW]).get("shop")


@pytest.mark.parametrize("keys", [[], [b""], [OLD, b"short"], ["\N{SNOWMAN}"], "secret-passphrase"])
def test_keys_that_are_none_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(InvalidArgumentError, match="a Fernet key") as caught:
        EncryptedTokenStore(MemoryTokenStore(), keys)
    assert caught.value.__context__ is None


def test_keys_are_not_shown() -> None:
    store = EncryptedTokenStore(MemoryTokenStore(), [OLD, NEW])
    assert OLD.decode() not in repr(store)
    assert NEW.decode() not in repr(store)
