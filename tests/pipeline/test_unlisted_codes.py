"""An unlisted code is a rejection only if neither status nor text names a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import FakeShop, envelope

from tiktok_shop_async import (
    AsyncTikTokShop,
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    TikTokAPIError,
)
from tiktok_shop_async.protocol.service_codes import names_internal_failure

FAILURES = [
    "Internal error",
    "INTERNAL_SERVER_ERROR",
    "internal package tag error",
    "system busy",
    "System error, please try again later",
    "the service is temporarily unavailable",
    "Request timeout",
    "the request timed out",
    "rpc error: code = DeadlineExceeded",
    "context deadline exceeded",
    "database error",
    "platform process failed; retry later",
    "unknown error",
    "",
    "  ",
]
REFUSALS = [
    "Something of its own",
    "shipping time out of range",
    "The product is unavailable in this region",
    "unknown cancel reason",
    "timestamp is invalid",
    "order status does not allow this",
]


async def write(client: AsyncTikTokShop) -> Any:
    return await client.return_refund.cancel_order(order_id="1", cancel_reason="x")


async def read(client: AsyncTikTokShop) -> Any:
    return await client.order.get_order_detail(ids=["1"])


def answer(shop: FakeShop, code: int, message: str, status: int = 200) -> None:
    shop.answers.clear()
    shop.answer_raw(json.dumps(envelope(code=code, message=message)).encode(), status)


@pytest.mark.parametrize("message", FAILURES)
@pytest.mark.parametrize("status", [200, 400])
async def test_one_whose_text_names_a_failure_leaves_a_write_unknown(
    client: AsyncTikTokShop, shop: FakeShop, message: str, status: int
) -> None:
    answer(shop, 99999999, message, status)
    with pytest.raises(OutcomeUnknownError):
        await write(client)
    with pytest.raises(ServiceUnavailableError) as caught:
        await read(client)
    assert (caught.value.code, caught.value.retryable) == (99999999, True)


@pytest.mark.parametrize("message", REFUSALS)
async def test_one_that_gives_another_reason_is_a_refusal(
    client: AsyncTikTokShop, shop: FakeShop, message: str
) -> None:
    answer(shop, 99999999, message)
    for call in (read, write):
        with pytest.raises(TikTokAPIError) as caught:
            await call(client)
        assert type(caught.value) is TikTokAPIError


@pytest.mark.parametrize("message", [*FAILURES, *REFUSALS])
def test_the_rule_is_a_function_of_the_text(message: str) -> None:
    assert names_internal_failure(message) is (message in FAILURES)


@pytest.mark.parametrize(
    ("code", "error"), [(25001021, InvalidRequestError), (99999999, ServiceUnavailableError)]
)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_http_5xx_refuses_nothing_for_certain(
    client: AsyncTikTokShop, shop: FakeShop, code: int, error: type[Exception], status: int
) -> None:
    """Also where the code is a listed one of the service's own."""
    answer(shop, code, "Reason does not fit", status)
    with pytest.raises(OutcomeUnknownError) as caught:
        await write(client)
    assert type(caught.value.__cause__) is error
    with pytest.raises(error):
        await read(client)


@pytest.mark.parametrize(
    ("code", "error"), [(105005, PermissionDeniedError), (36009002, RateLimitError)]
)
async def test_what_the_gateway_decides_before_the_service_is_a_refusal_with_any_status(
    client: AsyncTikTokShop, shop: FakeShop, code: int, error: type[Exception]
) -> None:
    answer(shop, code, "internal error", 503)
    with pytest.raises(error):
        await write(client)
