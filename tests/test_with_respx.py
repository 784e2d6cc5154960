"""Tests as users write them: plain respx, a default client and public names only."""

import asyncio
from typing import Any

import httpx
import pytest
import respx

from tiktok_shop_async import (
    AsyncTikTokShop,
    ConnectError,
    OutcomeUnknownError,
    RateLimitError,
    RequestOptions,
    RequestTimeoutError,
    TikTokAPIError,
)

CANCELLATIONS = "https://open-api.tiktokglobalshop.com/return_refund/202602/cancellations"


def shop(**options: Any) -> AsyncTikTokShop:
    return AsyncTikTokShop(
        app_key="29a39d",
        app_secret="e59af819cc",
        access_token="token",
        shop_cipher="ROW_cipher",
        **options,
    )


def success(cancel_id: str = "4035") -> httpx.Response:
    data = {"cancel_id": cancel_id, "cancel_status": "CANCELLATION_REQUEST_SUCCESS"}
    return httpx.Response(
        200, json={"code": 0, "message": "Success", "request_id": "2026", "data": data}
    )


@respx.mock
async def test_cancelling_an_order() -> None:
    route = respx.post(CANCELLATIONS).mock(return_value=success())
    async with shop() as client:
        response = await client.return_refund.cancel_order(
            order_id="579489483240146725",
            order_line_item_ids=["580196086825061157"],
            cancel_reason="seller_cancel_reason_out_of_stock",
        )
    assert response.data.cancel_id == "4035"
    assert response.data.cancel_status == "CANCELLATION_REQUEST_SUCCESS"
    assert (response.code, response.message, response.request_id) == (0, "Success", "2026")
    request = route.calls.last.request
    assert request.headers["x-tts-access-token"] == "token"
    assert request.url.params["app_key"] == "29a39d"


@respx.mock
async def test_cancelling_many_orders_at_once() -> None:
    route = respx.post(CANCELLATIONS).mock(return_value=success())
    async with shop() as client:
        responses = await asyncio.gather(
            *(
                client.return_refund.cancel_order(order_id=str(number), cancel_reason="x")
                for number in range(250)
            )
        )
    assert len(responses) == route.call_count == 250


@respx.mock
async def test_a_throttled_call() -> None:
    throttled = httpx.Response(429, headers={"Retry-After": "3"}, json={"code": 36009002})
    respx.post(CANCELLATIONS).mock(return_value=throttled)
    async with shop() as client:
        with pytest.raises(RateLimitError) as caught:
            await client.return_refund.cancel_order(
                order_id="1", cancel_reason="x", options=RequestOptions(max_retries=0)
            )
    assert caught.value.retry_after == 3
    assert isinstance(caught.value, TikTokAPIError)


@respx.mock
async def test_a_throttled_call_is_repeated() -> None:
    throttled = httpx.Response(429, headers={"Retry-After": "3"}, json={"code": 36009002})
    route = respx.post(CANCELLATIONS).mock(side_effect=[throttled, success()])
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async with shop(sleep=sleep) as client:
        response = await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    assert (response.attempts, route.call_count) == (2, 2)
    assert 3 <= sum(waited) <= 4


@respx.mock
async def test_a_lost_answer() -> None:
    respx.post(CANCELLATIONS).mock(side_effect=httpx.ReadTimeout)
    async with shop() as client:
        with pytest.raises(OutcomeUnknownError):
            await client.return_refund.cancel_order(order_id="1", cancel_reason="x")


@respx.mock
async def test_different_answers_in_turn() -> None:
    respx.post(CANCELLATIONS).mock(side_effect=[success("1"), success("2")])
    async with shop() as client:
        found = [
            (
                await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
            ).data.cancel_id
            for _ in range(2)
        ]
    assert found == ["1", "2"]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (httpx.ReadTimeout, OutcomeUnknownError),
        (httpx.ReadError, OutcomeUnknownError),
        (httpx.ConnectError, ConnectError),
        (httpx.ConnectTimeout, RequestTimeoutError),
    ],
)
@respx.mock
async def test_a_failure_that_a_test_injects_says_whether_the_write_was_sent(
    failure: type[Exception], error: type[Exception]
) -> None:
    respx.post(CANCELLATIONS).mock(side_effect=failure)
    async with shop(max_retries=0) as client:
        with pytest.raises(error):
            await client.return_refund.cancel_order(order_id="1", cancel_reason="x")


@respx.mock
async def test_a_write_that_no_route_matches_fails_as_respx_says() -> None:
    """The request went nowhere, so its outcome is not unknown."""
    async with shop() as client:
        with pytest.raises(AssertionError, match="not mocked"):
            await client.return_refund.cancel_order(order_id="1", cancel_reason="x")


async def test_an_assertion_in_a_mocked_transport_fails_the_test_as_it_is() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert b"reason_of_mine" in request.content
        return success()

    async with shop(transport=httpx.MockTransport(handler)) as client:
        with pytest.raises(AssertionError, match="reason_of_mine"):
            await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
