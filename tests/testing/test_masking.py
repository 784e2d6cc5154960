"""Masking in recordings: personal fields, equal text elsewhere, unusual bodies, and types."""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from support import envelope, new_client
from test_every_operation import OPERATIONS, arguments, method

from tiktok_shop_async import RequestOptions, TikTokShopError
from tiktok_shop_async.pipeline.arguments.values import plain
from tiktok_shop_async.testing import example_response, record, replay
from tiktok_shop_async.testing.recording.text_finder import TextFinder

GROUPS: dict[str, list[str]] = defaultdict(list)
for operation_id in OPERATIONS:
    GROUPS[operation_id.partition(".")[0]].append(operation_id)

NAME = 'Zoé "Zo" O\'Neil'
ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent-encoded": quote,
    "percent-encoded twice": lambda text: quote(quote(text)),
    "in a query": quote_plus,
    "in lower case": lambda text: quote(text).replace("%C3%A9", "%c3%a9"),
    "escaped": json.dumps,
    "escaped twice": lambda text: json.dumps(json.dumps(text)),
    "escaped by Python": lambda text: ascii(f"{text}\n"),
    "in HTML": lambda text: text.replace('"', "&quot;").replace("'", "&#39;"),
    "in HTML by number": lambda text: text.replace("é", "&#233;"),
    "in percent-encoded Latin-1": lambda text: quote(text, encoding="latin-1"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.json"


async def recorded(path: Path, response: bytes | Any, **headers: str) -> Any:
    """Record one call with a response, and return the response in the recording."""
    body = response if isinstance(response, bytes) else json.dumps(envelope(response)).encode()
    headers = {"content-type": "application/json"} | headers

    async with (
        record(
            path,
            transport=httpx.MockTransport(
                lambda _: httpx.Response(200, headers=headers, content=body)
            ),
        ) as transport,
        httpx.AsyncClient(transport=transport) as client,
    ):
        await client.get("https://shop.example/order/202309/orders")
    return json.loads(path.read_text())["calls"][0]["response"]


async def replayed(path: Path) -> httpx.Response:
    async with httpx.AsyncClient(transport=replay(path)) as client:
        return await client.get("https://shop.example/order/202309/orders")


CONVERSATION = {
    "messages": [
        {
            "id": "7494560109732334263",
            "type": "TEXT",
            "content": '{"content": "please call Ann Smith"}',
            "plaintext": "please call Ann Smith",
            "create_time": 1691411573,
            "sender": {"nickname": "annie", "avatar": "https://img.example/ann", "role": "BUYER"},
        }
    ]
}
TAX = {
    "tax_information": {
        "business_entity": {
            "business_name": "Smith and Sons",
            "branch_number": "0042",
            "organization_level": "BRANCH",
        },
        "tax_numbers": [{"tax_number": "MX123212", "type": "VAT", "status": "APPROVED"}],
    }
}
PEOPLE = {
    "orders": [{"seller_note": "gift for Ann", "buyer_message": "ring twice"}],
    "responsible_persons": [{"id": "5", "name": "Ann Smith", "email": "ann@mail.example"}],
    "pharmacies": [
        {
            "license_number": "123.1/209",
            "warehouse_id": "18297286",
            "pharmacist": {"name": "Bob Miller", "practice_license_number": "19990106/SIPA"},
        }
    ],
    "creators": [{"creator_name": "dancing_bob", "username": "bobby", "nick_name": "B."}],
    "products": [{"name": "Blue Shirt", "brand": {"name": "Smiths"}}],
    "shops": [{"name": "Shirts and more"}],
}


async def test_what_people_wrote_and_who_they_are_is_masked(path: Path) -> None:
    for data in (CONVERSATION, TAX, PEOPLE):
        written = json.dumps(await recorded(path, data))
        for text in (
            *("call Ann", "annie", "img.example", "Smith and", "0042", "MX123212", "gift for"),
            *("ring twice", "Ann Smith", "ann@", "123.1/", "Bob", "19990106", "dancing", "bobby"),
            '"B."',
        ):
            assert text not in written
        for text in ("BRANCH", "VAT", "APPROVED", "BUYER", "7494560109732334263", "1691411573"):
            assert (text in written) is (text in json.dumps(data))
    assert "Blue Shirt" in written
    assert "Smiths" in written
    assert "Shirts and more" in written


async def test_json_in_text_keeps_its_shape(path: Path) -> None:
    data = (await recorded(path, CONVERSATION))["json"]["data"]
    message = data["messages"][0]
    assert json.loads(message["content"]) == {"content": message["plaintext"]}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
async def test_masked_text_is_masked_wherever_it_appears_again(
    path: Path, encode: Callable[[str], str]
) -> None:
    encoded = encode(NAME)
    data = {
        "first": f"made for {encoded}, with love",
        "recipient_address": {"name": NAME},
        "link": f"https://label.example/?to={encoded}&x=1",
        encoded: "as a key",
    }
    response = await recorded(path, data, **{"x-request-id": ascii(encoded)})
    found = response["json"]["data"]
    mask = found["recipient_address"]["name"]
    assert mask in found["first"]
    assert found["first"].endswith(", with love")
    assert found["link"].startswith("https://label.example/?to=")
    assert mask in found["link"]
    assert "Neil" not in json.dumps(response)


async def test_requests_are_masked_too_and_a_replay_finds_them(path: Path) -> None:
    async def work(client: httpx.AsyncClient, name: str) -> None:
        await client.get(
            f"https://shop.example/a/202309/b/{quote(name)}", params={"q": f"to {name}"}
        )
        note = {"note": f"for {name}", "recipient_address": {"name": name}, "phone": 15551234567}
        await client.post("https://shop.example/a/202309/c", json=note)
        await client.post("https://shop.example/a/202309/d", data={"email": f"{name}@x.example"})
        await client.post(
            "https://shop.example/a/202309/e",
            data={"comment": name},
            files={"data": (f"{name}.txt", b"content", "text/plain")},
        )

    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"code": 0, "data": {}}))
    async with (
        record(path, transport=transport) as recording,
        httpx.AsyncClient(transport=recording) as client,
    ):
        await work(client, "Ann Smith")
    written = path.read_text()
    assert "Ann" not in written
    assert "15551234567" not in written
    async with (
        replay(path, all_used=True) as replaying,
        httpx.AsyncClient(transport=replaying) as client,
    ):
        await work(client, "Bob Miller")


