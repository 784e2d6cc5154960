"""Texts that the command prints when the sandbox starts or cannot start."""

from __future__ import annotations

import errno
import os
import shlex
import socket
from collections.abc import Iterator

from .console.authorization_pages import SELLER_PAGE
from .demo import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_REFRESH_TOKEN,
    DEMO_SECOND_SHOP_CIPHER,
    DEMO_SERVICE_ID,
    DEMO_SHOP_CIPHER,
)

_RESOLVER_ERRORS = {value for name, value in vars(socket).items() if name.startswith("EAI_")}


def export_lines(base_url: str) -> Iterator[str]:
    """Yield the settings of a client as lines for a POSIX shell."""
    for name, value in {
        "TIKTOK_BASE_URL": base_url,
        "TIKTOK_APP_KEY": DEMO_APP_KEY,
        "TIKTOK_APP_SECRET": DEMO_APP_SECRET,
        "TIKTOK_ACCESS_TOKEN": DEMO_ACCESS_TOKEN,
        "TIKTOK_SHOP_CIPHER": DEMO_SHOP_CIPHER,
        "TIKTOK_SECOND_SHOP_CIPHER": DEMO_SECOND_SHOP_CIPHER,
        "TIKTOK_REFRESH_TOKEN": DEMO_REFRESH_TOKEN,
        "TIKTOK_SERVICE_ID": DEMO_SERVICE_ID,
    }.items():
        yield f"export {name}={shlex.quote(value)}"


def banner(base_url: str, orders: int, redirect_url: str) -> Iterator[str]:
    """Yield the lines to print at the start: settings for a shell, and comments."""
    authorize = f"{base_url}{SELLER_PAGE}?service_id={DEMO_SERVICE_ID}&state=any"
    yield from export_lines(base_url)
    yield f"# Console: {base_url}/_sandbox/"
    yield f"# Authorize: {authorize} (redirects to {redirect_url})"
    yield f"# Serving {orders} orders; press Ctrl+C to stop."


def listen_error(error: OSError | UnicodeError, host: str, port: int) -> str:
    """Return why the sandbox cannot listen on a port, and what to do."""
    if isinstance(error, UnicodeError):
        return _unresolved(host)
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"port {port} on {host} is in use: stop the process that uses it, or use another "
                "--port (0 selects a free port)"
            )
        case errno.EACCES:
            return (
                f"port {port} requires privileges: use a --port above 1023 (0 selects a free port)"
            )
        case errno.EADDRNOTAVAIL:
            return f"--host {host} is not an address of this machine: use 127.0.0.1 or 0.0.0.0"
    if error.errno in _RESOLVER_ERRORS:  # create_server raises a plain OSError for these
        return _unresolved(host)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"cannot listen on {host} port {port}: {reason}"


def _unresolved(host: str) -> str:
    return f"--host {host} cannot be resolved: use an address of this machine or localhost"
