"""What a driver raises, as the one error that callers expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import TikTokShopError


@contextmanager
def reported_as(kind: type[TikTokShopError], who: object, what: str) -> Iterator[None]:
    """Raise whatever goes wrong below ``who`` as an error of this kind, without quoting it."""
    try:
        yield
    except TikTokShopError:
        raise
    except Exception as error:  # a driver has many, and raises those of the system too
        raise kind(
            f"{who}: {what} failed ({type(error).__name__}).",
            hint="Its cause, chained to this error, says why.",
        ) from error
