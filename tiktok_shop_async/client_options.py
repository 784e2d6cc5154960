"""The settings of a client, from arguments or from the environment."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import httpx

from ._internal.argument_checks import (
    check_integer,
    check_mapping,
    check_seconds,
    check_timeout,
    invalid,
)
from ._internal.secret import Secret
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from .options import Timeout

DEFAULT_BASE_URL = "https://open-api.tiktokglobalshop.com"
DEFAULT_MAX_RESPONSE_BYTES = 100_000_000


class DefaultTimeout(float):
    """The default of ``timeout``, distinct from the same number given by a caller.

    A borrowed ``http_client`` keeps its own timeout unless one is given.
    """


DEFAULT_TIMEOUT = DefaultTimeout(30.0)


class ClientOptions:
    """Settings that all calls of a client and its views share.

    Not attrs: a program may make its client long before it needs attrs, or anything slow to import.
    """

    def __init__(
        self,
        *,
        app_key: str,
        app_secret: Secret,
        base_url: str,
        timeout: Timeout | None,
        max_retries: int,
        max_in_flight: int,
        api_versions: Mapping[str, str] | None = None,
        deadline: float | None = None,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        is_borrowed: bool = False,
    ) -> None:
        check_timeout(timeout, "None waits without limit.")
        check_integer(max_in_flight, "max_in_flight", 1)
        check_integer(max_retries, "max_retries", 0)
        check_integer(max_response_bytes, "max_response_bytes", 1)
        check_seconds(deadline, "deadline")
        _check_api_versions(api_versions)
        self.app_key = Secret(app_key).required("app_key")
        self.app_secret = app_secret.required("app_secret")
        self.base_url = checked_base_url(base_url)
        self.timeout = timeout
        self.follows_http_client = is_borrowed and isinstance(timeout, DefaultTimeout)
        """Whether calls use the timeout of the borrowed ``http_client``."""
        self.deadline = deadline
        self.max_retries = max_retries
        self.max_in_flight = max_in_flight
        self.max_response_bytes = max_response_bytes
        self.api_versions = dict(api_versions or {})


def _check_api_versions(api_versions: Mapping[str, str] | None) -> None:
    check_mapping(api_versions, "api_versions", 'a mapping such as {"order.get_order_detail": …}')
    for operation_id, version in (api_versions or {}).items():
        if not isinstance(version, str):
            raise invalid(f"the version of {operation_id}", 'text such as "202309"', version)


def checked_base_url(base_url: object, source: str = "base_url") -> str:
    """Return ``base_url`` without a trailing slash; reject anything but a plain http(s) URL."""
    if not isinstance(base_url, str):
        raise invalid("base_url", f"text such as {DEFAULT_BASE_URL!r}", base_url)
    problem = _problem_of_url(base_url)
    if problem is None:
        return base_url.rstrip("/")
    # A user and password may stand before the @; the rest may be shown.
    quoted = "" if "@" in base_url else f" {base_url[:200]!r}"
    raise InvalidArgumentError(
        f"{source}{quoted} {problem}.",
        argument="base_url",
        hint=f"It must be a plain http(s) URL such as {DEFAULT_BASE_URL!r}.",
    )


def _problem_of_url(text: str) -> str | None:
    if " " in text or not text.isprintable():
        return "has whitespace or a control character"
    try:
        url = httpx.URL(text)
        host, port = url.host, url.port
    except (httpx.InvalidURL, ValueError, IndexError):  # the latter two for names IDNA rejects
        return "is not a valid URL"
    if url.scheme not in ("http", "https"):
        return "does not begin with http:// or https://"
    if not host or any(not 0 < len(label) < 64 for label in host.rstrip(".").split(".")):
        return "has no valid host"
    if port is not None and not 0 < port < 65536:
        return "has a port that is not between 1 and 65535"
    if "?" in text or "#" in text:
        return "has a query or a fragment"
    return None


ENVIRONMENT = MappingProxyType(
    {
        "app_key": ("TIKTOK_APP_KEY",),
        "app_secret": ("TIKTOK_APP_SECRET",),
        "access_token": ("TIKTOK_ACCESS_TOKEN", "TIKTOK_APP_ACCESS_KEY"),
        "shop_cipher": ("TIKTOK_SHOP_CIPHER",),
        "base_url": ("TIKTOK_BASE_URL",),
    }
)
"""Arguments of the client and the variables that set them; the first one set is used."""

REQUIRED_IN_ENVIRONMENT = ("app_key", "app_secret")


def from_environment(*, skip: Collection[str] = ()) -> dict[str, str]:
    """Return the arguments that environment variables set; empty variables count as unset.

    Arguments in ``skip`` are given by the caller and not read. An invalid value is rejected here,
    where the variable's name is known.
    """
    variables: dict[str, str] = {}
    for argument, candidates in ENVIRONMENT.items():
        variable = next((name for name in candidates if os.environ.get(name)), None)
        if argument in skip:
            continue
        if variable is not None:
            variables[argument] = variable
        elif argument in REQUIRED_IN_ENVIRONMENT:
            raise InvalidArgumentError(
                f"the environment variable {candidates[0]} is not set.",
                argument=argument,
                hint="Partner Center shows its value on the page of your app.",
            )
    for argument, variable in variables.items():
        source = f"the environment variable {variable}"
        if argument == "base_url":
            checked_base_url(os.environ[variable], source)
        else:
            Secret(os.environ[variable]).required(argument, source)
    return {argument: os.environ[variable] for argument, variable in variables.items()}
