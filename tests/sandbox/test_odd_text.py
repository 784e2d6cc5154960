"""Bytes and texts that UTF-8 cannot encode break neither the log, nor the page, nor the state."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.wire import CANCEL, ORDERS, SEARCH_ORDERS, SHOPS, UPLOAD, Wire, new_product, new_wire

from tiktok_shop_async.sandbox import StateFile, run_sandbox
from tiktok_shop_async.sandbox.inputs.json_input import MAX_DEPTH, encodable, read_json

TOOLS = "/_sandbox"
SHOWN = ("requests", "faults", "limits", "orders", "clock", "events")
SURROGATE = rb'"\ud800"'
JSON = {"content-type": "application/json"}


async def assert_all_is_shown(wire: Wire) -> None:
    """The console's pages and every endpoint that shows something can be read."""
    page = await wire.http.get(f"{TOOLS}/")
    assert page.status_code == 200
    links = {page.url.join(unescape(link)) for link in re.findall('href="([^"#]+)"', page.text)}
    pages = [link for link in links if link.path.startswith(TOOLS) and not link.query]
    for url in (*[f"{TOOLS}/{path}" for path in SHOWN], *pages):
        shown = await wire.http.get(url)
        assert shown.status_code == 200, url
        shown.content.decode()


async def state_of(wire: Wire) -> list[Any]:
    """Everything that a control request could change."""
    paths = ("faults", "limits", "clock", "events", "orders?limit=1000000")
    return [(await wire.http.get(f"{TOOLS}/{path}")).json() for path in paths]


@asynccontextmanager
async def kept_in(path: Path) -> AsyncIterator[Wire]:
    with StateFile(path) as state:
        wire = new_wire(orders=9, pending_share=0.0, application={"state": state})
        async with wire.http:
            yield wire


async def send_json(wire: Wire, path: str, body: bytes) -> httpx.Response:
    query = {"shop_cipher": wire.shop.cipher}
    return await wire.send("POST", path, query=query, content=body, headers=JSON)


async def test_one_odd_byte_in_a_query_leaves_log_and_page_readable(wire: Wire) -> None:
    await wire.http.get(f"{ORDERS}?ids=%ff&%fe=1&app_key=%fd")
    await wire.http.get(f"{ORDERS}?a=%ff&a=%ff")  # the refusal names what is repeated
    await assert_all_is_shown(wire)
    entry = (await wire.http.get(f"{TOOLS}/requests")).json()["requests"][0]
    assert ["ids", r"\udcff"] in entry["query"]
    assert r"\udcff" in entry["signature"]["string_to_sign"]


@pytest.mark.parametrize("target", ["/%ff", "/\xff", "/%00", "/order/%ff/orders?%ff", "*", "//x"])
async def test_an_odd_target_on_a_port_leaves_log_and_page_readable(target: str) -> None:
    async with run_sandbox(orders=1) as sandbox:
        host, _, port = sandbox.base_url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nx: \xff\r\nConnection: close\r\n\r\n"
        writer.write(lines.encode("latin-1"))
        head = (await reader.read()).split(b"\r\n")[0]
        writer.close()
        await writer.wait_closed()
        assert head.split()[1] in (b"400", b"404")
        async with httpx.AsyncClient(base_url=sandbox.base_url, trust_env=False) as http:
            for path in ("", *SHOWN):
                assert (await http.get(f"{TOOLS}/{path}")).status_code == 200


async def test_a_surrogate_in_a_body_is_kept_as_an_escape(tmp_path: Path) -> None:
    """In a product, in the key under which its reply is kept, and in a subscription's address."""
    path = tmp_path / "shop.db"
    odd = "\ud800 \udfff"
    async with kept_in(path) as wire:
        product = {**new_product(wire.shop), "title": odd, "idempotency_key": odd}
        body = json.dumps(product).encode()
        created = (await send_json(wire, "/product/202309/products", body)).json()
        assert created["code"] == 0
        address = json.dumps({"event_type": "ORDER_STATUS_CHANGE", "address": f"http://x/{odd}"})
        hook = (
            await wire.send(
                "PUT",
                "/event/202309/webhooks",
                query={"shop_cipher": wire.shop.cipher},
                content=address.encode(),
                headers=JSON,
            )
        ).json()
        assert hook["code"] == 0
        await wire.cancel(wire.order_ids("AWAITING_SHIPMENT")[0])
        await assert_all_is_shown(wire)
    async with kept_in(path) as wire:
        product_id = created["data"]["product_id"]
        assert wire.shop.stock.products[product_id].title == encodable(odd) == r"\ud800 \udfff"


