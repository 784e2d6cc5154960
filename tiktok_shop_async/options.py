"""What a caller may set for one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import attrs
import httpx

from ._internal.argument_checks import (
    check_function,
    check_integer,
    check_mapping,
    check_seconds,
    check_text,
    check_timeout,
    invalid,
    options_hint,
)
from ._internal.callbacks import reject_coroutine_function

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
    extra_query: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """Query parameters that the catalogue lacks; they are signed like the others."""
    extra_headers: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    extra_body: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """Fields to add to a JSON body, or to replace in it; None is sent as null."""
    idempotency_key: str | None = None
    """Up to 255 characters, for the operations that take one; made for each call if left out."""
    before_sending: Callable[[], None] | None = attrs.field(default=None, repr=False)
    """Called right before each attempt is sent, when it has its token and its slot.

    An exception that it raises keeps that attempt from being sent, and ends the call.
    """

    def __attrs_post_init__(self) -> None:
        # Options are copied for each call with an idempotency key, so absent values are skipped.
        if self.timeout is not None:
            check_timeout(self.timeout, "httpx.Timeout(None) waits without limit.")
        if self.deadline is not None:
            check_seconds(self.deadline, "deadline")
        if self.max_retries is not None:
            check_integer(self.max_retries, "max_retries", 0)
        if self.priority not in _PRIORITIES:
            raise invalid("priority", " or ".join(map(repr, _PRIORITIES)), self.priority)
        if self.api_version is not None:
            check_text(self.api_version, "api_version", '"202309"')
        if self.idempotency_key is not None:
            check_text(self.idempotency_key, "idempotency_key", "uuid4().hex")
        if self.extra_query is not None:
            check_mapping(self.extra_query, "extra_query")
        if self.extra_body is not None:
            check_mapping(self.extra_body, "extra_body")
        if self.extra_headers is not None:
            check_mapping(self.extra_headers, "extra_headers")
            for name, value in self.extra_headers.items():
                if not isinstance(value, str):
                    raise invalid(f"the header {name} in extra_headers", "text (str)", value)
        if self.before_sending is not None:
            check_function(self.before_sending, "before_sending")
            reject_coroutine_function("before_sending", self.before_sending)


_PRIORITIES = get_args(Priority)


def validate_options(options: object) -> RequestOptions:
    """Return the options of a call; reject a mapping, which would be ignored or fail late."""
    if isinstance(options, RequestOptions):
        return options
    raise invalid("options", "RequestOptions or None", options, options_hint(options))
