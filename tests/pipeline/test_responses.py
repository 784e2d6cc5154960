"""Each kind of response has one kind of outcome."""

from __future__ import annotations

import json
import math
import pickle
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ACCESS_TOKEN, SHOP_CIPHER, FakeShop, envelope, new_client

from catalogue import operations
from tiktok_shop_async import (
    AccessTokenExpiredError,
    AsyncTikTokShop,
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    ResponseDecodeError,
    ServiceUnavailableError,
    SignatureError,
    TikTokAPIError,
    TikTokShopError,
)
from tiktok_shop_async.protocol.service_codes import meaning_of_code


async def read(client: AsyncTikTokShop) -> Any:
    return await client.order.get_order_detail(ids=["1"])


async def write(client: AsyncTikTokShop) -> Any:
    return await client.return_refund.cancel_order(order_id="1", cancel_reason="x")


@pytest.mark.parametrize(
    ("code", "message", "status", "error", "retryable"),
    [
        (105002, "Expired credentials", 401, AccessTokenExpiredError, True),
        (105001, "Access token is invalid", 401, ReauthorizationRequiredError, False),
        (105005, "Access denied, no scope", 403, PermissionDeniedError, False),
        (101000, "Wrong user type", 200, PermissionDeniedError, False),
        (106001, "Signature is invalid", 401, SignatureError, False),
        (106013, "shop_cipher is missing", 400, InvalidRequestError, False),
        (36009002, "Too many requests", 429, RateLimitError, True),
        (36009037, "Hourly quota", 429, RateLimitError, False),
        (36009003, "Internal error", 500, ServiceUnavailableError, True),
        (36009007, "Timeout", 408, ServiceUnavailableError, True),
        (36009004, "Invalid timestamp in request", 400, SignatureError, False),
        (36009004, "Invalid app_key", 400, SignatureError, False),
        (36009004, "Invalid x-tts-access-token header", 400, SignatureError, False),
        (36009004, "shop_cipher is not expected", 400, InvalidRequestError, False),
        (36009004, "consignee must be an object", 400, InvalidRequestError, False),
        (36009004, "end_timestamp is required", 400, InvalidRequestError, False),
        (36009004, "sign is required", 400, SignatureError, False),
        (36009004, "Signature mismatch.", 400, SignatureError, False),
        (36009004, "access_token is required", 401, SignatureError, False),
        (98001004, "page_size is out of range", 200, InvalidRequestError, False),
        (36009010, "No such method", 405, InvalidRequestError, False),
        (36009033, "IP not allowed", 403, PermissionDeniedError, False),
        (36009043, "Shop inactive", 401, PermissionDeniedError, False),
        (36009044, "Seller inactive", 401, PermissionDeniedError, False),
        (25001021, "Reason does not fit", 200, InvalidRequestError, False),
        (99999999, "Something of its own", 200, TikTokAPIError, False),
        (99999999, "Something of its own", 401, PermissionDeniedError, False),
        (99999999, "Something of its own", 503, ServiceUnavailableError, True),
    ],
)  # fmt: skip
async def test_a_service_code_raises_the_error_it_means(
    client: AsyncTikTokShop,
    shop: FakeShop,
    code: int,
    message: str,
    status: int,
    error: type[TikTokAPIError],
    retryable: bool,
) -> None:
    shop.answer_raw(json.dumps(envelope(code=code, message=message)).encode(), status)
    with pytest.raises(TikTokAPIError) as caught:
        await read(client)
    assert type(caught.value) is error
    assert caught.value.code == code
    assert caught.value.message == message
    assert caught.value.request_id == "req-2026"
    assert caught.value.http_status == status
    assert caught.value.operation == "order.get_order_detail"
    assert caught.value.retryable is retryable
    assert str(caught.value).startswith(f"order.get_order_detail: {message} (code {code}, HTTP ")


HINTS = [
    (105001, 401, "the seller must authorize the app again"),
    (98001004, 200, "page_size"),
    (25001014, 200, "return_refund.get_aftersale_eligibility"),
    (25001021, 200, "return_refund.get_aftersale_eligibility"),
    (106001, 401, "without spaces or line breaks"),
    (99999999, 401, "Check that the access token"),
    (None, 401, "Check that the access token"),
]


