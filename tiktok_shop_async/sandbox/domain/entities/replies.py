"""Stored responses to calls with an idempotency key."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen(eq=False)
class Reply:
    """The response to an idempotency key, with the arguments of the call."""

    operation: str
    key: str
    arguments: list[Any]
    data: dict[str, Any]
