"""What a caller may set: once per client, or for one call."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import attrs
import httpx

from .errors import InvalidArgumentError

Timeout: TypeAlias = float | httpx.Timeout
"""Seconds for each of connecting, sending and waiting for bytes."""

DEFAULT_BASE_URL = "https://open-api.tiktokglobalshop.com"


@attrs.frozen(kw_only=True)
class RequestOptions:
    """Settings of one call; what is None falls back to the client's."""

    timeout: Timeout | None = None
    """``httpx.Timeout(None)`` waits for ever."""
    max_retries: int | None = None
    """Reserved for the retry policy: today every call is sent once."""
    api_version: str | None = None
    """Six digits such as ``"202309"``: one of the operation's known versions."""
    extra_query: Mapping[str, Any] | None = None
    """Query parameters that the catalogue lacks; they are signed like the others."""
    extra_headers: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    extra_body: Mapping[str, Any] | None = None
    """Fields to add to a JSON body, or to replace in it; None is sent as null."""
    idempotency_key: str | None = None
    """Up to 255 characters, for the operations that take one."""


def _check_base_url(_instance: Any, _attribute: Any, value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise InvalidArgumentError(
            "base_url is not a plain http(s) URL.",
            argument="base_url",
            hint=f'The service is at "{DEFAULT_BASE_URL}".',
        )


def _check_max_in_flight(_instance: Any, _attribute: Any, value: int) -> None:
    if value < 1:
        raise InvalidArgumentError("max_in_flight is below 1.", argument="max_in_flight")


@attrs.frozen(kw_only=True)
class ClientOptions:
    """Settings that all calls of a client share, and all its views."""

    base_url: str = attrs.field(default=DEFAULT_BASE_URL, validator=_check_base_url)
    timeout: Timeout | None = 30.0
    max_retries: int = 2
    max_in_flight: int = attrs.field(default=100, validator=_check_max_in_flight)
    api_versions: Mapping[str, str] = attrs.field(factory=dict)


ENVIRONMENT = MappingProxyType(
    {
        "app_key": ("TIKTOK_APP_KEY",),
        "app_secret": ("TIKTOK_APP_SECRET",),
        "access_token": ("TIKTOK_ACCESS_TOKEN", "TIKTOK_APP_ACCESS_KEY"),
        "shop_cipher": ("TIKTOK_SHOP_CIPHER",),
        "base_url": ("TIKTOK_BASE_URL",),
    }
)
"""Arguments of the client -> the variables they are read from, the first that is set."""

REQUIRED_IN_ENVIRONMENT = ("app_key", "app_secret")


def from_environment(*, skip: Collection[str] = ()) -> dict[str, str]:
    """Return the client's arguments that the environment sets; empty variables count as unset.

    Those in ``skip`` are given otherwise and not looked for.
    """
    found: dict[str, str] = {}
    for argument, variables in ENVIRONMENT.items():
        value = next((os.environ[name] for name in variables if os.environ.get(name)), None)
        if argument in skip:
            continue
        if value is not None:
            found[argument] = value
        elif argument in REQUIRED_IN_ENVIRONMENT:
            raise InvalidArgumentError(
                f"the environment variable {variables[0]} is not set.",
                argument=argument,
                hint="Its value stands in Partner Center, on the page of your app.",
            )
    return found
