"""Any path can be called, signed like the operations of the catalogue."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from signatures import expected_signature, sent_signature
from support import APP_SECRET, CATEGORY_ASSET_CIPHER, SHOP_CIPHER, FakeShop, new_client

from tiktok_shop_async import (
    AsyncTikTokShop,
    AuthState,
    InvalidArgumentError,
    OutcomeUnknownError,
    RequestOptions,
    TransportError,
)
from tiktok_shop_async.registry import find_operation_at


async def test_a_known_path_is_sent_as_its_operation_would_be(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({"cancel_id": "7"})
    response = await client.request(
        "POST",
        "/return_refund/202309/cancellations",
        query={"dry": True},
        body={"order_id": "1", "note": None},
        options=RequestOptions(extra_headers={"X-Trace": "7"}),
    )
    assert response.data == {"cancel_id": "7"}
    assert response.operation == "POST /return_refund/202309/cancellations"
    assert shop.last.url.path == "/return_refund/202309/cancellations"
    assert shop.last.url.params["dry"] == "true"
    assert shop.last.url.params["shop_cipher"] == SHOP_CIPHER
    assert shop.last_json == {"order_id": "1", "note": None}
    assert sent_signature(shop.last) == expected_signature(shop.last, APP_SECRET)


@pytest.mark.parametrize(
    ("path", "cipher", "sent"),
    [
        ("/authorization/202309/shops", "auto", {}),
        ("/authorization/202309/shops", "shop_cipher", {"shop_cipher": SHOP_CIPHER}),
        ("/order/202309/orders", "none", {}),
        ("/new_group/203001/things", "auto", {"shop_cipher": SHOP_CIPHER}),
        ("/new_group/203001/things", "category_asset_cipher",
         {"category_asset_cipher": CATEGORY_ASSET_CIPHER}),
    ],
)  # fmt: skip
async def test_the_cipher_follows_the_catalogue_or_the_caller(
    client: AsyncTikTokShop, shop: FakeShop, path: str, cipher: Any, sent: dict[str, str]
) -> None:
    shop.answer([1, None])
    response = await client.request("GET", path, cipher=cipher)
    params = shop.last.url.params
    assert {name: params[name] for name in params if name.endswith("cipher")} == sent
    assert response.data == [1, None]
    assert shop.last.content == b""


async def test_without_a_shop_an_unknown_path_gets_no_cipher(shop: FakeShop) -> None:
    shop.answer()
    async with new_client(shop, auth=AuthState(access_token="t")) as client:
        response = await client.request("GET", "/new_group/203001/things")
    assert "shop_cipher" not in shop.last.url.params
    assert response.data is None


async def test_effects_follow_the_catalogue(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.fail(httpx.ReadError("reset"))
    with pytest.raises(TransportError):  # a search is a POST, but a read
        await client.request("POST", "/order/202309/orders/search", body={})
    for path in ("/return_refund/202309/cancellations", "/new_group/203001/things"):
        with pytest.raises(OutcomeUnknownError):
            await client.request("POST", path, body={})


async def test_files_make_a_form(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer({})
    await client.request(
        "POST", "/new_group/203001/images", body={"use": "MAIN"}, files={"data": b"picture"}
    )
    assert shop.last.headers["content-type"].startswith("multipart/form-data")
    assert b"picture" in shop.last.content
    assert sent_signature(shop.last) == expected_signature(shop.last, APP_SECRET)


@pytest.mark.parametrize("path", ["orders", "/a/../b", "/a?x=1", "/a#b", "https://x.example/a"])
async def test_what_is_no_plain_path_is_refused(
    client: AsyncTikTokShop, shop: FakeShop, path: str
) -> None:
    with pytest.raises(InvalidArgumentError, match="path must start with a slash"):
        await client.request("GET", path)
    assert not shop.requests


async def test_odd_characters_in_a_path_are_encoded_and_signed_decoded(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    await client.request("GET", "/new_group/203001/things/ä b+%")
    assert shop.last.url.raw_path.startswith(b"/new_group/203001/things/%C3%A4%20b%2B%25?")
    assert sent_signature(shop.last) == expected_signature(shop.last, APP_SECRET)


def test_a_fixed_path_goes_before_one_with_an_id_in_its_place() -> None:
    found = find_operation_at("GET", "/product/202606/skpps/sum")
    assert found is not None
    assert found.id == "product.get_shop_skpp_summary"


@pytest.mark.parametrize("name", ["sign", "timestamp", "app_key", "access_token"])
async def test_a_raw_query_cannot_have_what_is_signed_anew_for_every_attempt(
    client: AsyncTikTokShop, shop: FakeShop, name: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=name) as caught:
        await client.request("GET", "/new_group/203001/things", query={name: "1"})
    assert caught.value.argument == "query"
    assert not shop.requests


async def test_a_known_form_stays_one_without_a_file(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    await client.request(
        "POST",
        "/return_refund/202405/returns/shipping_documents",
        query={"return_ids": ["1"]},
        body={"return_provider_id": "1", "tracking_number": "2"},
    )
    assert shop.last.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert sent_signature(shop.last) == expected_signature(shop.last, APP_SECRET)


async def test_a_method_may_be_written_in_lower_case(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    method: Any = "post"
    await client.request(method, "/order/202309/orders/search", body={})
    assert shop.last.method == "POST"
    assert sent_signature(shop.last) == expected_signature(shop.last, APP_SECRET)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": 5},
        {"method": ""},
        {"method": "GE T"},
        {"path": None},
        {"path": b"/order/202309/orders"},
        {"query": "ids=1"},
        {"query": [("ids", "1")]},
        {"query": {1: "1"}},
        {"body": [1]},
        {"body": b"{}"},
        {"files": b"x"},
        {"cipher": "shop"},
    ],
    ids=repr,
)
async def test_arguments_of_a_wrong_type_are_rejected_by_name(
    client: AsyncTikTokShop, shop: FakeShop, wrong: dict[str, Any]
) -> None:
    arguments: dict[str, Any] = {"method": "POST", "path": "/order/202309/orders"} | wrong
    (name,) = wrong
    with pytest.raises(InvalidArgumentError, match=name):
        await client.request(arguments.pop("method"), arguments.pop("path"), **arguments)
    assert not shop.requests