@pytest.mark.parametrize(("code", "status", "hint"), HINTS)
async def test_what_newcomers_meet_first_says_what_to_do(
    client: AsyncTikTokShop, shop: FakeShop, code: int | None, status: int, hint: str
) -> None:
    body = b"" if code is None else json.dumps(envelope(code=code, message="no")).encode()
    shop.answer_raw(body, status)
    with pytest.raises(TikTokAPIError) as caught:
        await write(client)
    assert hint in (caught.value.hint or "")
    assert hint in str(caught.value)


def field_names() -> set[str]:
    """Return the names of all arguments in the catalogue."""
    names: set[str] = set()

    def collect(fields: dict[str, Any]) -> None:
        for name, node in fields.items():
            names.add(name)
            collect(node.get("fields", {}))
            collect({name: node["items"]} if "items" in node else {})

    for operation in operations().values():
        for part in ("path_params", "query", "body"):
            collect(operation.get(part) or {})
    return names


FIELD_NAMES = sorted(field_names())
MESSAGES = (
    "{} is required",
    "Invalid {}.",
    "{} must be an object",
    "'{}' is not expected",
    "body.{}[0] must be a string",
    "{}: unexpected",
    "parameter {} invalid, please check",
)


@given(name=st.sampled_from(FIELD_NAMES), message=st.sampled_from(MESSAGES))
def test_no_argument_of_the_catalogue_makes_a_signature_error(name: str, message: str) -> None:
    """36009004 is told apart by the gateway's own parameters alone, as whole words."""
    assert meaning_of_code(36009004, message.format(name), 400).error is InvalidRequestError


@pytest.mark.parametrize("message", MESSAGES)
def test_each_argument_of_the_catalogue_is_told_from_the_gateways(message: str) -> None:
    wrong = [
        name
        for name in FIELD_NAMES
        if meaning_of_code(36009004, message.format(name), 400).error is not InvalidRequestError
    ]
    assert wrong == []


@pytest.mark.parametrize("name", [name for name in FIELD_NAMES if "_" in name][::20])
def test_an_argument_that_should_be_a_timestamp_is_not_the_gateways(name: str) -> None:
    message = f"{name} is not a valid timestamp"
    assert meaning_of_code(36009004, message, 400).error is InvalidRequestError


