"""The one place where errors of drivers become errors of this package."""

from __future__ import annotations

from types import TracebackType

from .._internal.error_causes import drop_frames
from ..errors import TikTokShopError


class wrap_errors:  # noqa: N801 - a context manager, used like a function
    """Raise any exception of the block as an error of one kind, without quoting its text.

    The frames of the block are dropped, also from errors of this package: their local variables may
    hold stored values.
    """

    def __init__(self, kind: type[TikTokShopError], store: object, action: str) -> None:
        self._kind = kind
        self._store = store
        self._action = action

    def __enter__(self) -> None:
        """Do nothing before the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise our error in place of one of a driver or of the system."""
        del traceback
        if error is None or not isinstance(error, Exception):
            return
        drop_frames(error)
        if isinstance(error, TikTokShopError):
            return
        raise self._kind(
            f"{self._store}: {self._action} failed ({type(error).__name__}).",
            hint="See its cause, which is chained to this error.",
        ) from error
