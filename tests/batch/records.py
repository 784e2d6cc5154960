"""A shop's records as the client sees them, without a client."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tiktok_shop_async.models.order import Order, OrderDetail
from tiktok_shop_async.models.return_refund import Cancellation, CancellationPage
from tiktok_shop_async.protocol.decoding import decode_data
from tiktok_shop_async.sandbox import DEMO_SHOP_CIPHER, Shop, demo_market
from tiktok_shop_async.sandbox.handlers.aftersales.aftersale_documents import cancellation_document
from tiktok_shop_async.sandbox.handlers.order_documents import order_document

PAID = "seller_cancel_reason_out_of_stock"
NOW = 1_790_000_000.0


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def new_shop(clock: Callable[[], float], *, orders: int = 60, **options: float) -> Shop:
    market = demo_market(orders=orders, seed=1, clock=clock, **options)  # type: ignore[arg-type]
    return market.shops[DEMO_SHOP_CIPHER]


def order_of(shop: Shop, order_id: str) -> Order:
    document = {"orders": [order_document(shop.ledger.order(order_id), shop)]}
    return decode_data(OrderDetail, msgspec.Raw(msgspec.json.encode(document)))[0].orders[0]


def cancellations_of(shop: Shop, order_id: str) -> list[Cancellation]:
    found = shop.ledger.order(order_id).cancellations
    document = {"cancellations": [cancellation_document(each, shop, "202602") for each in found]}
    page, _ = decode_data(CancellationPage, msgspec.Raw(msgspec.json.encode(document)))
    return page.cancellations
