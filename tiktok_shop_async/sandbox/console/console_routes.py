"""Routes of the console: pages, and forms that redirect to pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from urllib.parse import parse_qsl

import attrs
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ..domain.entities.orders import Order
from ..domain.shop import Shop
from ..error_responses import Refusal
from ..state.sandbox_state import SandboxState
from .fault_page import add_fault, clear_faults, clear_limits, fault_page, remove_fault, set_limits
from .forms import Form
from .notices import Notice, Notices
from .order_pages import find_shop, order_list_page, order_page
from .order_performers import perform
from .overview_page import advance_clock, credential_page, overview_page, reset
from .pages import HEADERS, TABS, Page, encode_query
from .request_page import request_page
from .webhook_page import fire_event, resend, webhook_page

_STATIC = {"console.css": "text/css", "console.js": "text/javascript"}

Perform = Callable[[SandboxState, Form], str]


@attrs.frozen
class _FormAction:
    """The action of a form, and the tab that shows its result."""

    perform: Perform
    tab: str


_ACTIONS: Mapping[str, _FormAction] = {
    "advance-clock": _FormAction(advance_clock, "overview"),
    "reset": _FormAction(reset, "overview"),
    "add-fault": _FormAction(add_fault, "faults"),
    "remove-fault": _FormAction(remove_fault, "faults"),
    "clear-faults": _FormAction(clear_faults, "faults"),
    "set-limits": _FormAction(set_limits, "faults"),
    "clear-limits": _FormAction(clear_limits, "faults"),
    "fire-event": _FormAction(fire_event, "webhooks"),
    "resend": _FormAction(resend, "webhooks"),
}


def console_routes(state: SandboxState) -> list[Route]:
    """Return the routes of the console, for a mount at ``/_sandbox``."""
    console = _Console(state)
    pages: dict[str, Callable[[Page], Response]] = {
        "overview": overview_page,
        "requests": request_page,
        "orders": order_list_page,
        "webhooks": webhook_page,
        "faults": fault_page,
    }
    order = "/console/orders/{shop_id}/{order_id}"
    return [
        *(Route(TABS[name][1], console.endpoint_of(page)) for name, page in pages.items()),
        Route("/console/credentials", console.credentials),
        Route(order, console.order),
        Route(order, console.act_on_order, methods=["POST"]),
        Route("/console/static/{name}", _static),
        Route("/console/{action}", console.act, methods=["POST"]),
    ]


class _Console:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._notices = Notices()

    def endpoint_of(
        self, page: Callable[[Page], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a page."""

        async def endpoint(request: Request) -> Response:
            return page(self._page(request))

        return endpoint

    async def credentials(self, request: Request) -> Response:
        return credential_page(self._page(request), str(request.base_url))

    async def order(self, request: Request) -> Response:
        return order_page(self._page(request), **request.path_params)

    async def act(self, request: Request) -> Response:
        """Carry out the action of a form, and redirect to the page that shows the result."""
        action = _ACTIONS.get(request.path_params["action"])
        if action is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return await self._act(request, TABS[action.tab][1], action.perform)

    async def act_on_order(self, request: Request) -> Response:
        """Carry out an action on an order."""
        shop_id, order_id = request.path_params["shop_id"], request.path_params["order_id"]
        shop = find_shop(self._state.market, shop_id)
        order = shop.orders.get(order_id) if shop else None
        if shop is None or order is None:
            return await self.order(request)
        run = partial(_act_on, shop, order)
        return await self._act(request, f"/console/orders/{shop.id}/{order.id}", run)

    def _page(self, request: Request) -> Page:
        return Page.of(request, self._state, self._notices)

    async def _act(self, request: Request, path: str, perform: Perform) -> Response:
        form = Form({})
        try:
            form = await Form.of(request)
            text, failed = perform(self._state, form), False
        except (Refusal, ValueError, LookupError, RecursionError) as error:
            text, failed = _sentence(error), True
        target = form.text("target")
        entered = form if failed else Form({})
        key = self._notices.add(Notice(target, text, failed, entered))
        query = {**dict(parse_qsl(form.text("query"))), "notice": key}
        return RedirectResponse(
            f"{request.scope.get('root_path', '')}{path}?{encode_query(query)}",
            HTTPStatus.SEE_OTHER,
            HEADERS,
        )


def _act_on(shop: Shop, order: Order, _: SandboxState, form: Form) -> str:
    return perform(form.required("action"), shop, order, form)


def _sentence(error: Exception) -> str:
    """Return the message of an error as a sentence."""
    text = str(error.args[0]) if error.args else type(error).__name__
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    file = files(__package__ or "").joinpath("static", name)
    return Response(file.read_text(encoding="utf-8"), media_type=_STATIC[name])
