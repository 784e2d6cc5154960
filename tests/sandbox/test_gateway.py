"""What stands before every operation: each check, at the wire."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sandbox.wire import CANCEL, NOW, ORDERS, SEARCH_ORDERS, SHOPS, UPLOAD, Clock, Wire
from starlette.applications import Starlette

from tiktok_shop_async.registry import operations
from tiktok_shop_async.sandbox import (
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_CREATOR_TOKEN,
    DEMO_EXPIRED_TOKEN,
    DEMO_SHOP_CIPHER,
    AccessToken,
    App,
    Market,
    Shop,
    UserType,
    create_app,
)
from tiktok_shop_async.spec.signature_verifier import SignatureVerifier

CIPHER = {"shop_cipher": DEMO_SHOP_CIPHER}


def test_the_published_signature_is_the_expected_one() -> None:
    """The example of the platform's page about signing."""
    query = [("timestamp", "1623812664"), ("app_key", "29a39d")]
    expected = SignatureVerifier("e59af819cc").expected("/authorization/202309/shops", query, b"")
    assert expected == "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8"


async def test_the_published_request_is_admitted_as_it_stands() -> None:
    """The same example sent over the wire, to a shop whose clock stands at its time."""
    clock = Clock()
    clock.now = 1623812664.0
    shop = Shop(id="1", name="A shop", cipher="C", clock=clock)
    token = AccessToken(value="t", app_key="29a39d", shop_ciphers=frozenset({"C"}))
    market = Market([App("29a39d", "e59af819cc")], [token], [shop])
    transport = httpx.ASGITransport(create_app(market=market, clock=clock))
    sign = "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8"
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        response = await client.get(
            f"{SHOPS}?app_key=29a39d&timestamp=1623812664&sign={sign}",
            headers={"x-tts-access-token": "t"},
        )
    assert response.json()["data"]["shops"][0]["id"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "parts", "status", "code", "word"),
    [
        ("GET", "/nothing/202309/here", {}, 404, 36009009, "path"),
        ("GET", "/order/202309", {}, 404, 36009009, "path"),
        ("GET", "/", {}, 404, 36009009, "path"),
        ("GET", "/authorization/202001/shops", {}, 404, 36009014, "version"),
        ("GET", CANCEL, {}, 405, 36009010, "method"),
        ("GET", SHOPS, {"query": {"app_key": None}}, 400, 36009004, "app_key"),
        ("GET", SHOPS, {"query": {"app_key": "another"}}, 400, 36009004, "app_key"),
        ("GET", SHOPS, {"query": {"timestamp": None}}, 400, 36009004, "timestamp"),
        ("GET", SHOPS, {"query": {"timestamp": "soon"}}, 400, 36009004, "timestamp"),
        ("GET", SHOPS, {"query": {"timestamp": NOW - 301}}, 400, 36009004, "timestamp"),
        ("GET", SHOPS, {"query": {"timestamp": NOW + 31}}, 400, 36009004, "timestamp"),
        ("GET", SHOPS, {"query": {"sign": None}}, 400, 36009004, "sign"),
        ("GET", SHOPS, {"query": {"sign": "é"}}, 401, 106001, "signature"),
        ("GET", SHOPS, {"app_secret": "wrong"}, 401, 106001, "signature"),
        (
            "GET",
            SHOPS,
            {"headers": {"x-tts-access-token": None}},
            400,
            36009004,
            "x-tts-access-token",
        ),
        ("GET", SHOPS, {"headers": {"x-tts-access-token": "stray"}}, 401, 105001, "invalid"),
        (
            "GET",
            SHOPS,
            {"headers": {"x-tts-access-token": DEMO_EXPIRED_TOKEN}},
            401,
            105002,
            "expired",
        ),
        (
            "GET",
            SHOPS,
            {"headers": {"x-tts-access-token": DEMO_CREATOR_TOKEN}},
            403,
            101000,
            "seller",
        ),
        ("GET", "/authorization/202405/category_assets", {}, 403, 101000, "partner"),
        ("GET", ORDERS, {"query": {"ids": "1"}}, 400, 106013, "shop_cipher"),
        ("GET", ORDERS, {"query": {"shop_cipher": "stray", "ids": "1"}}, 403, 101000, "shop"),
        ("GET", SHOPS, {"query": CIPHER}, 400, 36009004, "shop_cipher"),
        (
            "GET",
            ORDERS,
            {"query": {**CIPHER, "category_asset_cipher": "x", "ids": "1"}},
            400,
            36009004,
            "category_asset_cipher",
        ),
        ("GET", ORDERS, {"query": CIPHER}, 400, 36009004, "ids"),
        ("POST", CANCEL, {"query": CIPHER}, 400, 36009004, "order_id is required"),
        ("POST", CANCEL, {"query": CIPHER, "data": {"a": "b"}}, 415, 36009022, "application/json"),
        ("POST", CANCEL, {"query": CIPHER, "json": [1]}, 400, 36009023, "JSON"),
        ("POST", UPLOAD, {"json": {"a": "b"}}, 415, 36009022, "multipart/form-data"),
        (
            "POST",
            CANCEL,
            {
                "query": CIPHER,
                "content": b'{"order_id": "7',
                "headers": {"content-type": "application/json"},
            },
            400,
            36009023,
            "JSON",
        ),
        (
            "POST",
            CANCEL,
            {
                "query": CIPHER,
                "content": b'"\xff"',
                "headers": {"content-type": "application/json; charset=utf-8"},
            },
            400,
            36009023,
            "JSON",
        ),
    ],
)
async def test_a_faulty_request_is_refused_with_its_code(
    wire: Wire, method: str, path: str, parts: dict[str, Any], status: int, code: int, word: str
) -> None:
    """Status and code as documented or chosen, and words that name what is wrong."""
    response = await wire.send(method, path, **parts)
    envelope = response.json()
    assert (response.status_code, envelope["code"]) == (status, code)
    assert word in envelope["message"]
    assert envelope["data"] is None


