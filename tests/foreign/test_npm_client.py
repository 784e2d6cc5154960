"""npm's tiktok-shop-sdk 1.0.3, unchanged: what works with it. Its mistakes: test_mistakes."""

from __future__ import annotations

from typing import Any

from foreign.peers import npm_client

from tiktok_shop_async.sandbox import Sandbox

REASON = "seller_cancel_reason_out_of_stock"


def call(name: str, argument: Any = None, **more: Any) -> dict[str, Any]:
    group, method = name.split(".")
    return {"group": group, "method": method, "argument": argument, **more}


async def test_it_searches_orders_and_cancels_them(shop: Sandbox, waiting: list[str]) -> None:
    order_id = waiting[0]
    searched, cancelled, found, again = await npm_client(
        shop,
        call(
            "order.getOrderList",
            {"query": {"page_size": 100}, "body": {"order_status": "AWAITING_SHIPMENT"}},
        ),
        call("return_refund.cancelOrder", {"order_id": order_id, "cancel_reason": REASON}),
        call(
            "return_refund.searchCancellation",
            {"query": {"page_size": 10}, "body": {"order_ids": [order_id]}},
        ),
        call("return_refund.cancelOrder", {"order_id": order_id, "cancel_reason": REASON}),
    )
    assert {order["id"] for order in searched["answer"]["data"]["orders"]} == set(waiting)
    assert cancelled["answer"]["data"]["cancel_status"] == "CANCELLATION_REQUEST_SUCCESS"
    (cancellation,) = found["answer"]["data"]["cancellations"]
    assert cancellation["cancel_id"] == cancelled["answer"]["data"]["cancel_id"]
    assert "answer" not in again
    assert shop.shop.orders[order_id].status == "CANCELLED"
    assert max(shop.shop.times_cancelled.values()) == 1


async def test_its_signature_is_right_for_text_beyond_ascii(
    shop: Sandbox, waiting: list[str]
) -> None:
    (refused,) = await npm_client(
        shop,
        call(
            "return_refund.cancelOrder", {"order_id": waiting[0], "cancel_reason": "Größe 品切れ"}
        ),
    )
    assert refused["code"] == 25001014  # the reason, not the signature


async def test_it_lists_shops_before_it_has_a_cipher(shop: Sandbox) -> None:
    listed, missing = await npm_client(
        shop,
        call("shop.getAuthorizedShops"),
        call("order.getOrderList", {"query": {"page_size": 10}}),
        cipher=False,
    )
    assert listed["answer"]["data"]["shops"][0]["cipher"] == shop.shop_cipher
    assert missing["code"] == 106013
