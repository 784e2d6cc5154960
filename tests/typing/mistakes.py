"""Mistakes that type checkers must find: each line here has an error, and says that it expects it.

Both checkers warn of an ignored line without an error, so a mistake that slips through fails.
"""

from tiktok_shop_async import AsyncTikTokShop, RequestOptions, TikTokShopOAuth
from tiktok_shop_async.batch import cancel_orders
from tiktok_shop_async.models.return_refund import Sku
from tiktok_shop_async.webhooks import NewMessage, OrderStatusChange, WebhookReceiver


async def mistakes(client: AsyncTikTokShop) -> None:
    await client.return_refund.cancel_order(order_id="1")  # type: ignore[call-arg]
    await client.return_refund.cancel_order("1", "x")  # type: ignore[call-arg]
    await client.return_refund.cancel_order(order_id=1, cancel_reason="x")  # type: ignore[arg-type]
    await client.return_refund.cancel_ordre(order_id="1")  # type: ignore[attr-defined]
    await client.order.get_order_detail(ids=[1])  # type: ignore[list-item]
    await client.product.upload_product_image(data="shirt.png")  # type: ignore[arg-type]
    response = await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    response.data.cancel_id = "2"  # type: ignore[misc]
    response.data.cancel_idd  # type: ignore[attr-defined]  # noqa: B018
    TikTokShopOAuth("key", "secret").authorization_url(role="buyer")  # type: ignore[arg-type]
    Sku(sku="1")  # type: ignore[call-arg]
    RequestOptions(priority="urgent")  # type: ignore[arg-type]
    cancel_orders(client, [1], reason="out_of_stock")  # type: ignore[list-item]


def webhook_mistakes(receiver: WebhookReceiver, event: OrderStatusChange) -> None:
    event.data.order_idd  # type: ignore[attr-defined]  # noqa: B018
    event.shop_id = "2"  # type: ignore[misc]

    @receiver.on(OrderStatusChange)  # type: ignore[arg-type]
    async def message(event: NewMessage) -> None: ...

    @receiver.on(OrderStatusChange, NewMessage)  # type: ignore[arg-type]
    async def order_alone(event: OrderStatusChange) -> None: ...
