"""Event hooks of a borrowed client: their errors do not tell whether the request was sent."""

from __future__ import annotations

import httpx
import pytest
from raw_shop import RawPeer, RawShop, raw_shop, response_to
from support import new_client

from tiktok_shop_async import (
    ConnectError,
    InvalidArgumentError,
    OutcomeUnknownError,
    RateLimitError,
    TikTokShopError,
)

FAILURES = (
    httpx.ConnectError("the audit log cannot be reached"),
    httpx.ConnectTimeout("the audit log cannot be reached"),
    httpx.PoolTimeout("the audit log is busy"),
    httpx.ProxyError("no way to the audit log"),
    httpx.UnsupportedProtocol("no URL of an audit log"),
    httpx.InvalidURL("no URL of an audit log"),
)
OURS = (
    ConnectError("of another call", maybe_sent=False),
    InvalidArgumentError("of another call"),
    RateLimitError("of another call", code=36009002, retryable=True),
)


async def answer(peer: RawPeer) -> None:
    while order := await peer.order():
        await peer.write(response_to(order))


async def cancelled(
    shop: RawShop, error: Exception, when: str, transport: httpx.AsyncBaseTransport | None = None
) -> TikTokShopError:
    """Return what a cancellation raises whose client has a hook that raises ``error``."""

    async def hook(_: object) -> None:
        raise error

    hooks = {when: [hook]}
    async with httpx.AsyncClient(event_hooks=hooks, transport=transport) as http_client:
        client = new_client(
            http_client=http_client,
            base_url=shop.base_url,
            max_retries=2,
            retry_policy=lambda _: 0.0,
        )
        with pytest.raises(TikTokShopError) as raised:
            await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    return raised.value


@pytest.mark.parametrize("error", [*FAILURES, *OURS], ids=lambda error: type(error).__name__)
async def test_a_write_whose_response_hook_fails_is_unknown_and_sent_once(
    error: Exception,
) -> None:
    async with raw_shop(answer) as shop:
        raised = await cancelled(shop, error, "response")
        assert isinstance(raised, OutcomeUnknownError)
        assert type(error).__name__ in str(raised)
        assert shop.seen == {"1": 1}


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
async def test_so_is_one_over_a_transport_without_sockets(error: Exception) -> None:
    requests = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, content=response_to("1").partition(b"\r\n\r\n")[2])

    transport = httpx.MockTransport(respond)
    shop = RawShop(answer)
    shop.base_url = "http://shop.example"
    raised = await cancelled(shop, error, "response", transport)
    assert isinstance(raised, OutcomeUnknownError)
    assert len(requests) == 1


@pytest.mark.parametrize("error", [*FAILURES, *OURS], ids=lambda error: type(error).__name__)
async def test_a_write_whose_request_hook_fails_is_surely_not_sent(error: Exception) -> None:
    async with raw_shop(answer) as shop:
        raised = await cancelled(shop, error, "request")
        assert not isinstance(raised, OutcomeUnknownError)
        assert not shop.seen


async def test_a_lost_connection_to_the_service_is_still_known_as_not_sent() -> None:
    async def pass_by(_: object) -> None:
        pass

    async with httpx.AsyncClient(event_hooks={"response": [pass_by]}) as http_client:
        client = new_client(http_client=http_client, base_url="http://127.0.0.1:1")
        with pytest.raises(ConnectError):
            await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
