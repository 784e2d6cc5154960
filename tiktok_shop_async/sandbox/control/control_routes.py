"""Control endpoints for tests in any language."""

from __future__ import annotations

import functools
import heapq
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from operator import attrgetter
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..domain.entities.lifecycle import count_by_status
from ..domain.entities.orders import Order
from ..domain.shop import Shop
from ..faults.rate_limits import LimitSettings
from ..faults.rules import FaultRule
from ..inputs.arguments import digits
from ..inputs.bounded_body import BodyTooLargeError
from ..inputs.checks import check_number
from ..inputs.json_input import shortened
from ..state.sandbox_state import END_OF_TIME, SandboxState
from .control_input import json_body, json_object, query_number

Endpoint = Callable[[Request], Awaitable[Response]]


def control_routes(state: SandboxState) -> list[Route]:
    """Return the routes, for a mount at ``/_sandbox``."""
    control = _Control(state)
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
    return [
        Route(path, json_errors(endpoint), methods=[method]) for method, path, endpoint in table
    ]


class _Control:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def get_faults(self, _: Request) -> Response:
        return JSONResponse({"faults": self._state.faults.as_json()})

    async def add_fault(self, request: Request) -> Response:
        fault = self._state.faults.add(FaultRule.from_json(await json_body(request)))
        return JSONResponse({"id": fault.id, **fault.rule.as_json()}, HTTPStatus.CREATED)

    async def clear_faults(self, _: Request) -> Response:
        self._state.faults.clear()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def remove_fault(self, request: Request) -> Response:
        text = request.path_params["id"]
        try:
            self._state.faults.remove(digits(text) or 0)  # ids start at 1
        except KeyError:
            return _error(f"the fault {shortened(text)} does not exist", HTTPStatus.NOT_FOUND)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def get_limits(self, _: Request) -> Response:
        return JSONResponse(self._state.limits.settings.as_json())

    async def set_limits(self, request: Request) -> Response:
        self._state.limits.set(LimitSettings.from_json(await json_body(request)))
        return await self.get_limits(request)

    async def clear_limits(self, _: Request) -> Response:
        self._state.limits.set(LimitSettings())
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def get_requests(self, request: Request) -> Response:
        entries = self._state.requests.after(query_number(request, "after", 0))
        return JSONResponse({"requests": [entry.as_json() for entry in entries]})

    async def get_orders(self, request: Request) -> Response:
        status, limit = request.query_params.get("status"), query_number(request, "limit", 100)
        return JSONResponse(
            {
                "shops": [
                    {
                        "id": shop.id,
                        "name": shop.name,
                        "by_status": count_by_status(shop.orders.values()),
                        "orders": [order_summary(o) for o in latest_orders(shop, limit, status)],
                    }
                    for shop in self._state.market.shops.values()
                ]
            }
        )

    async def get_clock(self, _: Request) -> Response:
        return JSONResponse({"now": self._state.clock.time()})

    async def move_clock(self, request: Request) -> Response:
        document = await json_object(request, ("advance",), '{"advance": 60}')
        seconds: Any = document.get("advance")
        check_number(seconds, "advance", 0, max(0.0, END_OF_TIME - self._state.clock.time()))
        self._state.move_clock(seconds)
        return await self.get_clock(request)

    async def reset(self, _: Request) -> Response:
        self._state.reset()
        return Response(status_code=HTTPStatus.NO_CONTENT)


def latest_orders(shop: Shop, limit: int, status: str | None = None) -> list[Order]:
    """Return the orders that changed last, the latest first."""
    # For speed, start with the youngest orders: most of those that changed last are among them.
    youngest_first: Iterable[Order] = reversed(shop.orders.values())
    if status is not None:
        youngest_first = [order for order in youngest_first if order.status == status]
    return heapq.nlargest(limit, youngest_first, key=attrgetter("update_time"))


def order_summary(order: Order) -> dict[str, Any]:
    """Return a summary of an order, without data of its buyer."""
    return {
        "id": order.id,
        "status": order.status,
        "line_items": len(order.lines),
        "cancelled_line_items": sum(line.cancelled for line in order.lines),
        "create_time": order.create_time,
        "update_time": order.update_time,
    }


def json_errors(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that responds to errors with their message as JSON."""

    @functools.wraps(endpoint)
    async def respond(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LookupError as error:
            return _error(str(error.args[0]), HTTPStatus.CONFLICT)
        except BodyTooLargeError as error:
            return _error(str(error), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except ValueError as error:
            return _error(str(error.args[0]), HTTPStatus.BAD_REQUEST)

    return respond


def _error(reason: str, status: HTTPStatus) -> Response:
    return JSONResponse({"error": reason}, status)
