"""What a token store has to do: keep values by key, and let one at a time change one."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from ..._internal.unpicklable import Unpicklable

NEVER_WRITTEN = 0
"""The version of a key that nothing was written to."""


@attrs.frozen(slots=False)
class StoredValue(Unpicklable):
    """What a store has under a key, and how often that was written."""

    value: bytes = attrs.field(repr=False)
    version: int


class TokenStore(Protocol):
    """Where authorizations are kept; `tiktok_shop_async.testing.check_token_store` tests one.

    Whatever goes wrong below is raised as `TokenStoreError`, so that callers can tell it apart.
    """

    async def get(self, key: str) -> StoredValue | None:
        """Return what was written last, or None."""
        ...

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Write in place of ``version``, 0 if there is none yet, and return the new version.

        `StaleVersionError` if another version is there: whoever was slow must not overwrite it.
        """
        ...

    def lock(self, key: str) -> AbstractAsyncContextManager[object]:
        """Keep all others, tasks and processes, out of a block with the same key.

        A holder that dies must not keep it for ever.
        """
        ...