async def test_an_edit_with_a_surrogate_is_announced() -> None:
    """Its event has the text, which a webhook's body must be able to carry."""
    bodies: list[bytes] = []

    def receive(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200)

    wire = new_wire(
        application={
            "webhook_url": "http://receiver.example/hook",
            "webhook_transport": httpx.MockTransport(receive),
        }
    )
    async with wire.http:
        body = json.dumps({**new_product(wire.shop), "category_id": "1"}).encode()
        created = (await send_json(wire, "/product/202309/products", body)).json()
        path = f"/product/202309/products/{created['data']['product_id']}"
        edit = json.dumps({**new_product(wire.shop), "category_id": "\ud800"}).encode()
        query = {"shop_cipher": wire.shop.cipher}
        answer = await wire.send("PUT", path, query=query, content=edit, headers=JSON)
        fired = await wire.http.post(
            f"{TOOLS}/events", content=rb'{"type": 1, "data": {"\ud800": "\udfff"}}', headers=JSON
        )
        await wire.app.state.webhooks.drain()
    assert (answer.json()["code"], fired.status_code) == (0, 200)
    assert any(rb"\\ud800" in body for body in bodies)


async def test_a_delivery_to_a_host_that_no_resolver_takes_fails_like_others() -> None:
    wire = new_wire(application={"webhook_url": f"http://{'a' * 80}.example/hook"})
    async with wire.http:
        fired = wire.app.state.webhooks.fire(1)
        await wire.app.state.webhooks.drain()
        assert fired[0].state == "waiting"
        assert fired[0].attempts[0].error
        await assert_all_is_shown(wire)
    await wire.app.state.webhooks.aclose()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "faults", rb'{"kind": "\ud800"}'),
        ("POST", "faults", rb'{"kind": "throttled", "\ud800": 1}'),
        ("POST", "faults", rb'{"kind": "throttled", "nth": "\ud800"}'),
        ("POST", "limits", rb'{"rates": {"\ud800": {"per_second": 1}}}'),
        ("POST", "limits", rb'{"retry_after": "\ud800"}'),
        ("POST", "clock", rb'{"advance": "\ud800"}'),
        ("POST", "events", rb'{"type": "\ud800"}'),
        ("POST", "events", rb'{"type": 1, "shop_id": ["\ud800"]}'),
        ("POST", "faults", b'{"kind": "throttled\xff"}'),
    ],
)
async def test_a_rejected_control_request_changes_nothing(
    wire: Wire, method: str, path: str, body: bytes
) -> None:
    before = await state_of(wire)
    answer = await wire.http.request(method, f"{TOOLS}/{path}", content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert await state_of(wire) == before
    await assert_all_is_shown(wire)


async def test_a_rule_with_a_surrogate_leaves_the_page_readable(wire: Wire) -> None:
    """Whether the rule is accepted or not."""
    body = rb'{"kind": "throttled", "operation": "\ud800*"}'
    before = await state_of(wire)
    answer = await wire.http.post(f"{TOOLS}/faults", content=body, headers=JSON)
    assert answer.status_code == 201 or await state_of(wire) == before
    await assert_all_is_shown(wire)


async def test_a_form_whose_names_are_no_text_is_read_or_rejected(wire: Wire) -> None:
    """Parameters of a part can name an encoding of their own."""
    for name in (
        rb"name*=unicode_escape''%5Cud800; filename=x",
        rb"name*=idna''%ff; filename=x",
        rb"name*=nothing''%ff; filename=x",
        rb"name=data; filename*=unicode_escape''%5Cud800",
    ):
        body = b"--b\r\ncontent-disposition: form-data; " + name + b"\r\n\r\nx\r\n--b--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=b"}
        answer = await wire.send("POST", UPLOAD, content=body, headers=headers)
        assert answer.status_code in (200, 400)
        assert answer.json()["code"] in (36009004, 36009023)
    await assert_all_is_shown(wire)


