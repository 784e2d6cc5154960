"""What a caller may set once per client, as arguments or in the environment."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from .options import Timeout

DEFAULT_BASE_URL = "https://open-api.tiktokglobalshop.com"


def _check_base_url(_instance: Any, _attribute: Any, value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise InvalidArgumentError(
            "base_url is not a plain http(s) URL.",
            argument="base_url",
            hint=f'The service is at "{DEFAULT_BASE_URL}".',
        )


def _check_not_empty(_instance: Any, attribute: attrs.Attribute[str], value: str) -> None:
    if not value:
        raise InvalidArgumentError(f"{attribute.name} is empty.", argument=attribute.name)


def _check_max_in_flight(_instance: Any, _attribute: Any, value: int) -> None:
    if value < 1:
        raise InvalidArgumentError("max_in_flight is below 1.", argument="max_in_flight")


# It is made at every start: what nobody uses of it need not be compiled.
@attrs.frozen(kw_only=True, eq=False, repr=False)
class ClientOptions:
    """Settings that all calls of a client share, and all its views."""

    app_key: str = attrs.field(validator=_check_not_empty)
    app_secret: str = attrs.field(validator=_check_not_empty)
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