async def test_a_link_that_was_masked_can_be_followed_in_a_replay(path: Path) -> None:
    link = "https://files.example/doc/Ann-Smith.png?for=Ann%20Smith"

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "files.example":
            return httpx.Response(200, content=b"\x89PNG\r\n\x1a\n\x00")
        return httpx.Response(200, json={"code": 0, "data": {"doc_url": link}})

    async def work(client: httpx.AsyncClient) -> bytes:
        response = await client.get("https://shop.example/fulfillment/202309/packages/1/x")
        return (await client.get(response.json()["data"]["doc_url"])).content

    async with (
        record(path, transport=httpx.MockTransport(answer)) as recording,
        httpx.AsyncClient(transport=recording) as client,
    ):
        expected = await work(client)
    assert "Smith" not in path.read_text()
    async with (
        replay(path, all_used=True) as replaying,
        httpx.AsyncClient(transport=replaying) as client,
    ):
        assert await work(client) == expected


COMMON = {
    "status": "COMPLETED",
    "currency": "US",
    "value_name": "A",
    "size": "Yes",
    "sort_field": "create_time",
    "total_amount": "1000",
    "price": "95110.50",
    "order_id": "576461413095110000",
    "is_active": "true",
    "title": "Annual planner",
    "quantity": 7,
    "display_status": "ON_HOLD",
    "state": "NEWLY_HOLD_X",
    "message": "unknown field first_name",
    "first_key_attribute_value_name": "first_key_attribute_value_name",
}