BYTES = st.binary(max_size=12)
TOKENS = st.sampled_from(
    [
        *(SURROGATE, b"[", b"]", b"{", b"}", b":", b",", b'"', b"1e400", b"NaN", b"-", b"9" * 5000),
        *(b'"type"', b'"kind"', b'"throttled"', b'"operation"', b'"advance"', b'"data"', b"null"),
    ]
)
BODIES = BYTES | st.lists(TOKENS, max_size=12).map(b"".join)
QUERIES = st.lists(
    st.tuples(st.sampled_from([b"ids", b"app_key", b"after", b"sign"]) | BYTES, BYTES), max_size=4
)
API = st.sampled_from([SHOPS, ORDERS, SEARCH_ORDERS, CANCEL, UPLOAD])
CONTROL = st.sampled_from(
    [f"{TOOLS}/{name}" for name in ("faults", "limits", "clock", "events", "requests", "orders")]
)


@settings(max_examples=30)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    path=API | CONTROL | BYTES.map(lambda raw: f"/{quote_from_bytes(raw)}"),
    query=QUERIES,
    header=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20),
    body=BODIES,
    signed=st.booleans(),
)
def test_whatever_is_sent_everything_can_still_be_shown(
    method: str,
    path: str,
    query: list[tuple[bytes, bytes]],
    header: str,
    body: bytes,
    signed: bool,
) -> None:
    """An exception of the sandbox would reach this test through the transport."""
    raw_query = "&".join(f"{quote_from_bytes(a)}={quote_from_bytes(b)}" for a, b in query)
    headers = {"content-type": "application/json", "user-agent": header.encode("latin-1")}

    async def send_one(file: Path) -> None:
        async with kept_in(file) as wire:
            before = await state_of(wire)
            if signed and path.startswith(("/order", "/auth", "/return", "/product")):
                parameters = {"shop_cipher": wire.shop.cipher}
                answer = await wire.send(
                    method, path, query=parameters, content=body, headers=headers
                )
            else:
                url = f"{path}?{raw_query}" if raw_query else path
                answer = await wire.http.request(method, url, content=body, headers=headers)
            assert answer.status_code < 500
            if answer.is_client_error:
                assert await state_of(wire) == before
            await assert_all_is_shown(wire)
        async with kept_in(file):
            pass

    with TemporaryDirectory() as folder:
        asyncio.run(send_one(Path(folder) / "shop.db"))


SCALARS = st.text(st.characters(), max_size=9) | st.integers() | st.floats()


@given(
    value=st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
    | st.dictionaries(st.text(st.characters(), max_size=9), SCALARS, max_size=3)
)
def test_what_is_read_from_json_can_be_written_again(value: Any) -> None:
    content = json.dumps(value).encode()
    try:
        document = read_json(content)
    except ValueError as error:
        str(error).encode()
        return
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b'{"a": {"b": [1, 1e400]}}', "a.b[1] must be a finite number of at most 64 bits"),
        (b'{"a": NaN}', "a must be a finite number of at most 64 bits, not NaN"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not 9999"),
        (b'{"a": 9223372036854775808}', "not 9223372036854775808"),
        (b"-1e999", "the body must be a finite number"),
        (b"[" * 66 + b"]" * 66, "nested deeper than 64 levels"),
        (b"[" * 100_000, "nested deeper than 64 levels"),
    ],
)
def test_json_that_nothing_could_keep_is_rejected(content: bytes, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  its text is compared below
        read_json(content)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


def test_json_at_the_bounds_is_read() -> None:
    assert read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert read_json(b"[9223372036854775807, -9223372036854775808, 1e308]")[1] == -(2**63)


async def test_a_state_record_has_no_text_that_sqlite_cannot_keep(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    async with kept_in(path) as wire:
        for number in (1, 2):
            product = {**new_product(wire.shop), "idempotency_key": f"\ud800\x00{number}"}
            await send_json(wire, "/product/202309/products", json.dumps(product).encode())
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM record WHERE kind = 'reply'").fetchone() == (2,)
    file.close()
