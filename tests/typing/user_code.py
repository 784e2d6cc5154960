"""What users write, as type checkers see it; checked by mypy and pyright, never run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_type

import httpx
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tiktok_shop_async import (
    APIResponse,
    AsyncTikTokShop,
    AuthState,
    ExponentialBackoff,
    FailedAttempt,
    FileResponse,
    Pager,
    RateLimitError,
    RequestOptions,
    TikTokAPIError,
    TikTokShopOAuth,
    Token,
)
from tiktok_shop_async.auth import (
    Authorizations,
    EncryptedTokenStore,
    MemoryTokenStore,
    RedisTokenStore,
    SQLTokenStore,
    StateSigner,
    TokenStore,
    parse_redirect,
)
from tiktok_shop_async.auth.web import Authorized, OAuthRoutes
from tiktok_shop_async.batch import CancelOutcome, Outcome, cancel_orders, run_batch
from tiktok_shop_async.events import CallEvent, RetryScheduled
from tiktok_shop_async.limits import EndpointClass, FixedRate, LearningLimiter, RedisLimiter
from tiktok_shop_async.models.affiliate_seller import CompassTaskFile
from tiktok_shop_async.models.order import LineItem, Order, OrderDetail, OrderPage
from tiktok_shop_async.models.product import UploadedImage
from tiktok_shop_async.models.return_refund import CancelOrderResult, Sku
from tiktok_shop_async.testing import (
    MockCall,
    MockTikTokShop,
    Sandbox,
    check_token_store,
    make,
)
from tiktok_shop_async.webhooks import (
    MemoryWebhookStore,
    OrderStatusChange,
    PackageUpdate,
    RedisWebhookStore,
    SQLWebhookStore,
    UnknownEvent,
    WebhookEvent,
    WebhookPoller,
    WebhookReceiver,
    Webhooks,
    WebhookStore,
    ensure_webhooks,
)


async def single_calls(client: AsyncTikTokShop) -> None:
    response = await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    assert_type(response, APIResponse[CancelOrderResult])
    assert_type(response.data.cancel_id, str | None)
    assert_type(response.request_id, str)
    detail = await client.order.get_order_detail(ids=["1", "2"])
    assert_type(detail.data.orders, list[Order])
    for order in detail.data.orders:
        assert_type(order.line_items, list[LineItem])
        assert_type(order.create_time, int | None)


async def with_the_sandbox(sandbox: Sandbox) -> None:
    assert_type(sandbox.client(), AsyncTikTokShop)
    sandbox.clock.advance(60)
    sandbox.faults.add("throttled", nth=1)
    sandbox.webhooks.transport = httpx.MockTransport(lambda _: httpx.Response(200))
    await sandbox.webhooks.drain()


async def authorization(oauth: TikTokShopOAuth, authorizations: Authorizations) -> OAuthRoutes:
    assert_type(oauth.authorization_url("partner", region="row", state="x"), str)
    answer = parse_redirect("https://me.example/callback?code=1")
    assert_type(answer.state, str | None)
    token = await oauth.exchange(answer.code)
    assert_type(token, Token)
    assert_type(token.access_token_expires_at, datetime)

    async def welcome(request: Request, authorized: Authorized) -> Response:
        assert_type(authorized.auth, AuthState)
        return RedirectResponse("/")

    signer = StateSigner("x" * 32)
    return OAuthRoutes(authorizations, signer, welcome, state_data=lambda request: {"user": 7})


async def pages(client: AsyncTikTokShop) -> None:
    pager = client.order.get_order_list(page_size=10, order_status="UNPAID")
    assert_type(pager, Pager[OrderPage, Order])
    assert_type(await pager, APIResponse[OrderPage])
    async for order in pager:
        assert_type(order, Order)
    async for page in pager.pages():
        assert_type(page, APIResponse[OrderPage])


async def inputs(client: AsyncTikTokShop, skus: Sequence[Sku]) -> None:
    await client.return_refund.cancel_order(order_id="1", cancel_reason="x", skus=skus)
    await client.return_refund.cancel_order(
        order_id="1",
        cancel_reason="x",
        skus=[{"sku_id": "1", "quantity": 1}, Sku(sku_id="2", quantity=1)],
        options=RequestOptions(api_version="202309", timeout=httpx.Timeout(5)),
    )
    client.order.get_order_list(page_size=1, create_time_ge=1, create_time_lt=datetime.now(UTC))
    client.order.get_order_list(page_size=1, order_status="A_STATUS_OF_TOMORROW")


async def files(client: AsyncTikTokShop) -> None:
    with Path("shirt.png").open("rb") as file:
        for data in (b"bytes", Path("shirt.png"), file):
            uploaded = await client.product.upload_product_image(data=data)
            assert_type(uploaded, APIResponse[UploadedImage])
    downloaded = await client.affiliate_seller.download_compass_task_file(task_id="1")
    assert_type(downloaded, FileResponse[CompassTaskFile])
    assert_type(downloaded.content, bytes | None)


async def views_and_raw_calls(client: AsyncTikTokShop) -> None:
    assert_type(client.for_shop(shop_cipher="x"), AsyncTikTokShop)
    assert_type(client.auth, AuthState)
    client.auth.access_token = "new"
    raw = await client.request("GET", "/order/202309/orders", query={"ids": ["1"]})
    assert_type(raw, APIResponse[Any])
    async with AsyncTikTokShop.from_env() as other:
        assert_type(other, AsyncTikTokShop)


def errors(error: TikTokAPIError) -> None:
    assert_type(error.code, int | None)
    assert_type(error.hint, str | None)
    if isinstance(error, RateLimitError):
        assert_type(error.retry_after, float | None)


class Subclass(AsyncTikTokShop):
    """A user's own client keeps its type in views."""


