"""Closing: by an async context manager, after the event loop has ended, and warnings without it."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Self


def warn_unclosed(owner: object) -> None:
    """Emit a `ResourceWarning` that names an object that was never closed; for ``__del__``."""
    if not sys.is_finalizing():  # the end of the process closes everything
        warnings.warn(
            f"{owner!r} was never closed; use it in an async with block, or await its aclose().",
            ResourceWarning,
            stacklevel=2,
            source=owner,
        )


def drop_connections(drop: Callable[[], object]) -> None:
    """Drop connections whose event loop has ended, which makes an orderly close impossible.

    ``drop`` deletes the last references to them. Garbage collection of their transports then closes
    the sockets; its warnings are suppressed.
    """
    with warnings.catch_warnings():  # nothing in it awaits, so other tasks do not get the filter
        warnings.simplefilter("ignore", ResourceWarning)
        drop()
        gc.collect()


class ClosedOnExit:
    """A base of async context managers that are closed at the end of the block."""

    async def aclose(self) -> None:
        """Close it."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
