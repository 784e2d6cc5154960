"""What a caller may set once per client, as arguments or in the environment."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from .options import Timeout

DEFAULT_BASE_URL = "https://open-api.tiktokglobalshop.com"
DEFAULT_MAX_RESPONSE_BYTES = 100_000_000


class ClientOptions:
    """Settings that all calls of a client share, and all its views.

    Not attrs: a program may make its client long before it needs attrs, or anything slow to import.
    """

    def __init__(
        self,
        *,
        app_key: str,
        app_secret: str,
        base_url: str,
        timeout: Timeout | None,
        max_retries: int,
        max_in_flight: int,
        api_versions: Mapping[str, str],
        deadline: float | None = None,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
    ) -> None:
        for name, value in {"app_key": app_key, "app_secret": app_secret}.items():
            if not value:
                raise InvalidArgumentError(f"{name} is empty.", argument=name)
        if max_in_flight < 1:
            raise InvalidArgumentError("max_in_flight is below 1.", argument="max_in_flight")
        _check_max_response_bytes(max_response_bytes)
        check_retrying(max_retries, deadline)
        _check_base_url(base_url)
        self.app_key = app_key
        self.app_secret = app_secret
        self.base_url = base_url
        self.timeout = timeout
        self.deadline = deadline
        self.max_retries = max_retries
        self.max_in_flight = max_in_flight
        self.max_response_bytes = max_response_bytes
        self.api_versions = api_versions


def check_retrying(max_retries: int | None, deadline: float | None) -> None:
    """Refuse numbers that mean nothing; they are the same for a client and for a call."""
    if max_retries is not None and max_retries < 0:
        raise InvalidArgumentError("max_retries is below 0.", argument="max_retries")
    if deadline is not None and not deadline > 0:
        raise InvalidArgumentError("deadline is not above 0.", argument="deadline")


def _check_max_response_bytes(value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidArgumentError(
            f"max_response_bytes must be a positive integer, not {value!r}.",
            argument="max_response_bytes",
        )


def _check_base_url(base_url: str) -> None:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise InvalidArgumentError(
            "base_url is not a plain http(s) URL.",
            argument="base_url",
            hint=f'It is one like "{DEFAULT_BASE_URL}".',
        )


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
