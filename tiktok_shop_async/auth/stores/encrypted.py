"""Encryption at rest for any token store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

try:
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet
except ImportError as error:
    raise ImportError(
        "EncryptedTokenStore needs a further package: pip install 'tiktok-shop-async[encryption]'",
        name=error.name,
    ) from error

from ..._internal.secret import Secret
from ...errors import InvalidArgumentError, TokenStoreError
from .base import StoredValue, TokenStore


class EncryptedTokenStore:
    """A token store that encrypts the values of another one with Fernet.

    The names of keys stay readable. A value is bound to its key: it is rejected if it was copied to
    another one. This store needs no closing, but the other one does.
    """

    def __init__(self, store: TokenStore, keys: Sequence[str | bytes]) -> None:
        """Create a store that encrypts the values of another one.

        Args:
            store: Stores the encrypted values and provides the locks.
            keys: Keys of ``Fernet.generate_key()``. The first one encrypts, all of them decrypt.
                Insert a new key at the front; remove an old one after `rotate` for all store keys.
        """
        hidden = [Secret(key) for key in ([keys] if isinstance(keys, (str, bytes)) else keys)]
        del keys  # tracebacks can show local variables
        self._store = store
        self._fernet = _fernet(hidden)

    def __repr__(self) -> str:
        return f"<EncryptedTokenStore over {self._store!r}>"

    async def get(self, key: str) -> StoredValue | None:
        """Return the value of a key, or None."""
        stored = await self._store.get(key)
        if stored is None:
            return None
        return StoredValue(self._decrypted(key, stored.value), stored.version)

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Replace ``version`` of a value, and return the new version."""
        encrypted = self._fernet.encrypt(_mark(key) + value)
        return await self._store.put(key, encrypted, version=version)

    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        """Return the lock of the other store."""
        return self._store.lock(key)

    async def rotate(self, key: str) -> None:
        """Encrypt the value of a store key, if it has one, with the first encryption key."""
        async with self.lock(key):
            stored = await self.get(key)
            if stored is not None:
                await self.put(key, stored.value, version=stored.version)

    def _decrypted(self, key: str, encrypted: bytes) -> bytes:
        try:
            content = self._fernet.decrypt(encrypted)
        except InvalidToken as error:
            raise TokenStoreError(
                f"{self}: none of the keys decrypts the value of {key}.",
                hint="Add the key with which it was encrypted to keys.",
            ) from error
        mark = _mark(key)
        if not content.startswith(mark):
            del content  # tracebacks can show local variables
            raise TokenStoreError(
                f"{self}: the value of {key} was encrypted for another key of the store.",
                hint="It was copied there; the seller must authorize the app again.",
            )
        return content.removeprefix(mark)


def _mark(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _fernet(keys: Sequence[Secret]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key.value) for key in keys])
    except ValueError:
        pass
    # Outside the block: the exception there may quote a key.
    raise InvalidArgumentError(
        "each of keys must be a Fernet key: 32 bytes in URL-safe base64.",
        argument="keys",
        hint="Create one with cryptography.fernet.Fernet.generate_key().",
    )
