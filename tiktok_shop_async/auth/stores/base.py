"""The protocol of token stores: versioned values by key, with a lock for each key."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from ..._internal.unpicklable import Unpicklable

NEVER_WRITTEN = 0
"""The version of a key that has no value."""


@attrs.frozen(slots=False)
class StoredValue(Unpicklable):
    """The value of a key and its version, the number of times it was written."""

    value: bytes = attrs.field(repr=False)
    version: int


class TokenStore(Protocol):
    """A store for authorizations; `tiktok_shop_async.testing.check_token_store` tests one.

    All methods raise `TokenStoreError` for errors of their driver.
    """

    async def get(self, key: str) -> StoredValue | None:
        """Return the value of a key, or None."""
        ...

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Replace ``version`` of a value, 0 if it is the first one, and return the new version.

        Raises:
            StaleVersionError: The store has another version, which must not be overwritten.
        """
        ...

    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        """Return a lock that excludes all other tasks and processes with the same key.

        The lock of a process that dies must be released or expire.
        """
        ...
