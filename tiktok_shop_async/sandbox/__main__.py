"""``python -m tiktok_shop_async.sandbox``: serve a local shop until interrupted."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import uvicorn

from . import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_REDIRECT_URL,
    DEMO_REFRESH_TOKEN,
    DEMO_SECOND_SHOP_CIPHER,
    DEMO_SERVICE_ID,
    DEMO_SHOP_CIPHER,
    FaultKind,
    FaultRule,
    Faults,
    Limits,
    LimitSettings,
    StateFile,
    create_app,
)
from .authorization import SELLER_PAGE
from .faults import EXAMPLE
from .server import base_url, listening, server_config

T = TypeVar("T")

_LIMITS = '{"rates": {"write": {"per_second": 3, "burst": 5}}}'


def main(arguments: Sequence[str] | None = None) -> None:
    """Listen, print how to call the shop, and serve it."""
    parser = _parser()
    options = parser.parse_args(arguments)
    with contextlib.ExitStack() as open_files:
        try:
            state = open_files.enter_context(StateFile(options.state)) if options.state else None
        except ValueError as error:
            parser.error(str(error))
        _serve(options, state)


def _serve(options: argparse.Namespace, state: StateFile | None) -> None:
    with listening(host=options.host, port=options.port) as listener:
        app = create_app(
            orders=options.orders,
            seed=options.seed,
            faults=Faults(options.fault),
            limits=Limits(options.limits),
            redirect_url=options.redirect_url,
            webhook_url=options.webhook_url,
            webhook_time_scale=options.webhook_time_scale,
            state=state,
        )
        # All orders are there to stay: looking for garbage among them would only hold calls up.
        gc.collect()
        gc.freeze()
        # As lines that a shell or AsyncTikTokShop.from_env() can take as they are.
        for name, value in {
            "TIKTOK_BASE_URL": base_url(listener),
            "TIKTOK_APP_KEY": DEMO_APP_KEY,
            "TIKTOK_APP_SECRET": DEMO_APP_SECRET,
            "TIKTOK_ACCESS_TOKEN": DEMO_ACCESS_TOKEN,
            "TIKTOK_SHOP_CIPHER": DEMO_SHOP_CIPHER,
            "TIKTOK_SECOND_SHOP_CIPHER": DEMO_SECOND_SHOP_CIPHER,
            "TIKTOK_REFRESH_TOKEN": DEMO_REFRESH_TOKEN,
            "TIKTOK_SERVICE_ID": DEMO_SERVICE_ID,
        }.items():
            print(f"{name}={value}")
        orders = len(app.state.market.shops[DEMO_SHOP_CIPHER].orders)
        print(f"Serving {orders} orders; press Ctrl+C to stop.")
        page = f"{base_url(listener)}{SELLER_PAGE}?service_id={DEMO_SERVICE_ID}&state=any"
        print(f"Authorize at {page}, which leads to {options.redirect_url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(server_config(app)).run(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tiktok_shop_async.sandbox", description="Serve a local TikTok Shop."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (%(default)s)")
    parser.add_argument("--orders", type=int, default=300, help="how many to seed (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (%(default)s)")
    parser.add_argument("--state", metavar="FILE", help="go on from this file, and keep all in it")
    parser.add_argument(
        "--fault",
        metavar="JSON",
        action="append",
        default=[],
        type=_from(FaultRule.from_json, f"{EXAMPLE}; kinds: {', '.join(FaultKind)}"),
        help=f"a rule, as in {EXAMPLE}; may be given again",
    )
    parser.add_argument(
        "--limits",
        metavar="JSON",
        type=_from(LimitSettings.from_json, _LIMITS),
        help=f"rates and quota, as in {_LIMITS}",
    )
    parser.add_argument(
        "--redirect-url", default=DEMO_REDIRECT_URL, help="end of an authorization (%(default)s)"
    )
    parser.add_argument("--webhook-url", help="gets every webhook, without a subscription")
    parser.add_argument(
        "--webhook-time-scale", type=float, default=1.0, help="of waits between attempts"
    )
    return parser


def _from(read: Callable[[Any], T], accepted: str) -> Callable[[str], T]:
    """Return what reads an argument that is JSON of the ``accepted`` form."""

    def value(document: str) -> T:
        try:
            parsed = json.loads(document)
        except (ValueError, RecursionError):
            problem = f"{document[:80]!a} is not JSON"
            raise argparse.ArgumentTypeError(f"{problem}. Accepted: {accepted}") from None
        try:
            return read(parsed)
        except ValueError as error:
            problem = str(error).rstrip(".")
            raise argparse.ArgumentTypeError(f"{problem}. Accepted: {accepted}") from error

    return value


if __name__ == "__main__":
    main()
