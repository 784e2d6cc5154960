"""The control endpoints under ``/_sandbox/``: unsigned JSON, for tests in any language."""

from __future__ import annotations

import functools
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from operator import attrgetter
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..arguments import digits
from ..bounds import check_number
from ..domain.orders.orders import Order
from ..domain.shop import Shop
from ..faults.rate_limits import LimitSettings
from ..faults.rules import FaultRule
from ..json_input import shortened
from .control_input import BodyTooLargeError, json_body, json_object, query_number
from .sandbox_state import SandboxState

END_OF_TIME = 4_102_444_800
"""The year 2100, to which the clock can be moved: times stay readable as dates and as integers."""

Endpoint = Callable[[Request], Awaitable[Response]]


def control_routes(bench: SandboxState) -> list[Route]:
    """Return the routes, for a mount at ``/_sandbox``."""
    control = _Control(bench)
    table: list[tuple[str, str, Endpoint]] = [
        ("GET", "/faults", control.get_faults),
        ("POST", "/faults", control.add_fault),
        ("DELETE", "/faults", control.clear_faults),
        ("DELETE", "/faults/{id}", control.remove_fault),
        ("GET", "/limits", control.get_limits),
        ("POST", "/limits", control.set_limits),
        ("DELETE", "/limits", control.clear_limits),
        ("GET", "/requests", control.get_requests),
        ("GET", "/orders", control.get_orders),
        ("GET", "/clock", control.get_clock),
        ("POST", "/clock", control.move_clock),
        ("POST", "/reset", control.reset),
    ]
    return [Route(path, explained(endpoint), methods=[method]) for method, path, endpoint in table]


class _Control:
    def __init__(self, bench: SandboxState) -> None:
        self._bench = bench

    async def get_faults(self, _: Request) -> Response:
        return JSONResponse({"faults": self._bench.faults.as_json()})

    async def add_fault(self, request: Request) -> Response:
        fault = self._bench.faults.add(FaultRule.from_json(await json_body(request)))
        return JSONResponse({"id": fault.id, **fault.rule.as_json()}, HTTPStatus.CREATED)

    async def clear_faults(self, _: Request) -> Response:
        self._bench.faults.clear()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def remove_fault(self, request: Request) -> Response:
        text = request.path_params["id"]
        try:
            self._bench.faults.remove(digits(text) or 0)  # ids begin at 1
        except KeyError:
            return _error(f"no fault {shortened(text)} is in force", HTTPStatus.NOT_FOUND)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def get_limits(self, _: Request) -> Response:
        return JSONResponse(self._bench.limits.settings.as_json())

    async def set_limits(self, request: Request) -> Response:
        self._bench.limits.set(LimitSettings.from_json(await json_body(request)))
        return await self.get_limits(request)

    async def clear_limits(self, _: Request) -> Response:
        self._bench.limits.set(LimitSettings())
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def get_requests(self, request: Request) -> Response:
        entries = self._bench.requests.after(query_number(request, "after", 0))
        return JSONResponse({"requests": [entry.as_json() for entry in entries]})

    async def get_orders(self, request: Request) -> Response:
        status, limit = request.query_params.get("status"), query_number(request, "limit", 100)
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
        document = await json_object(request, ("advance",), '{"advance": 60}')
        seconds: Any = document.get("advance")
        check_number(seconds, "advance", 0, max(0.0, END_OF_TIME - self._bench.clock()))
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


def explained(endpoint: Endpoint) -> Endpoint:
    """Answer with what is wrong where an endpoint raises."""

    @functools.wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LookupError as error:
            return _error(str(error.args[0]), HTTPStatus.CONFLICT)
        except BodyTooLargeError as error:
            return _error(str(error), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except ValueError as error:
            return _error(str(error.args[0]), HTTPStatus.BAD_REQUEST)

    return answered


def _error(reason: str, status: HTTPStatus) -> Response:
    return JSONResponse({"error": reason}, status)
