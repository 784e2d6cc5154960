"""A successful write always returns a response, even if its bytes are malformed."""

from __future__ import annotations

import gzip
import json
import math
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline.parts import Parts
from support import new_client

from tiktok_shop_async import (
    APIResponse,
    AsyncTikTokShop,
    OutcomeUnknownError,
    ResponseDecodeError,
    TikTokShopError,
)

DIGITS = b"9" * 5000
Call = Callable[[AsyncTikTokShop], Awaitable[APIResponse[Any]]]


class RawShop(httpx.AsyncBaseTransport):
    """Answers each request with the same status, headers and parts of a body."""

    def __init__(self, *parts: bytes, status: int = 200, **headers: str) -> None:
        self.body = Parts(*parts)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        return httpx.Response(self.status, headers=self.headers, stream=self.body)


async def cancel(client: AsyncTikTokShop) -> APIResponse[Any]:
    return await client.return_refund.cancel_order(order_id="1", cancel_reason="x")


async def cancel_raw(client: AsyncTikTokShop) -> APIResponse[Any]:
    return await client.request("POST", "/return_refund/202309/cancellations", body={})


async def answered(call: Call, *parts: bytes, **headers: Any) -> APIResponse[Any]:
    async with new_client(RawShop(*parts, **headers)) as client:
        return await call(client)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def with_odd(odd: bytes) -> Iterator[bytes]:
    """Yield successes with ``odd`` in each location."""
    yield b'{"code":0,"data":{"cancel_id":"1","odd":%s}}' % odd
    yield b'{"code":0,"data":{"cancel_id":"1","cancel_status":%s}}' % odd
    yield b'{"code":0,"data":{"cancel_id":"1"},"odd":%s}' % odd
    yield b'{"code":0,"data":{"cancel_id":"1"},"message":%s}' % odd
    yield b'{"code":0,"data":{"cancel_id":"1"},"request_id":%s}' % odd


@pytest.mark.parametrize("call", [cancel, cancel_raw])
@pytest.mark.parametrize("body", list(with_odd(DIGITS)))
async def test_a_number_of_thousands_of_digits_is_read(call: Call, body: bytes) -> None:
    response = await answered(call, body)
    assert "cancel_id" in str(response)
    assert response.raw == body
    assert response.json()["code"] == 0
    data = response.json()["data"]
    assert data["cancel_id"] == "1"
    if "odd" in data:
        assert data["odd"].text == DIGITS.decode()


async def test_a_number_of_thousands_of_digits_can_become_text() -> None:
    response = await answered(cancel, b'{"code":0,"data":{"cancel_id":%s}}' % DIGITS)
    assert response.data.cancel_id == DIGITS.decode()


@pytest.mark.parametrize("call", [cancel, cancel_raw])
@pytest.mark.parametrize("levels", [90, 300, 900, 980, 20_000])
async def test_what_is_nested_too_deeply_hides_nothing_else(call: Call, levels: int) -> None:
    for body in with_odd(nested(levels)):
        response = await answered(call, body)
        assert "cancel_id='1'" in repr(response) or "'cancel_id': '1'" in repr(response)
        assert response.raw == body
        assert len(response.message) < 20_000
        try:
            assert response.json()["code"] == 0
        except ResponseDecodeError as error:
            assert "nested" in error.message  # noqa: PT017 - either is right, by the stack's depth


@pytest.mark.parametrize(
    "levels",
    [
        pytest.param(
            980,
            marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python reads it"),
        ),
        20_000,
    ],
)
async def test_what_is_nested_too_deeply_is_reported_with_its_path(levels: int) -> None:
    """Of a raw call; a model has no field for it."""
    body = b'{"code":0,"data":{"odd":[1,%s]}}' % nested(levels)
    response = await answered(cancel_raw, body)
    (issue,) = response.issues
    assert issue.path.startswith("odd[1][0][0]")
    assert (issue.expected, issue.found) == ("at most 100 levels", "a value nested deeper")
    assert response.data["odd"][0] == 1


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
async def test_numbers_that_json_has_not_are_issues(literal: str) -> None:
    data = f'{{"cancel_id":{literal},"cancel_status":"DONE"}}'.encode()
    response = await answered(cancel, b'{"code":0,"data":%s}' % data)
    assert (response.data.cancel_id, response.data.cancel_status) == (None, "DONE")
    (issue,) = response.issues
    assert (issue.path, issue.expected, issue.found) == ("cancel_id", "string", literal)
    assert not math.isfinite(response.json()["data"]["cancel_id"])


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
async def test_numbers_that_json_has_not_are_issues_of_a_raw_call_too(literal: str) -> None:
    body = f'{{"code":0,"data":{{"a":[1,{{"b":{literal}}}],"c":2.5}}}}'.encode()
    response = await answered(cancel_raw, body)
    assert [(issue.path, issue.expected, issue.found) for issue in response.issues] == [
        ("a[1].b", "number", literal)
    ]


async def test_a_message_that_is_no_number_is_none() -> None:
    response = await answered(cancel, b'{"code":0,"message":NaN,"request_id":-Infinity}')
    assert (response.message, response.request_id) == ("", "")


