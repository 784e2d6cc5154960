"""Encryption at rest, over any token store."""

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
    """Encrypts what another store keeps, by Fernet; the names of keys stay readable.

    A value is bound to its key: copied to another one it is refused. To close, close that store.
    """

    def __init__(self, store: TokenStore, keys: Sequence[str | bytes]) -> None:
        """Put encryption over a store.

        Args:
            store: Keeps what is encrypted, and has the locks.
            keys: Of ``Fernet.generate_key()``. The first one encrypts, and all of them decrypt; a
                new key goes to the front, and an old one after `rotate` has seen all that is kept.
        """
        hidden = [Secret(key) for key in ([keys] if isinstance(keys, (str, bytes)) else keys)]
        del keys  # tracebacks can show local variables
        self._store = store
        self._fernet = _fernet(hidden)

    def __repr__(self) -> str:
        return f"<EncryptedTokenStore over {self._store!r}>"

    async def get(self, key: str) -> StoredValue | None:
        """Return what was written last, or None."""
        stored = await self._store.get(key)
        if stored is None:
            return None
        return StoredValue(self._decrypted(key, stored.value), stored.version)

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Write in place of ``version``, and return the new one."""
        encrypted = self._fernet.encrypt(_mark(key) + value)
        return await self._store.put(key, encrypted, version=version)

    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        """Keep all others out, as the store below does."""
        return self._store.lock(key)

    async def rotate(self, key: str) -> None:
        """Encrypt what is there with the first key, if there is something."""
        async with self.lock(key):
            stored = await self.get(key)
            if stored is not None:
                await self.put(key, stored.value, version=stored.version)

    def _decrypted(self, key: str, encrypted: bytes) -> bytes:
        try:
            content = self._fernet.decrypt(encrypted)
        except InvalidToken as error:
            raise TokenStoreError(
                f"{self}: no key opens what is stored under {key}.",
                hint="Give the key that it was encrypted with as a further one of keys.",
            ) from error
        mark = _mark(key)
        if not content.startswith(mark):
            del content  # tracebacks can show local variables
            raise TokenStoreError(
                f"{self}: what is stored under {key} was written under another key.",
                hint="Somebody copied it there; authorize the seller again.",
            )
        return content.removeprefix(mark)


def _mark(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _fernet(keys: Sequence[Secret]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key.value) for key in keys])
    except ValueError:
        pass
    # Outside of the block: the exception there may quote a key.
    raise InvalidArgumentError(
        "a key is missing or no Fernet key: 32 bytes in URL-safe base64.",
        argument="keys",
        hint="Make one with cryptography.fernet.Fernet.generate_key(), and keep it elsewhere.",
    )