async def test_short_and_common_text_damages_nothing_else(path: Path) -> None:
    """A buyer may be called A, US, COMPLETED or create_time, and live at 1000."""
    people = [
        {"name": name, "first_name": name, "postal_code": "95110"}
        for name in (
            "A",
            "US",
            "COMPLETED",
            "create_time",
            "true",
            "null",
            "order",
            "HOLD",
            "first",
        )
    ]
    data = {
        **COMMON,
        "people": people,
        "messages": [{"content": "Yes"}, {"plaintext": "1000"}],
        "recipient_address": {"postal_code": "1000", "name": "masked"},
    }
    found = (await recorded(path, data))["json"]["data"]
    assert {name: found[name] for name in COMMON} == COMMON
    assert all(person["name"].startswith("masked-") for person in found["people"])
    assert len({person["name"] for person in found["people"]}) == len(people)
    assert found["messages"][1]["plaintext"] == found["recipient_address"]["postal_code"]


async def test_names_are_found_as_words_and_in_scripts_without_spaces(path: Path) -> None:
    data = {
        "orders": [{"recipient_address": {"name": "张三", "first_name": "Ann"}}],
        "title": "张三的订单, for Ann and Annabel, label_Ann.pdf",
    }
    found = (await recorded(path, data))["json"]["data"]
    address = found["orders"][0]["recipient_address"]
    ann = address["first_name"]
    assert found["title"] == f"{address['name']}的订单, for {ann} and Annabel, label_{ann}.pdf"


async def test_numbers_stay_numbers(path: Path) -> None:
    data = {
        "recipient_address": {
            "latitude": 45.25,
            "phone_number": 15551234567,
            "create_time": 1790000000,
        },
        "phone": 15551234567,
        "say": "call 15551234567",
        "price": 1.10,
        "exact": 7,
        "is_gift": True,
        "email": None,
    }
    body = json.dumps(envelope(data)).replace("1.1,", "1.10,").encode()
    await recorded(path, body)
    assert "15551234567" not in path.read_text()
    assert "45.25" not in path.read_text()
    response = await replayed(path)
    found = response.json()["data"]
    assert b"1.10," in response.content
    assert type(found["recipient_address"]["latitude"]) is float
    assert type(found["phone"]) is int
    assert found["phone"] == found["recipient_address"]["phone_number"]
    assert found["say"] == f"call masked-{found['phone']}"
    assert found["recipient_address"]["create_time"] == 1790000000
    assert (found["exact"], found["is_gift"], found["email"]) == (7, True, None)