async def test_texts_can_be_stored_whatever_characters_the_service_sent() -> None:
    """Half a surrogate pair has no UTF-8, so databases and logs refuse it."""
    body = rb'{"code":"0","message":"\ud83d","request_id":"r\udc00","data":{"cancel_id":"\ud800x"}}'
    response = await answered(cancel, body)
    assert (response.message, response.request_id) == ("\ufffd", "r\ufffd")
    odd = rb'"message":"a\u0000","request_id":"\u0000b"'
    nul = await answered(cancel, b'{"code":0,"data":{},%s}' % odd)
    assert (nul.message, nul.request_id) == ("a\ufffd", "\ufffdb")
    assert response.data.cancel_id == "\ufffdx"
    raw = await answered(cancel_raw, body)
    assert raw.data == {"cancel_id": "\ufffdx"}


@pytest.mark.parametrize("code", [b"0", b'"0"', b"0.0", b"-0"])
async def test_a_code_that_is_0_is_success(code: bytes) -> None:
    assert (await answered(cancel, b'{"code":%s,"data":{}}' % code)).code == 0


@pytest.mark.parametrize(
    "code", [b'"0_0"', b'""', b"false", b"[0]", b"NaN", DIGITS, b"0.5", b"1e300"]
)
async def test_a_code_that_is_no_integer_leaves_a_write_unknown(code: bytes) -> None:
    with pytest.raises(OutcomeUnknownError) as caught:
        await answered(cancel, b'{"code":%s,"data":{}}' % code)
    assert isinstance(caught.value.__cause__, ResponseDecodeError)


async def test_a_code_that_no_journal_can_keep_leaves_a_write_unknown() -> None:
    with pytest.raises(OutcomeUnknownError):
        await answered(cancel, b'{"code":%d,"message":"no"}' % 2**64)


# Content encodings --------------------------------------------------------------------------------

SUCCESS = b'{"code":0,"request_id":"r","data":{"cancel_id":"1","cancel_status":"DONE"}}'


MEMBERS = gzip.compress(SUCCESS[:9]) + gzip.compress(SUCCESS[9:])


