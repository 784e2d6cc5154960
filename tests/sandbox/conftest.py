"""A sandbox in memory, whose time stands still and whose cancellations are decided at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sandbox.wire import Wire, new_wire


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = new_wire(pending_share=0.0)
    async with wire.http:
        yield wire
