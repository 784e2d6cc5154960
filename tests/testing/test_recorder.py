"""Recording and replay: what is recorded, what is masked, and which calls match."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ACCESS_TOKEN, SECRETS, SHOP_CIPHER, FakeShop, new_client

from tiktok_shop_async import AsyncTikTokShop, RateLimitError
from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_SHOP_CIPHER,
    Shop,
    create_app,
)
from tiktok_shop_async.testing import PERSONAL_FIELDS, NotRecordedError, record, replay

PICTURE = b"\x89PNG\r\n\x1a\n\x00\r\n\n\xff a picture"
PICTURE_OF_A_SHIRT = b"\xff\xd8\xff\xe0 a shirt"
REASON = "seller_cancel_reason_out_of_stock"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fixtures" / "calls.json"


def demo_client(transport: httpx.AsyncBaseTransport) -> AsyncTikTokShop:
    return AsyncTikTokShop(
        DEMO_APP_KEY,
        DEMO_APP_SECRET,
        access_token=DEMO_ACCESS_TOKEN,
        shop_cipher=DEMO_SHOP_CIPHER,
        transport=transport,
    )


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for child in value.values():
            yield from texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from texts(child)
    elif isinstance(value, str):
        yield value


def responses(path: Path) -> list[Any]:
    return [call["response"]["json"] for call in json.loads(path.read_text())["calls"]]


async def test_a_replay_responds_like_the_shop(path: Path) -> None:
    """Another day, with other credentials."""

    async def work(client: AsyncTikTokShop) -> list[Any]:
        page = await client.order.get_order_list(page_size=5, order_status="AWAITING_SHIPMENT")
        order_id = page.data.orders[0].id or ""
        before = await client.order.get_order_detail(ids=[order_id])
        done = await client.return_refund.cancel_order(order_id=order_id, cancel_reason=REASON)
        after = await client.order.get_order_detail(ids=[order_id])
        image = await client.product.upload_product_image(data=PICTURE_OF_A_SHIRT)
        return [
            before.data.orders[0].status,
            done.data.cancel_id,
            after.data.orders[0].update_time,
            image.data.uri,
            len({order.recipient_address.name for order in page.data.orders}),
        ]

    async with (
        record(path, transport=httpx.ASGITransport(create_app())) as recording,
        demo_client(recording) as client,
    ):
        recorded = await work(client)
    async with replay(path, all_used=True) as replaying, new_client(replaying) as client:
        assert await work(client) == recorded


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 100))
async def test_no_secret_and_nothing_personal_is_written(seed: int, size: int) -> None:
    app = create_app(orders=120, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.json"
        async with (
            record(path, transport=httpx.ASGITransport(app)) as recording,
            demo_client(recording) as client,
        ):
            await client.authorization.get_authorized_shops()
            page = await client.order.get_order_list(page_size=size)
            await client.order.get_order_detail(ids=[page.data.orders[0].id or ""])
            await client.return_refund.search_cancellations()
        written = path.read_text()
    for secret in (DEMO_APP_SECRET, DEMO_ACCESS_TOKEN, DEMO_SHOP_CIPHER, "timestamp", '"sign"'):
        assert secret not in written
    shop: Shop = app.state.market.shops[DEMO_SHOP_CIPHER]
    shown = set(texts(json.loads(written)))
    for order in shop.orders.values():
        buyer = order.buyer
        for personal in (buyer.email, buyer.phone_number, buyer.address_line, order.buyer_message):
            assert not personal or not any(personal in text for text in shown)
        assert shown.isdisjoint((buyer.first_name, buyer.last_name, buyer.city, buyer.postal_code))
        assert f"{buyer.first_name} {buyer.last_name}" not in written


async def test_equal_values_have_equal_masks_and_ids_stay(path: Path) -> None:
    buyer = {"first_name": "Ann", "phone_number": "+1 555", "region_code": "US", "name": "Ann"}
    order = {"id": "7", "user_id": "8", "buyer_email": "ann@shop.example", "is_cod": False}
    message = json.dumps({"content": "call me", "phone_number": "+1 555"})
    shop = FakeShop().answer(
        {
            "orders": [{**order, "recipient_address": buyer}, {**order, "id": "Ann"}],
            "text": message,
            "token": ACCESS_TOKEN,
            "said": f"not {ACCESS_TOKEN}!",
        }
    )
    async with record(path, transport=shop) as recording, new_client(recording) as client:
        await client.order.get_order_list(page_size=2)
    data = responses(path)[0]["data"]
    first, second = data["orders"]
    address = first["recipient_address"]
    assert (first["id"], first["user_id"], second["id"]) == ("7", "8", "Ann")
    assert first["buyer_email"] == second["buyer_email"]
    assert first["buyer_email"].endswith("@example.invalid")
    assert address["first_name"] == address["name"] != address["phone_number"]
    assert address["region_code"] == "US"
    assert first["is_cod"] is False
    assert json.loads(data["text"])["phone_number"] == address["phone_number"]
    assert data["said"] == f"not {data['token']}!"
    assert not any(secret in path.read_text() for secret in (*SECRETS, "call me", "555"))


async def test_secrets_are_masked_in_encoded_forms_too(path: Path) -> None:
    """As in a message that quotes a URL, or JSON within JSON."""
    cipher = "ROW_ci+pher/8Yx=&%"

    def answer(request: httpx.Request) -> httpx.Response:
        message = f"{request.url} {json.dumps(json.dumps({'x': cipher}))} {quote(cipher)}"
        return httpx.Response(200, json={"code": 0, "message": message, "data": {}})

    async with (
        record(path, transport=httpx.MockTransport(answer)) as transport,
        new_client(transport, shop_cipher=cipher) as client,
    ):
        await client.order.get_order_detail(ids=["1"])
    kept = path.read_text()
    assert "ci+pher" not in kept
    assert "ci%2Bpher" not in kept


async def test_more_names_can_be_masked(path: Path) -> None:
    shop = FakeShop().answer({"gift_note": "Happy birthday"})
    fields = PERSONAL_FIELDS | {"gift_note"}
    async with (
        record(path, transport=shop, personal_fields=fields) as recording,
        new_client(recording) as client,
    ):
        await client.authorization.get_authorized_shops()
    assert responses(path)[0]["data"] == {"gift_note": "masked-1"}


async def test_arguments_that_were_masked_fit_what_is_sent(path: Path) -> None:
    async def call(client: AsyncTikTokShop, note: str) -> Any:
        body = {"content": json.dumps({"content": note}), "order": ["1"]}
        return await client.request("POST", "/a/202309/b", body=body)

    shop = FakeShop().answer({"ok": True})
    async with record(path, transport=shop) as recording, new_client(recording) as client:
        await call(client, "for Ann")
    assert "Ann" not in path.read_text()
    async with new_client(replay(path)) as client:
        assert (await call(client, "for Bob")).data == {"ok": True}


async def test_equal_files_come_from_equal_traffic(path: Path, tmp_path: Path) -> None:
    """Credentials, times and the order of different questions do not show."""
    texts = []
    for shop_cipher, ids in ((SHOP_CIPHER, ("1", "2", "1")), ("another-cipher", ("2", "1", "1"))):
        shop = FakeShop().answer({"orders": []})
        async with (
            record(path, transport=shop) as recording,
            new_client(recording, shop_cipher=shop_cipher) as client,
        ):
            for order_id in ids:
                await client.order.get_order_detail(ids=[order_id])
        texts.append(path.read_text())
    assert texts[0] == texts[1]
    assert [file.name for file in path.parent.iterdir()] == ["calls.json"]


async def test_equal_calls_are_replayed_in_recorded_order_and_not_more_often(path: Path) -> None:
    shop = FakeShop().answer({"n": 1})
    shop.answer_raw(b'{"code":36009002,"message":"slow down"}', 429, retry_after="7")
    async with record(path, transport=shop) as recording, new_client(recording) as client:
        await client.request("GET", "/a/202309/b")
        with pytest.raises(RateLimitError):
            await client.request("GET", "/a/202309/b")
    async with new_client(replay(path)) as client:
        assert (await client.request("GET", "/a/202309/b")).data == {"n": 1}
        with pytest.raises(RateLimitError) as caught:
            await client.request("GET", "/a/202309/b")
        assert caught.value.retry_after == 7
        with pytest.raises(NotRecordedError, match=r"more often than .*calls.json has it: 2"):
            await client.request("GET", "/a/202309/b")


async def test_the_error_names_a_request_that_was_not_recorded(path: Path) -> None:
    shop = FakeShop().answer({"orders": []})
    async with record(path, transport=shop) as recording, new_client(recording) as client:
        await client.order.get_order_detail(ids=["1"])
    async with new_client(replay(path, ignore=["ids"])) as client:
        await client.order.get_order_detail(ids=["3"])
    async with new_client(replay(path)) as client:
        with pytest.raises(NotRecordedError, match=r"get_order_detail .*ids='2'(.|\n)*ids='1'"):
            await client.order.get_order_detail(ids=["2"])
        with pytest.raises(NotRecordedError, match="no call of this operation"):
            await client.authorization.get_authorized_shops()
    with pytest.raises(NotRecordedError, match=r"not made:\n  order.get_order_detail"):
        async with replay(path, all_used=True):
            pass


async def test_bodies_that_are_not_json_are_replayed_unchanged(path: Path) -> None:
    shop = FakeShop()
    bodies = (PICTURE, b"<html>no answer</html>")
    for body in bodies:
        shop.answer_raw(body)
    async with (
        record(path, transport=shop) as recording,
        httpx.AsyncClient(transport=recording) as client,
    ):
        for _ in bodies:
            await client.get("http://shop.example/file")
    async with httpx.AsyncClient(transport=replay(path)) as client:
        received = [(await client.get("http://shop.example/file")).content for _ in bodies]
    assert tuple(received) == bodies


async def test_an_error_that_the_code_under_test_catches_fails_the_block(path: Path) -> None:
    async def block() -> None:
        async with replay(path) as replaying, new_client(replaying) as client:
            with contextlib.suppress(Exception):
                await client.authorization.get_authorized_shops()

    async with record(path, transport=FakeShop()):
        pass
    with pytest.raises(NotRecordedError, match="get_authorized_shops"):
        await block()


async def test_files_are_distinguished_by_their_digest(path: Path) -> None:
    shop = FakeShop().answer({"uri": "1"})
    async with record(path, transport=shop) as recording, new_client(recording) as client:
        await client.product.upload_product_image(data=PICTURE, use_case="MAIN_IMAGE")
    form = json.loads(path.read_text())["calls"][0]["request"]["form"]
    assert (form["use_case"], form["data"]["bytes"]) == ("MAIN_IMAGE", len(PICTURE))
    async with new_client(replay(path)) as client:
        with pytest.raises(NotRecordedError):
            await client.product.upload_product_image(data=b"other", use_case="MAIN_IMAGE")
        await client.product.upload_product_image(data=PICTURE, use_case="MAIN_IMAGE")


async def test_a_failed_block_leaves_the_last_recording(path: Path) -> None:
    async def run(shop: FakeShop) -> None:
        async with record(path, transport=shop) as recording, new_client(recording) as client:
            await client.authorization.get_authorized_shops()

    await run(FakeShop().answer({}))
    before = path.read_text()
    with pytest.raises(Exception, match="broke"):
        await run(FakeShop().fail(httpx.ReadError("broke")))
    assert path.read_text() == before


async def test_outside_a_block_closing_the_client_writes(path: Path) -> None:
    async with new_client(record(path, transport=FakeShop().answer({}))) as client:
        await client.authorization.get_authorized_shops()
    assert len(responses(path)) == 1
