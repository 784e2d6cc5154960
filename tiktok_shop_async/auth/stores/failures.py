"""What a driver raises, as the one error that callers of a store expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import TikTokShopError, TokenStoreError


@contextmanager
def reported(store: object, what: str) -> Iterator[None]:
    """Raise whatever goes wrong below a store as `TokenStoreError`, without quoting it."""
    try:
        yield
    except TikTokShopError:
        raise
    except Exception as error:  # a driver has many, and raises those of the system too
        raise TokenStoreError(
            f"{store}: {what} failed ({type(error).__name__}).",
            hint="Its cause, chained to this error, says why.",
        ) from error
