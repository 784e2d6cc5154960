"""``python -m tiktok_shop_async.sandbox``: serve a sandbox until interrupted."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import uvicorn

from . import (
    DEMO_REDIRECT_URL,
    DEMO_SHOP_CIPHER,
    FaultKind,
    FaultRule,
    Faults,
    Limits,
    LimitSettings,
    StateFile,
    StateFileError,
    create_app,
)
from .domain.webhook_subscriptions import is_web_address
from .faults.rules import EXAMPLE
from .http.site_protection import host_name
from .inputs.checks import check_number
from .inputs.json_input import shortened
from .server import base_url, listening, server_config, url_of
from .startup_messages import banner, export_lines, listen_error

T = TypeVar("T")

_MAX_ORDERS = 1_000_000
_MAX_SEED = 2**63 - 1
_MAX_TIME_SCALE = 1000
_LIMITS = '{"rates": {"write": {"per_second": 3, "burst": 5}}}'


class _Parser(argparse.ArgumentParser):
    """A parser that prints errors in one line."""

    def error(self, message: str) -> NoReturn:
        """Print an error, and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (--help lists all options)\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print how to call the sandbox, and serve it."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.print_env:
        if not options.port:
            parser.error("--print-env requires --port, the port of the sandbox")
        print(*export_lines(url_of(options.host, options.port)), sep="\n")
        return
    try:
        with contextlib.suppress(KeyboardInterrupt), _interrupted_by_sigterm():
            _serve(options)
    except StateFileError as error:
        reason = str(error)
    except _ListenError as error:
        reason = str(error)
    else:
        return
    parser.exit(1, f"{parser.prog}: error: {reason}\n")


class _ListenError(Exception):
    """A port that the sandbox cannot listen on; the message says what to do."""


def _serve(options: argparse.Namespace) -> None:
    with contextlib.ExitStack() as resources:
        try:
            listener = resources.enter_context(listening(host=options.host, port=options.port))
        except (OSError, UnicodeError) as error:
            raise _ListenError(listen_error(error, options.host, options.port)) from error
        state = resources.enter_context(StateFile(options.state)) if options.state else None
        app = create_app(
            orders=options.orders,
            seed=options.seed,
            faults=Faults(options.fault),
            limits=Limits(options.limits),
            redirect_url=options.redirect_url,
            webhook_url=options.webhook_url,
            webhook_time_scale=options.webhook_time_scale,
            state=state,
            allowed_hosts=(options.host, *options.allow_host),
        )
        # The orders are never garbage: exclude them from collections, which would delay calls.
        gc.collect()
        gc.freeze()
        orders = len(app.state.market.shops[DEMO_SHOP_CIPHER].orders)
        lines = banner(base_url(listener), orders, options.redirect_url)
        print(*lines, sep="\n", flush=True)
        uvicorn.Server(server_config(app)).run(sockets=[listener])


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on SIGTERM too, so that files are closed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m tiktok_shop_async.sandbox", description="Serve a local TikTok Shop."
    )
    _add_server_options(parser)
    _add_shop_options(parser)
    _add_fault_options(parser)
    _add_callback_options(parser)
    return parser


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", type=_host, default="127.0.0.1", help="address to listen on (%(default)s)"
    )
    parser.add_argument(
        "--port",
        type=_integer(0, 65535),
        default=0,
        help="port to listen on; 0 selects a free one (%(default)s)",
    )
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        type=_host_name,
        action="append",
        default=[],
        help="additional host name to accept, as in Docker Compose; can be repeated",
    )
    parser.add_argument(
        "--print-env",
        action="store_true",
        help="print the settings of a client for the sandbox on --host and --port, and exit",
    )


def _add_shop_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--orders",
        type=_integer(0, _MAX_ORDERS),
        default=300,
        help="number of orders (%(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=_integer(-_MAX_SEED, _MAX_SEED),
        default=1,
        help="seed of the orders (%(default)s)",
    )
    parser.add_argument("--state", metavar="FILE", type=_file, help="file that stores the state")


def _add_fault_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fault",
        metavar="JSON",
        action="append",
        default=[],
        type=_from(FaultRule.from_json, f"{EXAMPLE}; kinds: {', '.join(FaultKind)}"),
        help=f"fault rule such as {EXAMPLE}; can be repeated",
    )
    parser.add_argument(
        "--limits",
        metavar="JSON",
        type=_from(LimitSettings.from_json, _LIMITS),
        help=f"rates and quota such as {_LIMITS}",
    )


def _add_callback_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--redirect-url",
        type=_url,
        default=DEMO_REDIRECT_URL,
        help="redirect URL of authorizations (%(default)s)",
    )
    parser.add_argument(
        "--webhook-url", type=_url, help="receives every webhook without a subscription"
    )
    parser.add_argument(
        "--webhook-time-scale",
        type=_time_scale,
        default=1.0,
        help="factor for waits between attempts (%(default)s)",
    )


def _integer(low: int, high: int) -> Callable[[str], int]:
    """Return the type of an argument that is an integer within bounds."""

    def value(text: str) -> int:
        number = int(text) if re.fullmatch("-?[0-9]{1,19}", text) else None
        if number is None or not low <= number <= high:
            raise _rejected(f"an integer from {low} to {high}", text)
        return number

    return value


def _time_scale(text: str) -> float:
    try:
        check_number(scale := float(text), "scale", 0, _MAX_TIME_SCALE)
    except ValueError:
        raise _rejected(f"a number from 0 to {_MAX_TIME_SCALE}", text) from None
    return scale


def _rejected(accepted: str, text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"must be {accepted}, not {shortened(text)}")


def _host(text: str) -> str:
    if not text:  # a socket would listen on all addresses
        raise _rejected("an address of this machine or localhost", text)
    return text


def _host_name(text: str) -> str:
    bracketed = f"[{text}]" if ":" in text and not text.startswith("[") else text
    if not text or host_name(bracketed) != bracketed.strip("[]").lower():
        raise _rejected("a host name without a port", text)
    return text


def _file(text: str) -> str:
    if not text:
        raise _rejected("the name of a file", text)
    return text


def _url(text: str) -> str:
    if not is_web_address(text):
        raise _rejected("a URL such as http://127.0.0.1:8000/path", text)
    return text


def _from(read: Callable[[Any], T], accepted: str) -> Callable[[str], T]:
    """Return the type of an argument that is JSON of the ``accepted`` form."""

    def value(document: str) -> T:
        try:
            parsed = json.loads(document)
        except (ValueError, RecursionError):
            problem = f"{shortened(document)} is not JSON"
            raise argparse.ArgumentTypeError(f"{problem}. Accepted: {accepted}") from None
        try:
            return read(parsed)
        except ValueError as error:
            problem = str(error).rstrip(".")
            raise argparse.ArgumentTypeError(f"{problem}. Accepted: {accepted}") from error

    return value


if __name__ == "__main__":
    main()