def raw_deflate(body: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(body) + made.flush()


@pytest.mark.parametrize("call", [cancel, cancel_raw])
@pytest.mark.parametrize(
    ("encoding", "parts"),
    [
        ("gzip", [gzip.compress(SUCCESS)]),
        ("gzip", [gzip.compress(SUCCESS[:20]) + gzip.compress(SUCCESS[20:])]),
        ("gzip", [gzip.compress(SUCCESS[:20]), gzip.compress(b""), gzip.compress(SUCCESS[20:])]),
        ("gzip", [bytes([byte]) for byte in MEMBERS]),
        ("gzip", [gzip.compress(SUCCESS) + bytes(512)]),
        ("X-GZIP", [gzip.compress(SUCCESS)]),
        ("deflate", [zlib.compress(SUCCESS)]),
        ("deflate", [raw_deflate(SUCCESS)]),
        ("gzip, deflate", [zlib.compress(gzip.compress(SUCCESS))]),
        ("identity", [SUCCESS]),
        ("", [SUCCESS]),
        # Headers that say what is not so, as proxies write them.
        ("gzip", [SUCCESS]),
        ("deflate", [SUCCESS]),
        ("br", [SUCCESS]),
        ("utf-8", [SUCCESS]),
    ],
)  # fmt: skip
async def test_a_success_is_read_through_its_content_encoding(
    call: Call, encoding: str, parts: list[bytes]
) -> None:
    response = await answered(call, *parts, content_encoding=encoding)
    assert response.raw == SUCCESS
    assert response.request_id == "r"
    assert response.issues == ()


GZIPPED = gzip.compress(SUCCESS)
DAMAGED = {
    "truncated": ("gzip", GZIPPED[:-9]),
    "without its checksum": ("gzip", GZIPPED[:-8]),
    "wrong checksum": ("gzip", GZIPPED[:-8] + bytes(8)),
    "damaged inside": ("gzip", GZIPPED[:20] + bytes(4) + GZIPPED[24:]),
    "damaged second member": ("gzip", GZIPPED + GZIPPED[:12] + bytes(30)),
    "truncated deflate": ("deflate", zlib.compress(SUCCESS)[:-5]),
    "brotli": ("br", bytes(range(1, 100))),
    "zstd": ("zstd", b"\x28\xb5\x2f\xfd" + bytes(50)),
}


@pytest.mark.parametrize(("encoding", "body"), DAMAGED.values(), ids=DAMAGED)
async def test_a_damaged_content_encoding_leaves_a_write_unknown(
    encoding: str, body: bytes
) -> None:
    with pytest.raises(OutcomeUnknownError) as caught:
        await answered(cancel, body, content_encoding=encoding, x_tt_logid="log-7")
    cause = caught.value.__cause__
    assert isinstance(cause, ResponseDecodeError)
    assert encoding in cause.message
    assert (cause.http_status, cause.request_id) == (200, "log-7")
    assert "\\x" not in str(cause) and "\x00" not in str(cause)  # noqa: PT018 - no binary noise


@pytest.mark.parametrize("error", [httpx.ReadError("reset"), OSError(9, "closed"), ValueError()])
async def test_a_response_that_cannot_be_closed_is_a_response(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It has been read by then."""

    class Unclosable(Parts):
        async def aclose(self) -> None:
            raise error

    shop = RawShop()
    shop.body = Unclosable(SUCCESS)
    async with new_client(shop) as client:
        assert (await cancel(client)).raw == SUCCESS
    assert "failed to close a response" in caplog.text


async def test_a_hook_may_have_read_the_response() -> None:
    async def read(response: httpx.Response) -> None:
        await response.aread()

    for parts, headers in (((SUCCESS,), {}), ((GZIPPED,), {"content-encoding": "gzip"})):

        def answer(_: httpx.Request, parts: Any = parts, headers: Any = headers) -> httpx.Response:
            return httpx.Response(200, headers=headers, stream=Parts(*parts))

        hooks = {"response": [read]}
        transport = httpx.MockTransport(answer)
        async with (
            httpx.AsyncClient(transport=transport, event_hooks=hooks) as http_client,
            new_client(http_client=http_client) as client,
        ):
            assert (await cancel(client)).raw == SUCCESS


# Anything at all ----------------------------------------------------------------------------------


def written(fields: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}"


ODD_NUMBERS = st.sampled_from(
    ["NaN", "Infinity", "-Infinity", "1e999", "-0.0", "1.10", "9" * 5000, "-" + "9" * 700]
)
TEXTS = st.text(st.characters(codec=None), max_size=8).map(json.dumps) | st.sampled_from(
    ['"\\ud83d"', '"\\udc00\\ud83d"', '"\\u0000"', '"0"']
)
SCALARS = (
    st.sampled_from(["null", "true", "false"])
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | ODD_NUMBERS
    | TEXTS
    | st.sampled_from([85, 120, 980, 2000]).map(lambda levels: nested(levels).decode())
)
NAMES = st.sampled_from(["cancel_id", "cancel_status", "code", "data", "message", "x"])


def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arrays = st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
    return arrays | st.lists(st.tuples(NAMES, inner), max_size=4).map(written)


VALUES = st.recursive(SCALARS, containers, max_leaves=8)


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip, deflate": lambda body: zlib.compress(gzip.compress(body)),
    "br": bytes,
}


@settings(max_examples=300)
@given(
    fields=st.lists(
        st.tuples(st.sampled_from(["message", "request_id", "data", "x"]), VALUES), max_size=5
    ),
    place=st.integers(0, 5),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    bom=st.booleans(),
    call=st.sampled_from([cancel, cancel_raw]),
)
async def test_any_success_envelope_gives_a_response(
    fields: list[tuple[str, str]], place: int, encoding: str, bom: bool, call: Call
) -> None:
    fields.insert(place, ("code", "0"))
    body = b"\xef\xbb\xbf" * bom + written(fields).encode("utf-8", "surrogatepass")
    response = await answered(call, ENCODINGS[encoding](body), content_encoding=encoding)
    assert response.raw == body
    assert "code=0" in repr(response)
    (response.message + response.request_id).encode()
    try:
        assert response.json()["code"] == 0
    except ResponseDecodeError as error:
        assert "nested" in error.message  # noqa: PT017
    if call is cancel:
        for text in (response.data.cancel_id, response.data.cancel_status):
            assert text is None or text.encode() is not None
            assert text not in ("nan", "inf", "-inf")


@settings(max_examples=300)
@given(
    body=st.binary(max_size=200)
    | st.builds(lambda cut: SUCCESS[:cut], st.integers(0, len(SUCCESS)))
    | st.builds(
        lambda at, byte: GZIPPED[:at] + bytes([byte]) + GZIPPED[at + 1 :],
        st.integers(0, len(GZIPPED)),
        st.integers(0, 255),
    )
    | VALUES.map(lambda text: text.encode("utf-8", "surrogatepass")),
    encoding=st.sampled_from(["", "gzip", "deflate", "gzip, gzip", "br", "zstd", "x, \xff", ",,"]),
    status=st.sampled_from([200, 201, 204, 302, 400, 401, 403, 429, 500, 503]),
    call=st.sampled_from([cancel, cancel_raw]),
    retry_after=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=8),
)
async def test_any_bytes_give_a_response_or_one_of_our_errors(
    body: bytes, encoding: str, status: int, call: Call, retry_after: str
) -> None:
    headers = [
        (b"content-encoding", encoding.encode("latin-1")),
        (b"retry-after", retry_after.encode("latin-1")),
    ]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, stream=Parts(body))

    async with new_client(httpx.MockTransport(answer)) as client:
        error = None
        try:
            response = await call(client)
        except TikTokShopError as raised:
            error = raised
            is_clear = status >= 400 or isinstance(error, OutcomeUnknownError)
            str(error).encode()
        else:
            is_clear = status < 300 and response.code == 0
        assert is_clear or getattr(error, "code", 0) != 0