async def subclasses(client: Subclass) -> None:
    assert_type(client.for_shop(shop_cipher="x"), Subclass)
    assert_type(Subclass.from_env(), Subclass)


def never(failed: FailedAttempt) -> float | None:
    assert_type(failed.attempt, int)
    return None


def observe(event: CallEvent) -> None:
    if isinstance(event, RetryScheduled):
        assert_type(event.seconds, float)


async def retries_and_limits(url: str) -> None:
    async with RedisLimiter(url) as limiter:
        AsyncTikTokShop("key", "secret", retry_policy=never, observers=[observe], limiter=limiter)
    AsyncTikTokShop(
        "key",
        "secret",
        retry_policy=ExponentialBackoff(base=0.5),
        limiter=LearningLimiter(rates={EndpointClass.WRITE: FixedRate(3), EndpointClass.READ: 8.0}),
        deadline=60.0,
    )
    RequestOptions(priority="high", deadline=5.0, max_retries=0)


async def batches(client: AsyncTikTokShop, order_ids: Sequence[str]) -> None:
    async with cancel_orders(client, order_ids, reason="out_of_stock") as cancellations:
        async for cancellation in cancellations:
            assert_type(cancellation, CancelOutcome)
            assert_type(cancellation.cancel_id, str | None)
    requests = [{"ids": [each]} for each in order_ids]
    async for outcome in run_batch(client.order.get_order_detail, requests):
        assert_type(outcome, Outcome[APIResponse[OrderDetail]])


def test_kit(mock: MockTikTokShop) -> None:
    mocked = mock.return_refund.cancel_order.respond({"cancel_id": "1"})
    mocked.respond({"new": "1"}, unknown_fields=True).assert_not_called()
    mock.assert_all_mocked()
    MockTikTokShop(base_url="https://a.example", check_responses=False, patch_httpx=False)
    assert_type(mocked.calls, list[MockCall])
    mock.order.get_order_detail.side_effect = [{"orders": []}, RateLimitError("slow down")]
    assert_type(make(Order, status="UNPAID"), Order)
    assert_type(mock.client(), AsyncTikTokShop)


async def token_stores(url: str) -> None:
    stores: list[TokenStore] = [MemoryTokenStore(), SQLTokenStore(url), RedisTokenStore(url)]
    await check_token_store(lambda: EncryptedTokenStore(stores[0], ["key"]))
    await check_token_store(lambda: SQLTokenStore(url))
    async with RedisTokenStore(url) as store, store.lock("key"):
        assert_type(await store.keys(), list[str])


async def webhooks_are_typed(client: AsyncTikTokShop, request: Request) -> None:
    webhooks = Webhooks("key", ["new secret", "old secret"], other_apps={"other": "secret"})
    assert_type(webhooks.verify(b"{}", request.headers.get("authorization")), str)
    event = webhooks.verify_and_parse(await request.body(), "signature")
    assert_type(event, WebhookEvent)
    match event:
        case OrderStatusChange():
            assert_type(event.data.order_id, str | None)
            assert_type(event.data.is_on_hold_order, bool | None)
        case PackageUpdate():
            assert_type(event.data.package_list[0].order_id_list, list[str])
        case UnknownEvent():
            assert_type(event.json(), Any)
    store: WebhookStore = SQLWebhookStore("sqlite:///webhooks.db")
    store = RedisWebhookStore("redis://localhost")
    store = MemoryWebhookStore()
    receiver = WebhookReceiver(webhooks, store=store)

    @receiver.on(OrderStatusChange)
    async def order(event: OrderStatusChange) -> None: ...

    @receiver.on(OrderStatusChange, PackageUpdate)
    def two(event: OrderStatusChange | PackageUpdate) -> int:
        return 1

    @receiver.on(WebhookEvent)
    async def every(event: WebhookEvent) -> None: ...

    assert_type(two(event), int) if isinstance(event, OrderStatusChange) else None
    async for letter in store.dead_letters():
        assert_type(letter.error, str)
    changes = await ensure_webhooks(client, {OrderStatusChange: "https://me.example/", 11: None})
    assert_type(changes.subscribed, tuple[str, ...])
    async with receiver, WebhookPoller(client, store, shop_id="1") as poller:
        assert_type(await poller.poll(), int)
