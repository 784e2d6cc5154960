"""The query of a call, as the catalogue has it; and what other clients send besides."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.wire import CANCEL, ORDERS, SEARCH_ORDERS, SHOPS, UPLOAD, Wire
from test_every_operation import OPERATIONS

from tiktok_shop_async.sandbox.handlers.operation_handlers import HANDLERS

RETURNS = "/return_refund/202602/returns/search"
CANCELLATIONS = "/return_refund/202602/cancellations/search"
PACKAGES = "/fulfillment/202309/packages/search"
PRODUCTS = "/product/202502/products/search"
STATEMENTS = "/finance/202309/statements"


async def remarks(wire: Wire) -> list[str]:
    """What the log remarks on the latest call."""
    entries = (await wire.http.get("/_sandbox/requests")).json()["requests"]
    found: list[str] = entries[-1]["remarks"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", ORDERS, "order_ids"),
        ("GET", ORDERS, "Ids"),
        ("GET", ORDERS, "page_size"),
        ("POST", SEARCH_ORDERS, "sort_by"),
        ("POST", CANCEL, "order_id"),
        ("GET", STATEMENTS, "statement"),
    ],
)
async def test_an_unknown_parameter_is_rejected_by_name(
    wire: Wire, method: str, path: str, name: str
) -> None:
    """Also where the sandbox makes the response up; nothing is processed."""
    needed = {
        ORDERS: {"ids": "1"},
        SEARCH_ORDERS: {"page_size": "10"},
        STATEMENTS: {"sort_field": "statement_time"},
    }
    body = {"json": {"order_id": "1", "cancel_reason": "x"}} if path == CANCEL else {}
    envelope = await wire.call(method, path, query={**needed.get(path, {}), name: "1"}, **body)
    assert (envelope["code"], name in envelope["message"]) == (36009004, True)
    assert "unknown" in envelope["message"]
    assert await remarks(wire) == []


@pytest.mark.parametrize("name", ["version", "shop_id", "access_token"])
async def test_what_older_clients_send_is_ignored_and_logged(wire: Wire, name: str) -> None:
    """They sign it, except the token, and mean nothing by it."""
    envelope = await wire.call("GET", ORDERS, query={"ids": "1", name: "202309"})
    assert (envelope["code"], envelope["data"]) == (0, {"orders": []})
    (remark,) = await remarks(wire)
    assert f"The query parameter {name} is ignored" in remark


async def test_several_remarks_are_all_shown_also_of_a_call_that_is_rejected(wire: Wire) -> None:
    query = {"version": "202309", "shop_id": "7", "ids": ""}
    envelope = await wire.call("GET", ORDERS, query=query)
    assert (envelope["code"], "ids is required" in envelope["message"]) == (36009004, True)
    assert len(await remarks(wire)) == 2
    await wire.call("GET", ORDERS, query={"ids": "1"})
    assert await remarks(wire) == []


@pytest.mark.parametrize("name", ["shop_cipher", "category_asset_cipher"])
async def test_an_empty_cipher_counts_as_missing(wire: Wire, name: str) -> None:
    """Where none is needed it does no harm; where one is, it is missing."""
    assert (await wire.send("GET", SHOPS, query={name: ""})).json()["code"] == 0
    assert (await wire.send("GET", SHOPS, query={name: "x"})).json()["code"] == 36009004
    if name == "shop_cipher":
        query = {"ids": "1", name: ""}
        assert (await wire.send("GET", ORDERS, query=query)).json()["code"] == 106013


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        (RETURNS, 10, 50),
        (CANCELLATIONS, 1, 50),
        (PACKAGES, 1, 50),
        (PRODUCTS, 1, 100),
        (SEARCH_ORDERS, 1, 100),
        (STATEMENTS, 1, 100),
    ],
)
async def test_a_page_size_has_the_catalogues_limits(
    wire: Wire, path: str, low: int, high: int
) -> None:
    method = "GET" if path == STATEMENTS else "POST"
    more = {"sort_field": "statement_time"} if path == STATEMENTS else {}
    body: dict[str, Any] = {} if path == STATEMENTS else {"json": {}}
    for size, code in ((low - 1, 36009004), (low, 0), (high, 0), (high + 1, 36009004)):
        envelope = await wire.call(method, path, query={**more, "page_size": size}, **body)
        assert envelope["code"] == code, size
        if code:
            assert f"page_size must be from {low} to {high}, not {size}" in envelope["message"]


@pytest.mark.parametrize(
    "text", ["9" * 5000, "9" * 20, "-", "--1", "1_0", "\u0663", "1.0", " 1", "+1"]
)
async def test_a_number_is_one_of_ascii_digits(wire: Wire, text: str) -> None:
    envelope = await wire.call("POST", CANCELLATIONS, query={"page_size": text}, json={})
    assert (envelope["code"], "page_size must be an integer" in envelope["message"]) == (
        36009004,
        True,
    )


def test_every_list_that_the_shop_pages_has_a_size_in_the_catalogue() -> None:
    """`page_of` takes default and limits from there; a required size needs no default."""
    for name in HANDLERS:
        operation = OPERATIONS[name]
        size = operation["query"].get("page_size")
        if operation.get("pagination") and size:
            assert {"minimum", "maximum"} <= size.keys(), name
            assert "default" in size or size["required"], name


async def test_an_empty_list_is_an_empty_object(wire: Wire) -> None:
    """As PHP writes one, and EcomPHP sends it; the signature is over the bytes that came."""
    headers = {"content-type": "application/json"}
    query = {"shop_cipher": wire.shop.cipher, "page_size": "10"}
    for body, noted in ((b"[]", True), (b" [ ] ", True), (b"{}", False), (b"", False)):
        answer = await wire.send("POST", CANCELLATIONS, query=query, content=body, headers=headers)
        assert answer.json()["code"] == 0
        assert await remarks(wire) == ["The body [] is read as the empty object {}."] * noted
    for body in (b"[[]]", b"[1]", b"null", b'""', b"0", b"false"):
        answer = await wire.send("POST", CANCELLATIONS, query=query, content=body, headers=headers)
        assert answer.json()["code"] == 36009023
        assert "must be a JSON object" in answer.json()["message"]


async def test_a_required_field_is_missed_in_an_empty_list_too(wire: Wire) -> None:
    headers = {"content-type": "application/json"}
    query = {"shop_cipher": wire.shop.cipher}
    answer = await wire.send("POST", CANCEL, query=query, content=b"[]", headers=headers)
    envelope = answer.json()
    assert (envelope["code"], "order_id is required" in envelope["message"]) == (36009004, True)


async def test_an_upload_rejects_an_unknown_parameter_too(wire: Wire) -> None:
    answer = await wire.send("POST", UPLOAD, query={"use": "MAIN_IMAGE"}, files={"data": b"x"})
    assert (answer.json()["code"], "use is unknown" in answer.json()["message"]) == (36009004, True)
