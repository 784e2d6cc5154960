"""httpx's private attributes on the path of a call, each with a fallback in case they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

TransportFor = Callable[[httpx.URL], httpx.AsyncBaseTransport]


def transport_chooser(client: httpx.AsyncClient) -> TransportFor | None:
    """Return the function that chooses the transport for a URL; None if httpx lacks it."""
    chooser: TransportFor | None = getattr(client, "_transport_for_url", None)
    return chooser


def direct_transport_chooser(client: httpx.AsyncClient) -> TransportFor | None:
    """Return the `transport_chooser`; None if ``client.send`` does more than call the transport.

    It does with event hooks, and if it is overridden or wrapped.
    """
    send: Any = client.send
    # Compared with another method of httpx, because httpx may be installed under another name.
    is_plain = send.__module__ == httpx.AsyncClient.get.__module__
    if not is_plain or hasattr(send, "__wrapped__") or any(client.event_hooks.values()):
        return None
    return transport_chooser(client)


def list_transports(client: httpx.AsyncClient) -> list[object]:
    """Return all transports of a client, with None for one that cannot be found."""
    mounted = getattr(client, "_mounts", {None: None}).values()
    return [getattr(client, "_transport", None), *(each for each in mounted if each)]


def forget_request(error: httpx.HTTPError) -> None:
    """Remove the request from an error that was created without httpx's constructor."""
    error._request = None


def request_of(error: Exception) -> httpx.Request | None:
    """Return the request that httpx set on an error, or None."""
    request: httpx.Request | None = getattr(error, "_request", None)
    return request


def _parsed(base_url: httpx.URL, target: str) -> httpx.URL:
    return _parse(base_url, base_url.raw_path.rstrip(b"/") + target.encode("ascii"))


def _parse(base_url: httpx.URL, raw_path: bytes) -> httpx.URL:
    origin = base_url.raw_scheme + b"://" + base_url.netloc
    return httpx.URL((origin + raw_path).decode("ascii"))


class _EncodedURL(httpx.URL):
    """A URL that is parsed only when its parts are read.

    Parsing takes a third of the time of a call, and sending does not need it.
    """

    def __init__(self, base_url: httpx.URL, target: str) -> None:
        self._base_url = base_url
        self._target = base_url.raw_path.rstrip(b"/") + target.encode("ascii")

    def __repr__(self) -> str:
        return f"<URL of {self._base_url.host}, signed>"

    @property
    def scheme(self) -> str:
        return self._base_url.scheme

    @property
    def host(self) -> str:
        return self._base_url.host

    @property
    def port(self) -> int | None:
        return self._base_url.port

    @property
    def raw_scheme(self) -> bytes:
        return self._base_url.raw_scheme

    @property
    def raw_host(self) -> bytes:
        return self._base_url.raw_host

    @property
    def raw_path(self) -> bytes:
        return self._target

    def __getattr__(self, name: str) -> Any:
        # httpx stores the parsed parts in private attributes, which are missing until now.
        if name.startswith("__"):
            raise AttributeError(name)
        parsed = _parse(self._base_url, self._target)
        self.__dict__.update(vars(parsed))
        return getattr(parsed, name)


def _can_delay_parsing() -> bool:
    """Return whether a URL that is parsed late equals one that is parsed immediately."""
    base_url, target = httpx.URL("https://host.example:8443/base"), "/a%2Fb?c=d%20e"
    try:
        late, parsed = _EncodedURL(base_url, target), _parsed(base_url, target)
        return (str(late), late.path, late.query) == (str(parsed), parsed.path, parsed.query)
    except (AttributeError, TypeError, RecursionError):
        return False


encoded_url: Callable[[httpx.URL, str], httpx.URL] = (
    _EncodedURL if _can_delay_parsing() else _parsed
)
"""Returns the URL of a host and a percent-encoded path and query."""