PASSING = [
    (200, b"", ResponseDecodeError),
    (200, b"plain text", ResponseDecodeError),
    (200, b"<html><title>Welcome</title></html>", ResponseDecodeError),
    (200, b'{"code":0,"data":{"cancel_id":"1', ResponseDecodeError),
    (200, b"[1, 2]", ResponseDecodeError),
    (200, b'"code"', ResponseDecodeError),
    (200, b'{"message":"no code"}', ResponseDecodeError),
    (200, b'{"code":null}', ResponseDecodeError),
    (200, b'{"code":"zero"}', ResponseDecodeError),
    (200, b'{"code":0.5}', ResponseDecodeError),
    (200, b'{"code":true}', ResponseDecodeError),
    (200, b'{"code":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ResponseDecodeError),
    (302, b"", ResponseDecodeError),
    (307, b"<html>moved</html>", ResponseDecodeError),
    (408, b"", ServiceUnavailableError),
    (500, b"oops", ServiceUnavailableError),
    (502, b"<html>Bad Gateway</html>", ServiceUnavailableError),
    (503, b"", ServiceUnavailableError),
    (500, b'{"code":0,"message":"Success"}', ServiceUnavailableError),
]
REFUSED = [
    (400, b"", InvalidRequestError),
    (401, b"", PermissionDeniedError),
    (403, b"<html>WAF</html>", PermissionDeniedError),
    (404, b"Not Found", InvalidRequestError),
    (413, b"", InvalidRequestError),
    (429, b"slow down", RateLimitError),
]


@pytest.mark.parametrize(("status", "body", "error"), PASSING + REFUSED)
async def test_an_answer_without_an_envelope_tells_status_and_request_id(
    client: AsyncTikTokShop,
    shop: FakeShop,
    status: int,
    body: bytes,
    error: type[TikTokShopError],
) -> None:
    shop.answer_raw(body, status, x_tts_logid="log-7", location="https://elsewhere.example/")
    with pytest.raises(error) as caught:
        await read(client)
    assert type(caught.value) is error
    assert caught.value.http_status == status
    assert caught.value.request_id == "log-7"
    assert caught.value.operation == "order.get_order_detail"


@pytest.mark.parametrize(("status", "body", "error"), PASSING)
async def test_a_write_without_a_clear_answer_has_an_unknown_outcome(
    client: AsyncTikTokShop, shop: FakeShop, status: int, body: bytes, error: type[Exception]
) -> None:
    shop.answer_raw(body, status, x_tts_logid="log-7")
    with pytest.raises(OutcomeUnknownError, match="search_cancellations") as caught:
        await write(client)
    assert type(caught.value.__cause__) is error
    assert caught.value.request_id == "log-7"
    assert caught.value.http_status == status


@pytest.mark.parametrize(("status", "body", "error"), REFUSED)
async def test_a_write_refused_on_the_way_did_not_happen(
    client: AsyncTikTokShop, shop: FakeShop, status: int, body: bytes, error: type[Exception]
) -> None:
    shop.answer_raw(body, status)
    with pytest.raises(error):
        await write(client)


@pytest.mark.parametrize("code", [36009003, 36009007])
async def test_an_internal_error_leaves_a_write_unknown(
    client: AsyncTikTokShop, shop: FakeShop, code: int
) -> None:
    shop.answer(code=code, message="Internal error")
    with pytest.raises(OutcomeUnknownError) as caught:
        await write(client)
    assert isinstance(caught.value.__cause__, ServiceUnavailableError)


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":"0","message":null,"request_id":5}',
        b'{"code":0,"data":null}',
        b'{"code":0,"data":[]}',
        b'{"code":0,"data":"done"}',
        b'{"code":0,"data":{"cancel_id":5,"cancel_status":["?"]}}',
        b'{"code":0,"data":{"cancel_id":"\\ud83d"},"extra":1}',
        b'\xef\xbb\xbf{"code":0,"data":{"cancel_id":"\xff"}}',
        b'{"code":0,"data":{"cancel_id":1e999}}',
    ],
)
async def test_a_successful_write_stays_one_however_odd_its_answer(
    client: AsyncTikTokShop, shop: FakeShop, body: bytes
) -> None:
    shop.answer_raw(body)
    response = await write(client)
    assert response.code == 0
    assert response.data is not None
    assert response.raw == body
    assert response.json()["code"] in (0, "0")


LATER = {
    "7": 7.0,
    "1.5": 1.5,
    ".5": 0.5,
    "0": 0.0,
    " 7 ": 7.0,
    "-1": None,
    "+7": None,
    "1e3": None,
    "nan": None,
    "inf": None,
    "9" * 5000: None,
    "0.1" + "9" * 5000: 0.2,
    "7, 9": None,
    "\u0667": None,
    "Sun, 04 May 2031 12:01:00 GMT": 60.0,
    "Sun, 04 May 2031 12:01:00 -0000": 60.0,
    "Sun, 04 May 2031 14:01:00 +0200": 60.0,
    "Sun May  4 12:01:00 2031": 60.0,
    "Sunday, 04-May-31 12:01:00 GMT": 60.0,
    "Sun, 04 May 1931 12:01:00 GMT": 0.0,
    "Thu, 01 Jan 0001 00:00:00 +2300": 0.0,
    "Fri, 31 Dec 9999 23:59:59 GMT": 251_466_638_399.0,
    "Fri, 31 Dec 99999 23:59:59 GMT": None,
    "Sun, 04 May 2031 12:01:00 +9999": None,
    "tomorrow": None,
}


