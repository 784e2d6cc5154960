"""Blocking work, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``function`` in a thread; asyncio is imported then, since importing it takes a while."""
    from asyncio import to_thread

    return await to_thread(function, *args, **kwargs)
