"""The transports over which batches are tested."""

from __future__ import annotations

import pytest
from helpers.batch import shops


@pytest.fixture(params=["on a port", "in process"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the sandboxes of a test on a port, then in its process, where nothing waits for I/O."""
    monkeypatch.setattr(shops, "IN_PROCESS", request.param == "in process")
