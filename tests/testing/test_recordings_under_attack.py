"""Recordings of hostile and unusual traffic: nothing leaks, and a replay finds its own requests."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import envelope

from tiktok_shop_async.testing import PERSONAL_FIELDS, SECRET_FIELDS, record, replay

ORDERS = "https://shop.example/order/202309/orders"
SEARCH = "https://shop.example/affiliate_seller/202508/marketplace_creators/search"
Call = tuple[str, dict[str, Any]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.json"


async def send(transport: httpx.AsyncBaseTransport, *calls: Call) -> list[Any]:
    async with transport, httpx.AsyncClient(transport=transport) as client:
        return [(await client.post(url, **call)).json()["data"] for url, call in calls]


async def recorded(path: Path, *calls: Call, data: Any = None, **options: Any) -> list[Any]:
    """Record ``calls``; each response has ``data``, or else the number of its call."""
    sent = iter(range(len(calls)))

    def answer(_: httpx.Request) -> httpx.Response:
        number = next(sent)
        return httpx.Response(200, json=envelope({"call": number} if data is None else data))

    await send(record(path, transport=httpx.MockTransport(answer), **options), *calls)
    return list(json.loads(path.read_text())["calls"])


async def data_recorded(path: Path, data: Any, **options: Any) -> Any:
    (call,) = await recorded(path, (ORDERS, {}), data=data, **options)
    return call["response"]["json"]["data"]


@pytest.mark.parametrize(
    "order",
    [
        {"channel_entity_national_registry_id": "26.545.167/0001-21"},
        {"tax_info": {"tax_id": "26.545.167/0001-21"}},
        {"recipient_address": {"national_id": "26.545.167/0001-21"}},
    ],
)
async def test_identity_and_tax_numbers_are_personal_although_they_are_ids(
    path: Path, order: dict[str, Any]
) -> None:
    await data_recorded(path, {"orders": [order]})
    assert "26.545.167" not in path.read_text()


async def test_all_of_an_object_under_a_secrets_name_is_masked(path: Path) -> None:
    secret = {"value": "s3cret-value", "more": [{"pem": "k3y-of-the-shop"}], "as_json": '{"a":"b"}'}
    data = {"wallet": secret, "elsewhere": "s3cret-value, k3y-of-the-shop"}
    fields = SECRET_FIELDS | {"wallet"}
    found = await data_recorded(path, data, secret_fields=fields)
    assert "s3cret-value" not in path.read_text()
    assert "k3y-of-the-shop" not in path.read_text()
    assert found["elsewhere"].count("masked-") == 2


async def test_signatures_of_links_that_no_response_had_are_not_written(path: Path) -> None:
    query = {
        "X-Amz-Signature": "abcdef0123456789",
        "X-Amz-Security-Token": "security-token",
        "X-Amz-Credential": "AKIAEXAMPLE/20261128",
        "Signature": "qwertyuiop",
        "OSSAccessKeyId": "access-key-id",
        "page_token": "next-page-1",
    }
    url = "https://files.example/o/1.png"
    await recorded(path, (url, {"params": query}))
    text = path.read_text()
    assert [value for value in query.values() if value in text] == ["next-page-1"]
    other = dict.fromkeys(query, "another") | {"page_token": "next-page-1"}
    assert await send(replay(path), (url, {"params": other})) == [{"call": 0}]


async def test_requests_that_differ_only_in_masked_text_are_replayed_in_order(path: Path) -> None:
    calls = [(SEARCH, {"json": {"keyword": keyword}}) for keyword in ("zed", "mia", "ann")]
    await recorded(path, *calls)
    assert await send(replay(path), *calls) == [{"call": 0}, {"call": 1}, {"call": 2}]


@pytest.mark.parametrize(
    "arguments",
    [
        {"recipient_address": {"floor": 3}},
        {"detail": 5, "phone": 7},
        {"target_collaboration": {"message": 12}},
        {"gift_value": 5550001},
        {"wallet": {"pin": 1234}},
    ],
)
async def test_a_request_whose_numbers_were_masked_is_found(
    path: Path, arguments: dict[str, Any]
) -> None:
    call = (ORDERS, {"json": arguments})
    (written,) = await recorded(
        path,
        call,
        personal_fields=PERSONAL_FIELDS | {"gift_value"},
        secret_fields=SECRET_FIELDS | {"wallet"},
    )
    assert written["request"]["json"] != arguments
    assert await send(replay(path), call) == [{"call": 0}]


async def test_a_name_that_a_query_or_form_repeats_keeps_all_its_values(path: Path) -> None:
    calls: list[Call] = [
        (ORDERS, {"params": [("ids", "2"), ("ids", "3")]}),
        (ORDERS, {"params": [("ids", "1"), ("ids", "3")]}),
        (ORDERS, {"data": {"ids": ["2", "3"]}}),
        (ORDERS, {"data": {"ids": ["1", "3"]}}),
    ]
    await recorded(path, *calls)
    found = await send(replay(path), *reversed(calls))
    assert found == [{"call": 3}, {"call": 2}, {"call": 1}, {"call": 0}]


async def test_personal_numbers_do_not_change_sums_and_dates(path: Path) -> None:
    measured = {
        "amount": "1000000",
        "sale_price": "1000000.00",
        "total_amount": "-1000000",
        "start_date": "2024-01-05",
        "end_date_lt": "2024-01-05",
        "timezone": "Europe/London",
        "currency": "BRL",
    }
    person = {
        "tax_number": "1000000",
        "buyer_message": "2024-01-05",
        "city": "London",
        "nickname": "BRL",
    }
    found = await data_recorded(path, {**measured, "person": person, "say": "tel 1000000"})
    assert {name: found[name] for name in measured} == measured
    assert found["say"].startswith("tel masked-")


async def test_a_text_of_many_masks_is_compared_in_no_time(path: Path) -> None:
    addresses = [f"person{number}@mail.example" for number in range(40)]
    note = " ".join(addresses) + " end"
    await recorded(
        path, (ORDERS, {"json": {"buyer_emails": addresses, "memo": note}, "params": {"a": 1}})
    )
    began = time.process_time()
    with pytest.raises(AssertionError):
        await send(
            replay(path),
            (ORDERS, {"json": {"buyer_emails": addresses, "memo": "b " * 60}, "params": {"a": 1}}),
        )
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "5",
        '{"calls": 5}',
        '{"calls": [5]}',
        '{"calls": [{}]}',
        '{"calls": [{"request": {}, "response": {}}]}',
    ],
)
def test_a_damaged_recording_is_named(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ValueError, match=r"calls\.json is not a recording"):
        replay(path)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
async def test_a_recording_has_the_permissions_of_any_new_file(path: Path) -> None:
    other = path.with_name("other.txt")
    other.touch()
    await recorded(path, (ORDERS, {}))
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


async def test_headers_that_a_response_repeats_stay_apart(path: Path) -> None:
    headers = [("set-cookie", "a=1"), ("set-cookie", "b=2")]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, json={}))
    async with (
        record(path, transport=transport) as recording,
        httpx.AsyncClient(transport=recording) as client,
    ):
        response = await client.get(ORDERS)
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


async def test_long_personal_text_is_found_in_any_case(path: Path) -> None:
    """Carriers write names in capitals, and mail servers write addresses in small letters."""
    data = {
        "full_name": "Zoë Quill",
        "email": "Zoe.Q@Mail.example",
        "city": "Bath",
        "label": "TO: ZOË QUILL (zoe.q@mail.example)",
        "title": "bath towel",
        "İİ zoë quill": 1,
    }
    found = await data_recorded(path, data)
    assert found["label"] == f"TO: {found['full_name']} ({found['email']})"
    assert found["title"] == "bath towel"
    assert "quill" not in path.read_text().lower()