@pytest.mark.parametrize("group", GROUPS)
async def test_a_replay_decodes_to_the_same_types(path: Path, group: str) -> None:
    """Of all operations: no issues, and equal times, numbers, enums and ids."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=answers[len(sent)])

    async def work(transport: httpx.AsyncBaseTransport) -> list[Any]:
        sent.clear()
        results = []
        async with new_client(transport) as client:
            for name in GROUPS[group]:
                version = OPERATIONS[name]["versions"][-1]
                response = await method(client, name)(
                    **arguments(OPERATIONS[name], version),
                    options=RequestOptions(api_version=version),
                )
                sent.append(name)
                assert response.issues == (), name
                results.append(response.data)
        return results

    sent: list[str] = []
    answers = [example_response(name) for name in GROUPS[group]]
    async with record(path, transport=httpx.MockTransport(answer)) as recording:
        expected = await work(recording)
    found = await work(replay(path))
    for name, one, other in zip(GROUPS[group], expected, found, strict=True):
        fields = {"type": "object", "fields": OPERATIONS[name]["response"]}
        assert one.__class__ is other.__class__
        differing = set(differences(fields, plain(one, ""), plain(other, ""), ""))
        assert not differing, name


def differences(node: dict[str, Any], one: Any, other: Any, at: str) -> Iterator[str]:
    """Yield where two values differ in type, or in what is no text of people."""
    if type(one) is not type(other):
        yield f"{at}: {one!r} became {other!r}"
    elif isinstance(one, dict):
        for name in one.keys() | other.keys():
            if name in one and name in other:
                yield from differences(node["fields"][name], one[name], other[name], f"{at}.{name}")
            else:
                yield f"{at}.{name}"
    elif isinstance(one, list):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            yield from differences(node["items"], left, right, at)
    elif isinstance(one, str):
        is_content = at.endswith(".content")  # its enum is of the kinds of messages
        if one != other and (node.get("format") or (node.get("enum") and not is_content)):
            yield f"{at}: {one!r} became {other!r}"


PERSON = (
    '{"code":0,"data":{"email":"ann@mail.example","recipient_address":{"name":"Ann Smith","x":%s}}}'
)
DEEP = "[" * 3000 + "]" * 3000
ODD_JSON: dict[str, bytes] = {
    "with a byte order mark": b"\xef\xbb\xbf" + (PERSON % 1).encode(),
    "UTF-16": (PERSON % 1).encode("utf-16"),
    "UTF-16 without a mark": (PERSON % 1).encode("utf-16-be"),
    "UTF-32": (PERSON % 1).encode("utf-32"),
    "Latin-1": (PERSON % '"é"').encode("latin-1"),
    "broken UTF-8": (PERSON % '"\udcff"').encode("utf-8", "surrogateescape"),
    "control characters": (PERSON % '"a\x00\x1f\nb"').encode(),
    "half a surrogate pair": (PERSON % r'"\ud800"').encode(),
    "a number of 5,000 digits": (PERSON % ("9" * 5000)).encode(),
    "an infinite number": (PERSON % "1e999").encode(),
    "NaN": (PERSON % "NaN").encode(),
    "a name twice": (PERSON % '1, "name": "Ann Smith", "name": 2').encode(),
    "deep": (PERSON % DEEP).encode(),
    "deep within text": (PERSON % json.dumps(PERSON % DEEP)).encode(),
    "deeper than can be": (PERSON % ("[" * 200_000)).encode(),
    "JSON in text": json.dumps({"data": {"text": PERSON % 1}}).encode(),
    "JSON in JSON in text": json.dumps({"data": json.dumps(PERSON % 1)}).encode(),
    "cut off JSON in text": json.dumps({"data": {"text": (PERSON % 1)[:-9]}}).encode(),
    "a list": b'[{"email":"ann@mail.example","address_line1":"1 Ann Smith Road"}]',
    "cut off": (PERSON % 1)[:-9].encode(),
    "lines of JSON": (PERSON % 1 + "\n" + PERSON % 2).encode(),
    "behind a prefix": b")]}',\n" + (PERSON % 1).encode(),
    "a script": f"<html><script>var x = {PERSON % 1}</script>".encode(),
    "compressed without saying so": gzip.compress((PERSON % 1).encode()),
    "a PDF": b"%PDF-1.7 Ann Smith, ann@mail.example \xff\xfe",
}


@pytest.mark.parametrize("body", ODD_JSON.values(), ids=ODD_JSON)
@pytest.mark.parametrize("sent", ["request", "response"])
async def test_odd_bodies_are_masked_or_not_kept(path: Path, body: bytes, sent: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return httpx.Response(200, headers=headers, content=body if sent == "response" else b"{}")

    async def work(transport: httpx.AsyncBaseTransport) -> None:
        async with httpx.AsyncClient(transport=transport) as client:
            content = body if sent == "request" else b"{}"
            await client.post("https://shop.example/a/202309/b", content=content)

    async with record(path, transport=httpx.MockTransport(answer)) as recording:
        await work(recording)
    text = path.read_text()
    assert "Ann" not in text
    assert "ann@" not in text
    assert base64.b64encode(body).decode() not in text
    call = json.loads(text)["calls"][0][sent]
    assert ("json" in call) is not ("withheld" in call)
    await work(replay(path, all_used=True))


async def test_a_replay_explains_a_body_that_was_not_recorded(path: Path) -> None:
    await recorded(path, b"name;address\r\nAnn;1 Road\r\n", **{"content-type": "text/csv"})
    assert "Ann" not in path.read_text()
    response = await replayed(path)
    assert response.text == (
        "This body of 26 bytes was not recorded: a document of type text/csv cannot be masked."
    )
    await recorded(path, b'{"code": 0, "data": {"x": 1}')
    async with new_client(replay(path, ignore=["shop_cipher"])) as client:
        with pytest.raises(TikTokShopError, match="not recorded"):
            await client.request("GET", "/order/202309/orders")


async def test_a_compressed_response_is_masked(path: Path) -> None:
    body = gzip.compress((PERSON % 1).encode())
    response = await recorded(path, body, **{"content-encoding": "gzip"})
    assert response["json"]["data"]["email"] == "masked-1@example.invalid"


async def test_files_in_base64_are_masked_by_base64(path: Path) -> None:
    data = {"file": {"base64": base64.b64encode(b"a table of Ann's orders").decode()}}
    found = (await recorded(path, data))["json"]["data"]
    assert base64.b64decode(found["file"]["base64"], validate=True) == b"masked-1"


async def test_the_sets_of_fields_are_all_there_is(path: Path) -> None:
    data = {"name": "Ann Smith", "email": "ann@mail.example", "user_id": "7", "gift_note": 5}

    async def masked_with(*fields: str) -> Any:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=envelope(data)))
        async with (
            record(path, transport=transport, personal_fields=fields) as recording,
            httpx.AsyncClient(transport=recording) as client,
        ):
            await client.get("https://shop.example/a/202309/b")
        return json.loads(path.read_text())["calls"][0]["response"]["json"]["data"]

    assert await masked_with() == data
    assert await masked_with("email") == {
        **data,
        "name": "masked-1",
        "email": "masked-2@example.invalid",
    }
    # A field that stays is masked all the same if it is named.
    assert await masked_with("user_id", "gift_note") == {
        **data,
        "user_id": "masked-1",
        "gift_note": 2,
    }


async def test_recordings_of_earlier_versions_can_be_replayed(path: Path) -> None:
    earlier = {
        "request": {
            "operation": "GET /a/202309/b",
            "method": "GET",
            "path": "/a/202309/b",
            "query": {"email": "masked-2@example.invalid"},
        },
        "response": {
            "status": 200,
            "headers": {"content-type": "application/json"},
            "json": {"code": 0, "data": {"email": "masked-1@example.invalid", "phone": "masked-3"}},
        },
    }
    path.write_text(json.dumps({"calls": [earlier]}))
    async with httpx.AsyncClient(transport=replay(path)) as client:
        response = await client.get(
            "https://shop.example/a/202309/b", params={"email": "ann@mail.example"}
        )
    assert response.json()["data"]["phone"] == "masked-3"


TEXTS = (
    st.text(st.characters(codec="utf-8", exclude_characters="%&\\\t"), max_size=20)
    .map(lambda text: text.strip().strip("+").strip())
    .filter(lambda text: len(text) > 1)
)
"""Not what reads like an escape."""


@settings(max_examples=200)
@given(
    text=TEXTS,
    before=st.text(st.sampled_from(" ,;é張"), max_size=3),
    encode=st.sampled_from([str, quote, quote_plus, lambda text: json.dumps(text)[1:-1]]),
)
@example("é;", "é;", str)
@example('"0', "", lambda text: json.dumps(text)[1:-1])
def test_text_is_found_in_any_encoding(
    text: str, before: str, encode: Callable[[str], str]
) -> None:
    assume(text == before or text not in before)
    finder = TextFinder()
    finder.add(text)
    replaced = finder.replace(f"{before}\t\t{encode(text)}\t\t{before}", lambda _: "MASK")
    around = "MASK" if text == before else before
    assert replaced == f"{around}\t\tMASK\t\t{around}"
