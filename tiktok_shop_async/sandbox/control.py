"""The control endpoints under ``/_sandbox/``: unsigned JSON, for tests in any language."""

from __future__ import annotations

import functools
import heapq
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .faults import FaultRule
from .limits import LimitSettings
from .orders import Order
from .shop import Shop
from .workbench import Workbench

Endpoint = Callable[[Request], Awaitable[Response]]


def control_routes(bench: Workbench) -> list[Route]:
    """Return the routes, for a mount at ``/_sandbox``."""
    control = _Control(bench)
    table: list[tuple[str, str, Endpoint]] = [
        ("GET", "/faults", control.get_faults),
        ("POST", "/faults", control.add_fault),
        ("DELETE", "/faults", control.clear_faults),
        ("DELETE", "/faults/{id:int}", control.remove_fault),
        ("GET", "/limits", control.get_limits),
        ("POST", "/limits", control.set_limits),
        ("DELETE", "/limits", control.clear_limits),
        ("GET", "/requests", control.get_requests),
        ("GET", "/orders", control.get_orders),
        ("GET", "/clock", control.get_clock),
        ("POST", "/clock", control.move_clock),
        ("POST", "/reset", control.reset),
    ]
    return [Route(path, _explained(endpoint), methods=[method]) for method, path, endpoint in table]


class SameOriginOnly:
    """Keeps other sites' pages, open in the same browser, from working on the sandbox."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request that a browser sends for another site."""
        headers = Request(scope).headers
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            refusal = _error("the request comes from another site", HTTPStatus.FORBIDDEN)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class _Control:
    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    async def get_faults(self, _: Request) -> Response:
        return JSONResponse({"faults": self._bench.faults.as_json()})

    async def add_fault(self, request: Request) -> Response:
        fault = self._bench.faults.add(FaultRule.from_json(await _json(request)))
        return JSONResponse({"id": fault.id, **fault.rule.as_json()}, HTTPStatus.CREATED)

    async def clear_faults(self, _: Request) -> Response:
        self._bench.faults.clear()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def remove_fault(self, request: Request) -> Response:
        number = request.path_params["id"]
        try:
            self._bench.faults.remove(number)
        except KeyError:
            return _error(f"no fault {number} is in force", HTTPStatus.NOT_FOUND)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def get_limits(self, _: Request) -> Response:
        return JSONResponse(self._bench.limits.settings.as_json())

    async def set_limits(self, request: Request) -> Response:
        self._bench.limits.set(LimitSettings.from_json(await _json(request)))
        return await self.get_limits(request)

    async def clear_limits(self, _: Request) -> Response:
        self._bench.limits.set(LimitSettings())
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def get_requests(self, request: Request) -> Response:
        entries = self._bench.requests.after(_number(request, "after", 0))
        return JSONResponse({"requests": [entry.as_json() for entry in entries]})

    async def get_orders(self, request: Request) -> Response:
        status, limit = request.query_params.get("status"), _number(request, "limit", 100)
        return JSONResponse(
            {
                "shops": [
                    {
                        "id": shop.id,
                        "name": shop.name,
                        "by_status": orders_by_status(shop),
                        "orders": [order_summary(o) for o in latest_orders(shop, limit, status)],
                    }
                    for shop in self._bench.market.shops.values()
                ]
            }
        )

    async def get_clock(self, _: Request) -> Response:
        return JSONResponse({"now": self._bench.clock()})

    async def move_clock(self, request: Request) -> Response:
        document = await _json(request)
        seconds = document.get("advance") if isinstance(document, dict) else None
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
            raise ValueError('seconds to advance are needed: {"advance": 60}')
        self._bench.move_clock(seconds)
        return await self.get_clock(request)

    async def reset(self, _: Request) -> Response:
        self._bench.reset()
        return Response(status_code=HTTPStatus.NO_CONTENT)


def orders_by_status(shop: Shop) -> dict[str, int]:
    """Return how many orders each status has."""
    return dict(Counter([order.status for order in shop.orders.values()]))


def latest_orders(shop: Shop, limit: int, status: str | None = None) -> list[Order]:
    """Return the orders that changed last, the very last first."""
    # Most of the latest are among the youngest: from there, few others have to make way for them.
    youngest_first: Iterable[Order] = reversed(shop.orders.values())
    if status is not None:
        youngest_first = [order for order in youngest_first if order.status == status]
    return heapq.nlargest(limit, youngest_first, key=attrgetter("update_time"))


def order_summary(order: Order) -> dict[str, Any]:
    """Return what is worth knowing of an order at a glance; nothing of its buyer."""
    return {
        "id": order.id,
        "status": order.status,
        "line_items": len(order.lines),
        "cancelled_line_items": sum(line.cancelled for line in order.lines),
        "create_time": order.create_time,
        "update_time": order.update_time,
    }


def _explained(endpoint: Endpoint) -> Endpoint:
    """Answer with what is wrong where an endpoint raises."""

    @functools.wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LookupError as error:
            return _error(str(error.args[0]), HTTPStatus.CONFLICT)
        except ValueError as error:
            return _error(str(error.args[0]), HTTPStatus.BAD_REQUEST)

    return answered


def _error(reason: str, status: HTTPStatus) -> Response:
    return JSONResponse({"error": reason}, status)


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isdecimal() and text.isascii()):
        raise ValueError(f"{name} is a whole number")
    return int(text)