@pytest.mark.parametrize("seconds", [-300, 30])
async def test_a_timestamp_at_the_edge_of_its_window_is_taken(wire: Wire, seconds: int) -> None:
    """5 minutes back and 30 seconds ahead still belong to it."""
    response = await wire.send("GET", SHOPS, query={"timestamp": NOW + seconds})
    assert response.status_code == 200


async def test_an_uppercase_signature_is_refused(wire: Wire) -> None:
    """Only lowercase hex is a signature."""
    right = (await wire.send("GET", SHOPS)).request.url.params["sign"]
    response = await wire.send("GET", SHOPS, query={"sign": right.upper()})
    assert response.json()["code"] == 106001


@pytest.mark.parametrize(
    "change",
    [
        lambda request: request.url.copy_merge_params({"extra": "1"}),
        lambda request: request.url.copy_merge_params({"shop_cipher": "other"}),
        lambda request: request.url.copy_with(path="/authorization/202405/category_assets"),
    ],
)
async def test_any_change_after_signing_is_noticed(wire: Wire, change: Any) -> None:
    """Path and query are signed."""
    request = (await wire.send("GET", SHOPS)).request
    request.url = change(request)
    assert (await wire.http.send(request)).json()["code"] == 106001


async def test_a_body_changed_after_signing_is_noticed(wire: Wire) -> None:
    """The body's bytes are signed, so equal JSON with another space is another request."""
    query = {**CIPHER, "page_size": 10}
    url = (await wire.send("POST", SEARCH_ORDERS, query=query, json={})).request.url
    headers = {"x-tts-access-token": "SANDBOX_seller-token-7b29"}
    response = await wire.http.post(
        url, content=b"{ }", headers={**headers, "content-type": "application/json"}
    )
    assert response.json()["code"] == 106001


async def test_the_access_token_in_the_query_is_not_signed(wire: Wire) -> None:
    """Older clients send it there too."""
    response = await wire.send("GET", SHOPS, query={"access_token": "whatever"})
    assert response.json()["code"] == 0


