"""Validation of the arguments of clients and their views."""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Mapping
from typing import Any

import httpx

from ._internal.argument_checks import check_clock, check_function, check_transport, invalid
from .errors import InvalidArgumentError


class HiddenArguments:
    """Keyword arguments that may include secrets, with a repr that hides them."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments

    def keys(self) -> KeysView[str]:
        """Return the names of the arguments."""
        return self._arguments.keys()

    def __getitem__(self, name: str) -> Any:
        return self._arguments[name]


def check_parts(
    *,
    http_client: object,
    transport: object,
    retry_policy: object,
    limiter: object,
    clock: object,
    sleep: object,
) -> None:
    """Reject parts of a client that lack a method that the client calls."""
    _check_http_client(http_client)
    check_transport(transport)
    _check_limiter(limiter)
    check_clock(clock)
    for name, function in (("sleep", sleep), ("retry_policy", retry_policy)):
        if function is not None:
            check_function(function, name, "callable with one argument, or None")


def _check_http_client(http_client: object) -> None:
    """Reject anything but an `httpx.AsyncClient`."""
    if http_client is None or isinstance(http_client, httpx.AsyncClient):
        return
    hint = None
    if isinstance(http_client, httpx.Client):
        hint = "httpx.Client blocks the event loop; make an httpx.AsyncClient."
    raise invalid("http_client", "an httpx.AsyncClient or None", http_client, hint)


def _check_limiter(limiter: object) -> None:
    """Reject a limiter that lacks a method of the `Limiter` protocol."""
    if limiter is None:
        return
    from .pipeline.admission.limiter import (
        Limiter,  # with attrs, which a client alone does not need
    )

    needed = [name for name in vars(Limiter) if not name.startswith("_")]
    missing = [name for name in needed if not callable(getattr(limiter, name, None))]
    if missing or isinstance(limiter, type):
        raise invalid(
            "limiter",
            "a limiter such as LearningLimiter(), or None",
            limiter,
            f"It has no {', '.join(missing)}." if missing else "Make an instance of the class.",
        )


def checked_observers(observers: object) -> tuple[Any, ...]:
    """Return observers as a tuple; reject anything but a sequence of functions."""
    if callable(observers):
        raise invalid("observers", "a sequence of callables", observers, "Pass [observer].")
    if isinstance(observers, (str, bytes, Mapping)) or not isinstance(observers, Iterable):
        raise invalid("observers", "a sequence of callables", observers)
    given = tuple(observers)
    for observer in given:
        check_function(observer, "an observer", "callable with one event")
    return given


def check_auth(auth: object) -> None:
    """Reject anything but an `AuthState`."""
    if auth is None:
        return
    from .auth import AuthState

    if not isinstance(auth, AuthState):
        raise invalid("auth", "an AuthState or None", auth)


def checked_shop_name(value: object, argument: str) -> str:
    """Return a shop's id or code as the service writes it; an id may be given as a number."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    if not isinstance(value, str) or not value:
        raise invalid(argument, "text that is not empty", value)
    return value


def check_versions(api_versions: Mapping[str, str]) -> None:
    """Reject operations and versions that are not in the catalogue."""
    from .registry import find_operation

    for operation_id, version in api_versions.items():
        find_operation(operation_id).check_version(version)


def reject_combinations(name: str, value: object, **others: object) -> None:
    """Reject an argument that is given together with others that it replaces."""
    given = [other for other, its_value in others.items() if its_value is not None]
    if value is not None and given:
        raise InvalidArgumentError(
            f"{name} cannot be combined with {' and '.join(given)}.",
            argument=name,
            hint="Pass only one of them.",
        )
