"""Closing at the end of a block, or after the event loop, and warnings about what was left open."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Self


def warn_unclosed(owner: object) -> None:
    """Emit a `ResourceWarning` that names what was never closed; for use in ``__del__``."""
    if not sys.is_finalizing():  # the process ends, and closes everything
        warnings.warn(
            f"{owner!r} was never closed; use it in an async with block, or await its aclose().",
            ResourceWarning,
            stacklevel=2,
            source=owner,
        )


def drop_connections(drop: Callable[[], object]) -> None:
    """Drop connections whose event loop has ended: they can no longer be closed in order.

    ``drop`` gives up the last references to them. Collecting their transports closes the sockets,
    without the warnings that this emits otherwise.
    """
    with warnings.catch_warnings():  # nothing is awaited: other tasks must not see the filter
        warnings.simplefilter("ignore", ResourceWarning)
        drop()
        gc.collect()


class ClosedOnExit:
    """An async context manager that gives itself and is closed in the end."""

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
