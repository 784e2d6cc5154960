"""A client of the sandbox that knows only HTTP and the platform's page about signing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from helpers.signatures import expected_signature
from starlette.applications import Starlette

from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_SHOP_CIPHER,
    Shop,
    create_app,
    demo_market,
)

NOW = 1_790_000_000
SHOPS = "/authorization/202309/shops"
SEARCH_ORDERS = "/order/202309/orders/search"
ORDERS = "/order/202507/orders"
CANCEL = "/return_refund/202602/cancellations"
SEARCH_CANCELLATIONS = "/return_refund/202602/cancellations/search"
UPLOAD = "/product/202309/images/upload"

PAID = "seller_cancel_reason_out_of_stock"
UNPAID = "seller_cancel_unpaid_reason_out_of_stock"


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Wire:
    """Sends signed requests to an application, and takes any part of them from the test."""

    def __init__(self, app: Starlette, clock: Clock) -> None:
        self.clock = clock
        self.app = app
        self.market = app.state.market
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://shop.example"
        )

    @property
    def shop(self) -> Shop:
        return self.market.shops[DEMO_SHOP_CIPHER]

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        app_secret: str = DEMO_APP_SECRET,
        **content: Any,
    ) -> httpx.Response:
        """Send a request; a parameter or header that is None is left out."""
        parameters = {"app_key": DEMO_APP_KEY, "timestamp": int(self.clock()), **(query or {})}
        all_headers = {"x-tts-access-token": DEMO_ACCESS_TOKEN, **(headers or {})}
        request = self.http.build_request(
            method,
            path,
            params=_given(parameters),
            headers=_given(all_headers),
            **content,
        )
        await request.aread()
        if "sign" not in parameters:
            sign = expected_signature(request, app_secret)
            request.url = request.url.copy_merge_params({"sign": sign})
        return await self.http.send(request)

    async def call(self, method: str, path: str, **parts: Any) -> Any:
        """Send a request of the demo's shop, and return the envelope."""
        query = {"shop_cipher": DEMO_SHOP_CIPHER, **parts.pop("query", {})}
        return (await self.send(method, path, query=query, **parts)).json()

    async def cancel(self, order_id: str, reason: str = PAID, **body: Any) -> Any:
        body = {"order_id": order_id, "cancel_reason": reason, **body}
        return await self.call("POST", CANCEL, json=body)

    async def order(self, order_id: str) -> Any:
        answer = await self.call("GET", ORDERS, query={"ids": order_id})
        return answer["data"]["orders"][0]

    def order_ids(self, status: str, *, lines: int = 1) -> list[str]:
        """Return the orders of a status with at least so many line items."""
        return [
            order.id
            for order in self.shop.orders.values()
            if order.status == status and len(order.lines) >= lines
        ]


def new_wire(
    *,
    orders: int = 200,
    seed: int = 1,
    application: Mapping[str, Any] | None = None,
    **options: Any,
) -> Wire:
    """Return a wire to a shop of its own; ``application`` goes to `create_app`."""
    clock = Clock()
    market = demo_market(orders=orders, seed=seed, clock=clock, **options)
    return Wire(create_app(market=market, clock=clock, **(application or {})), clock)


def new_product(shop: Shop) -> dict[str, Any]:
    """Return the body of a product in two colours, with all that is required."""
    return {
        "title": "Enamel Mug",
        "description": "<p>Keeps warm.</p>",
        "category_id": "600001",
        "main_images": [{"uri": "sandbox/mug"}],
        "skus": [
            {
                "seller_sku": f"MUG-{colour}",
                "sales_attributes": [{"name": "Color", "value_name": colour}],
                "price": {"currency": "USD", "amount": price},
                "inventory": [{"warehouse_id": shop.warehouse_id, "quantity": quantity}],
            }
            for colour, price, quantity in (("Red", "12.5", 7), ("Blue", "13", 0))
        ],
    }


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