@pytest.mark.parametrize("local", ["UTC", "America/Los_Angeles"])
@pytest.mark.parametrize("status", [429, 503, 500, 408])
async def test_every_retryable_error_tells_how_long_to_wait(
    shop: FakeShop, status: int, local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds may have fractions, dates are UTC, and what is neither counts as absent."""
    monkeypatch.setenv("TZ", local)
    time.tzset()
    try:
        async with new_client(shop, clock=datetime(2031, 5, 4, 12, tzinfo=UTC).timestamp) as client:
            for body in (b"", b'{"code":36009002}', b'{"code":36009003}'):
                waits = {}
                for value in LATER:
                    shop.answers.clear()
                    headers = [("retry-after", value.encode())]
                    shop.answers.append(httpx.Response(status, headers=headers, content=body))
                    with pytest.raises((RateLimitError, ServiceUnavailableError)) as caught:
                        await read(client)
                    waits[value] = caught.value.retry_after
                assert waits == pytest.approx(LATER)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("status", "code"), [(503, None), (503, 1), (500, 36009003), (429, None)])
async def test_a_call_waits_as_long_as_the_service_asks(
    shop: FakeShop, status: int, code: int | None
) -> None:
    body = b"" if code is None else json.dumps(envelope(code=code)).encode()
    shop.answer_raw(body, status, retry_after="7.5")
    shop.answer({})
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with new_client(shop, max_retries=1, sleep=sleep) as client:
        await read(client)
    assert len(waits) == 1
    assert 7.5 <= waits[0] <= 8.5


@given(value=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
async def test_any_retry_after_header_is_read_or_ignored(value: str) -> None:
    shop = FakeShop()
    headers = [(b"retry-after", value.encode("latin-1"))]
    shop.answers.append(httpx.Response(503, headers=headers))
    async with new_client(shop) as client:
        with pytest.raises(ServiceUnavailableError) as caught:
            await read(client)
    asked = caught.value.retry_after
    assert asked is None or 0 <= asked < math.inf


async def test_wait_times_are_read_from_seconds_and_dates(shop: FakeShop) -> None:
    """A date is held against the client's clock."""
    now = datetime(2031, 5, 4, 12, tzinfo=UTC)
    client = new_client(shop, clock=now.timestamp)
    later = format_datetime(now + timedelta(hours=1), usegmt=True)
    earlier = format_datetime(now - timedelta(hours=1), usegmt=True)
    waits = []
    for value in ("7", later, earlier, "soon", "-1", ""):
        shop.answers.clear()
        shop.answer_raw(b'{"code":36009002}', 429, retry_after=value)
        with pytest.raises(RateLimitError) as caught:
            await read(client)
        waits.append(caught.value.retry_after)
    await client.aclose()
    assert waits == [7.0, 3600.0, 0.0, None, None, None]


async def test_excerpts_and_messages_show_no_secret(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    leak = f'<html>token {ACCESS_TOKEN} cipher={SHOP_CIPHER} {{"refresh_token": "ROW_r"}}'
    shop.answer_raw(leak.encode(), 200)
    with pytest.raises(ResponseDecodeError) as caught:
        await read(client)
    shop.answers.clear()
    shop.answer(code=36009004, message=f"token {ACCESS_TOKEN} is odd")
    with pytest.raises(TikTokAPIError) as refused:
        await read(client)
    shown = str(caught.value) + caught.value.excerpt + str(refused.value)
    assert "<html>token ***" in caught.value.excerpt
    assert not any(secret in shown for secret in (ACCESS_TOKEN, SHOP_CIPHER, "ROW_r"))


async def test_errors_survive_pickling(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer_raw(b'{"code":36009002,"message":"slow down"}', 429, retry_after="7")
    with pytest.raises(RateLimitError) as caught:
        await read(client)
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert (str(copy), copy.retry_after) == (str(caught.value), 7.0)


async def test_errors_quote_no_personal_data(client: AsyncTikTokShop, shop: FakeShop) -> None:
    """As of a body that was cut off: only the envelope's own fields are shown with their values."""
    order = {"buyer_email": "ana@example.com", "recipient_address": {"name": "Ana", "zip": 10115}}
    body = json.dumps(envelope({"orders": [order] * 3})).encode()
    for cut in range(20, len(body) - 1):
        shop.answers.clear()
        shop.answer_raw(body[:cut])
        with pytest.raises(ResponseDecodeError) as caught:
            await read(client)
        shown = str(caught.value) + caught.value.excerpt
        assert '"code": 0' in shown
        assert not any(secret in shown for secret in ("ana", "Ana", "10115", "101"))
    assert '"recipient_address": {"name": "***", "zip": ***' in shown


async def test_what_is_no_text_is_not_quoted(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer_raw(bytes(range(256)))
    with pytest.raises(ResponseDecodeError, match="256 bytes that are not text") as caught:
        await read(client)
    assert caught.value.excerpt == ""


async def test_a_message_of_megabytes_is_cut(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer(code=25001001, message="x" * 3_000_000)
    with pytest.raises(TikTokAPIError) as caught:
        await read(client)
    assert caught.value.message == "x" * 2000 + "…"
