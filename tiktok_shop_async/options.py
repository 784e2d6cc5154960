"""The options of one call."""

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
"""The order of calls that wait for a slot or for a rate limiter: higher priorities go first."""


@attrs.frozen(kw_only=True)
class RequestOptions:
    """Options of one call; None takes the client's setting."""

    timeout: Timeout | None = None
    """``httpx.Timeout(None)`` waits without limit."""
    deadline: float | None = None
    """Maximum seconds of the whole call, including all attempts and waits."""
    max_retries: int | None = None
    """Maximum number of retries, which are made only if they are safe; 0 disables them."""
    priority: Priority = "normal"
    api_version: str | None = None
    """One of the operation's known versions, such as ``"202309"``."""
    extra_query: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """Query parameters that the catalogue lacks; they are signed like all others."""
    extra_headers: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    extra_body: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """Fields to add to the body, or to replace in it; None is sent as null."""
    idempotency_key: str | None = None
    """Up to 255 characters, for operations that take a key; generated for each call by default."""
    before_sending: Callable[[], None] | None = attrs.field(default=None, repr=False)
    """Called right before each attempt is sent, when the attempt has its token and its slot.

    If it raises an exception, the attempt is not sent and the call ends.
    """

    def __attrs_post_init__(self) -> None:
        # Each call with an idempotency key copies its options, so None is skipped to save time.
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
    """Return the options of a call; reject a mapping and any other type."""
    if isinstance(options, RequestOptions):
        return options
    raise invalid("options", "RequestOptions or None", options, options_hint(options))
