"""The idempotency key of a call: the arguments that can hold it, and the key that is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ...errors import InvalidArgumentError
from ...options import RequestOptions

NAME = "idempotency_key"
MAX_LENGTH = 255


def collect_keys(arguments: Mapping[str, Any], options: RequestOptions | None) -> dict[str, Any]:
    """Return the idempotency keys that the caller passed, by the argument that holds each."""
    keys = {NAME: arguments.get(NAME)}
    if options is not None:
        keys["options.idempotency_key"] = options.idempotency_key
    keys = {argument: key for argument, key in keys.items() if key is not None}
    for name in ("extra_query", "extra_body"):
        extra = getattr(options, name, None)
        if extra and NAME in extra:  # including None, which would be sent as null
            keys[f"options.{name}"] = extra[NAME]
    return keys


def choose_key(keys: Mapping[str, Any]) -> str | None:
    """Return the only key of `collect_keys`; reject an invalid key, and keys that differ."""
    chosen = ""
    for argument, key in keys.items():
        if not _is_valid(key):
            raise InvalidArgumentError(
                f"{argument} must be text of 1 to {MAX_LENGTH} printable characters, not {key!r}.",
                argument=NAME,
            )
        if chosen and key != chosen:
            both = ", ".join(f"{each!r} in {argument}" for argument, each in keys.items())
            raise InvalidArgumentError(
                f"the call has different idempotency keys: {both}.",
                argument=NAME,
                hint="Pass the key once.",
            )
        chosen = key
    return chosen or None


def _is_valid(key: object) -> bool:
    return (
        isinstance(key, str)
        and 0 < len(key) <= MAX_LENGTH
        and not any(each < " " or "\ud800" <= each <= "\udfff" for each in key)
    )


def drop_extra_key(options: RequestOptions) -> RequestOptions:
    """Return the options without an idempotency key in ``extra_query`` and ``extra_body``."""
    query, body = options.extra_query, options.extra_body
    if NAME not in (query or ()) and NAME not in (body or ()):
        return options
    return attrs.evolve(options, extra_query=_without_key(query), extra_body=_without_key(body))


def _without_key(extra: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return extra and {name: value for name, value in extra.items() if name != NAME}
