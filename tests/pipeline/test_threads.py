"""Blocking work in threads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tiktok_shop_async._internal.threads import in_thread, shared_in_thread


@pytest.mark.parametrize("run", [in_thread, shared_in_thread])
async def test_a_function_that_raises_stop_iteration_ends_its_call(run: Any) -> None:
    """asyncio's futures cannot raise it, so that waiting for it would never end."""
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="raised StopIteration") as raised:
            await run(next, iter(()))
    assert isinstance(raised.value.__cause__, StopIteration)
