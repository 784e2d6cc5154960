"""PyPI's tiktok-shop-api 0.1.0, unchanged: what works with it. Its mistakes: test_mistakes."""

from __future__ import annotations

from typing import Any

from foreign.peers import pypi_client

from tiktok_shop_async.sandbox import Sandbox

REASON = "seller_cancel_reason_out_of_stock"


def call(name: str, model: str = "", **arguments: Any) -> dict[str, Any]:
    group, method = name.split(".")
    return {"group": group, "method": method, "model": model, "arguments": arguments}


def cancel(order_id: str, reason: str = REASON) -> dict[str, Any]:
    return call(
        "return_and_refund.cancel_order",
        "cancel_order_request",
        body={"order_id": order_id, "cancel_reason": reason},
    )


async def test_it_searches_orders_and_cancels_them(shop: Sandbox, waiting: list[str]) -> None:
    order_id = waiting[0]
    searched, cancelled, found, again = await pypi_client(
        shop,
        call(
            "orders.get_order_list",
            "get_order_list_request",
            page_size=100,
            body={"order_status": "AWAITING_SHIPMENT"},
        ),
        cancel(order_id),
        call(
            "return_and_refund.search_cancellations",
            "search_cancellations_request",
            body={"order_ids": [order_id]},
        ),
        cancel(order_id),
    )
    assert {order["id"] for order in searched["answer"]["data"]["orders"]} == set(waiting)
    assert cancelled["answer"]["data"]["cancel_status"] == "CANCELLATION_REQUEST_SUCCESS"
    (cancellation,) = found["answer"]["data"]["cancellations"]
    assert cancellation["cancel_id"] == cancelled["answer"]["data"]["cancel_id"]
    assert "answer" not in again
    assert shop.shop.orders[order_id].status == "CANCELLED"
    assert max(shop.shop.times_cancelled.values()) == 1


async def test_it_walks_pages_whose_tokens_need_encoding(shop: Sandbox) -> None:
    """Encoded on the wire, signed as they are."""
    (first,) = await pypi_client(shop, call("orders.get_order_list", page_size=30))
    token = first["answer"]["data"]["next_page_token"]
    (second,) = await pypi_client(
        shop, call("orders.get_order_list", page_size=30, page_token=token)
    )
    ids = [{order["id"] for order in page["answer"]["data"]["orders"]} for page in (first, second)]
    assert (len(ids[0]), len(ids[1]), len(ids[0] | ids[1])) == (30, 30, 60)


async def test_its_signature_is_right_for_text_beyond_ascii(
    shop: Sandbox, waiting: list[str]
) -> None:
    (refused,) = await pypi_client(shop, cancel(waiting[0], "Größe 品切れ"))
    assert refused["code"] == 25001014  # the reason, not the signature


async def test_it_uploads_a_picture(shop: Sandbox, picture: str) -> None:
    """Without the cipher that it has, and without signing the form."""
    (uploaded,) = await pypi_client(
        shop,
        call(
            "products.upload_product_image", "upload_product_image_request", body={"file": picture}
        ),
    )
    assert (uploaded["answer"]["data"]["width"], uploaded["answer"]["data"]["height"]) == (800, 600)


async def test_it_lists_shops_before_it_has_a_cipher(shop: Sandbox) -> None:
    listed, missing = await pypi_client(
        shop,
        call("authorization.get_authorized_shops"),
        call("orders.get_order_list", page_size=10),
        cipher=False,
    )
    assert listed["answer"]["data"]["shops"][0]["cipher"] == shop.shop_cipher
    assert missing["code"] == 106013