async def test_odd_text_in_the_query_is_signed_decoded(wire: Wire) -> None:
    """Reserved and non-ASCII characters, encoded on the wire."""
    query = {**CIPHER, "ids": "a+b /=&ü%", "access_token": ""}
    envelope = (await wire.send("GET", ORDERS, query=query)).json()
    assert (envelope["code"], envelope["data"]) == (0, {"orders": []})


async def test_a_body_that_is_announced_too_large_is_refused_unread(wire: Wire) -> None:
    response = await wire.send("POST", CANCEL, query=CIPHER, content=b"x" * (4 * 1024 * 1024 + 1))
    assert (response.status_code, response.json()["code"]) == (413, 36009021)


async def test_a_body_that_grows_too_large_is_refused(wire: Wire) -> None:
    """Also where no length was announced."""

    async def endless() -> Any:
        while True:
            yield b"x" * 1024 * 1024

    url = (await wire.send("POST", CANCEL, query=CIPHER, json={})).request.url
    response = await wire.http.post(url, content=endless())
    assert response.json()["code"] == 36009021


async def test_a_response_repeats_half_a_surrogate_pair_as_an_escape(wire: Wire) -> None:
    """JSON can write one, but UTF-8 cannot encode it: what is kept and shown names it instead."""
    headers = {"content-type": "application/json"}
    response = await wire.send(
        "POST", CANCEL, query=CIPHER, content=rb'{"\ud800": 1}', headers=headers
    )
    answer = response.json()
    assert (answer["code"], r"\ud800" in answer["message"]) == (36009004, True)


async def test_every_answer_has_a_request_id_of_its_own(wire: Wire) -> None:
    """In the envelope, and as a header for those who log headers only."""
    answers = [await wire.send("GET", path) for path in (SHOPS, SHOPS, "/nothing")]
    ids = [answer.json()["request_id"] for answer in answers]
    assert len(set(ids)) == 3
    assert [answer.headers["x-tts-logid"] for answer in answers] == ids


async def test_a_partners_operation_takes_the_other_cipher() -> None:
    """It needs one, needs a partner's token, and wants no shop."""
    clock = Clock()
    token = AccessToken(value="partner", app_key=DEMO_APP_KEY, user_type=UserType.PARTNER)
    market = Market([App(DEMO_APP_KEY, DEMO_APP_SECRET)], [token], [])
    wire = Wire(create_app(market=market, clock=clock), clock)
    operation = next(o for o in operations("affiliate_partner") if o.cipher and not o.required)
    path = operation.path.replace("{version}", operation.versions[-1])
    codes = {}
    async with wire.http:
        for cipher in (None, "asset"):
            response = await wire.send(
                operation.method,
                path,
                query={"category_asset_cipher": cipher},
                headers={"x-tts-access-token": "partner"},
            )
            codes[cipher] = response.json()["code"]
    assert codes == {None: 106013, "asset": 0}


async def test_a_fault_of_the_sandbox_is_an_envelope_too(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception reaches the client as the platform's internal error."""
    monkeypatch.setattr(
        "tiktok_shop_async.sandbox.http.operation_endpoint.handle", lambda *_: 1 / 0
    )
    app: Starlette = wire.http._transport.app  # type: ignore[attr-defined]
    wire.http._transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    response = await wire.send("GET", SHOPS)
    assert (response.status_code, response.json()["code"]) == (500, 36009003)


async def test_a_client_that_leaves_gets_no_answer() -> None:
    """Its request was never complete, so nothing is played."""
    app = create_app(orders=0)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": SHOPS,
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    await app(scope, receive, send)
    assert sent == []


async def test_a_repeated_parameter_is_refused(wire: Wire) -> None:
    """A list is one value; which of several would count, nobody says."""
    path = f"{ORDERS}?ids=1&ids=2"
    answer = (await wire.http.get(f"{path}&app_key={DEMO_APP_KEY}")).json()
    assert (answer["code"], "ids is repeated" in answer["message"]) == (36009004, True)
