"""What a caller may set for one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import attrs
import httpx

from ._callbacks import check_callable, reject_coroutine_function
from .client_options import check_retrying

Timeout: TypeAlias = float | httpx.Timeout
"""Seconds for each of connecting, sending and waiting for bytes."""

Priority: TypeAlias = Literal["high", "normal", "low"]
"""Which calls go first where several wait: for a place in flight, or for their rate."""


@attrs.frozen(kw_only=True)
class RequestOptions:
    """Settings of one call; what is None falls back to the client's."""

    timeout: Timeout | None = None
    """``httpx.Timeout(None)`` waits for ever."""
    deadline: float | None = None
    """Seconds that the whole call may take, with all its attempts and waits."""
    max_retries: int | None = None
    """How often the call may be sent again where that is safe; 0 switches it off."""
    priority: Priority = "normal"
    api_version: str | None = None
    """Six digits such as ``"202309"``: one of the operation's known versions."""
    extra_query: Mapping[str, Any] | None = None
    """Query parameters that the catalogue lacks; they are signed like the others."""
    extra_headers: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    extra_body: Mapping[str, Any] | None = None
    """Fields to add to a JSON body, or to replace in it; None is sent as null."""
    idempotency_key: str | None = None
    """Up to 255 characters, for the operations that take one; made for each call if left out."""
    before_sending: Callable[[], None] | None = attrs.field(default=None, repr=False)
    """Called right before each attempt is sent, when it has its token and its slot.

    An exception that it raises keeps that attempt from being sent, and ends the call.
    """

    def __attrs_post_init__(self) -> None:
        check_retrying(self.max_retries, self.deadline)
        if self.before_sending is not None:
            check_callable("before_sending", self.before_sending)
            reject_coroutine_function("before_sending", self.before_sending)
