"""`repr` shows the fields that are set, and personal data only on request."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import attrs
import pytest
import rich.console
import rich.pretty
from hypothesis import given
from hypothesis import strategies as st
from support import FakeShop

from tiktok_shop_async import APIResponse, AsyncTikTokShop, show_personal_data
from tiktok_shop_async.batch import Outcome
from tiktok_shop_async.models.affiliate_seller import TargetCollaboration
from tiktok_shop_async.models.order import Order, OrderDetail, RecipientAddress
from tiktok_shop_async.models.product import Product
from tiktok_shop_async.protocol.lenient_decoding import structure_leniently
from tiktok_shop_async.testing import PERSONAL_FIELDS
from tiktok_shop_async.webhooks import Webhooks

pytest_plugins = ["pytester"]

PERSON = {
    "name": "Ana Souza",
    "first_name": "Ana",
    "phone_number": "+5511999990000",
    "full_address": "Rua Augusta 7, Sao Paulo",
    "email": "ana@example.com",
    "region_code": "BR",
    "district_info": [{"address_level": "L1", "address_name": "Consolacao"}],
}
ORDER = {
    "id": "576486316948490001",
    "status": "AWAITING_SHIPMENT",
    "buyer_email": "ana@example.com",
    "buyer_message": "please ring twice",
    "cpf": "123.456.789-00",
    "recipient_address": PERSON,
    "line_items": [{"id": "1", "product_name": "Shirt"}],
}
SENSITIVE = (
    "Ana",
    "Souza",
    "5511999990000",
    "Augusta",
    "example.com",
    "Consolacao",
    "ring",
    "123.",
)


def order() -> Order:
    return decoded(ORDER)


def decoded(document: dict[str, Any]) -> Order:
    detail, issues = structure_leniently(OrderDetail, {"orders": [document]})
    assert issues == ()
    return detail.orders[0]


def prettily(value: object) -> str:
    console = rich.console.Console(file=io.StringIO(), width=200, color_system=None)
    console.print(rich.pretty.Pretty(value))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


WAYS = {"repr": repr, "str": str, "f-string": lambda value: f"{value}", "rich": prettily}
ways = pytest.mark.parametrize("show", WAYS.values(), ids=WAYS)


def test_only_fields_that_are_set_are_shown() -> None:
    assert repr(Order()) == "Order()"
    assert repr(Order(id="1", line_items=[])) == "Order(id='1')"
    assert repr(Product(title="Shirt", id="")) == "Product(id='', title='Shirt')"


@ways
def test_personal_data_is_not_shown(show: Any) -> None:
    one = order()
    for value in (one, [one], OrderDetail(orders=[one]), {"order": one}):
        text = show(value)
        assert not [word for word in SENSITIVE if word in text]
        assert "576486316948490001" in text
        assert "buyer_email=***" in text
        assert "recipient_address=***" in text
        assert "product_name='Shirt'" in text


@ways
def test_an_address_by_itself_shows_its_region_alone(show: Any) -> None:
    address = order().recipient_address
    assert isinstance(address, RecipientAddress)
    text = show(address)
    assert not [word for word in SENSITIVE if word in text]
    assert "name=***" in text
    assert "region_code='BR'" in text


@ways
def test_it_is_shown_where_it_is_asked_for(show: Any) -> None:
    with show_personal_data():
        text = show(order())
    assert not [word for word in SENSITIVE if word not in text]
    assert "***" in show(order())


async def test_it_is_shown_in_the_task_that_asks_alone() -> None:
    entered, done = asyncio.Event(), asyncio.Event()

    async def asking() -> str:
        with show_personal_data():
            entered.set()
            await done.wait()
            return repr(order())

    task = asyncio.create_task(asking())
    await entered.wait()
    assert "ana@example.com" not in repr(order())
    done.set()
    assert "ana@example.com" in await task


def test_attributes_have_it_at_any_time() -> None:
    assert order().buyer_email == "ana@example.com"
    assert attrs.asdict(order())["recipient_address"]["name"] == "Ana Souza"
    assert order() == order()


@ways
def test_fields_that_are_personal_in_some_objects_only_are_not_shown_there(show: Any) -> None:
    collaboration = TargetCollaboration(id="7", name="Spring", message="for Ana")
    text = show(collaboration)
    assert "message=***" in text
    assert "name='Spring'" in text
    request = {
        "target_collaborations": [{"message": "for Ana"}],
        "errors": [{"message": "no"}],
        "responsible_persons": [{"id": "5", "name": "Ana", "email": "a@b.example"}],
    }
    text = show(Outcome(index=0, request=request, status="succeeded"))
    assert "Ana" not in text
    assert "'message': 'no'" in text
    assert "'id': '5'" in text


@ways
async def test_responses_do_not_show_it_raw_calls_neither(
    client: AsyncTikTokShop, shop: FakeShop, show: Any
) -> None:
    shop.answer({"orders": [ORDER], "shops": [{"cipher": "GCP_secret", "name": "Shirts"}]})
    responses: list[APIResponse[Any]] = [
        await client.order.get_order_detail(ids=["1"]),
        await client.request("GET", "/order/202309/orders"),
    ]
    for response in responses:
        text = show(response)
        assert not [word for word in SENSITIVE if word in text]
        assert "576486316948490001" in text
        assert "request_id='req-2026'" in text
        assert "GCP_secret" not in text
        assert response.json()["data"]["orders"][0]["buyer_email"] == "ana@example.com"
        assert b"ana@example.com" in response.raw
    assert "'name': 'Shirts'" in text
    with show_personal_data():
        text = show(responses[1])
    assert "ana@example.com" in text
    assert "GCP_secret" not in text


@ways
@pytest.mark.parametrize("number", [23, 999])
def test_events_do_not_show_it(number: int, show: Any) -> None:
    body = b'{"type":%d,"data":{"order_id":"7","buyer_email":"ana@example.com"}}' % number
    event = Webhooks("key", "secret").parse(body)
    assert "ana@example.com" not in show(event)
    if number == 999:
        assert "'order_id': '7'" in show(event)
        assert event.data["buyer_email"] == "ana@example.com"


@ways
def test_outcomes_do_not_show_it(show: Any) -> None:
    """The requests of a batch may have messages to buyers in them."""
    for request in (ORDER, order(), {"order_id": "576486316948490001", "content": "Ana"}):
        text = show(Outcome(index=0, request=request, status="succeeded"))
        assert not [word for word in SENSITIVE if word in text]
        assert "576486316948490001" in text


def test_failed_assertions_do_not_show_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from tiktok_shop_async.models.order import Order, RecipientAddress

        def first():
            name = bytes.fromhex("416e61").decode()
            return Order(id="7", recipient_address=RecipientAddress(name=name, first_name=name))

        def second():
            name = bytes.fromhex("457661").decode()
            return Order(id="7", recipient_address=RecipientAddress(name=name, first_name=name))

        def test_orders():
            assert first() == second()

        def test_addresses():
            assert [first().recipient_address] == [second().recipient_address]
        """
    )
    result = pytester.runpytest_inprocess("-vv", "-p", "no:randomly", "-p", "no:asyncio")
    result.assert_outcomes(failed=2)
    shown = result.stdout.str()
    assert "Order(id='7', recipient_address=***)" in shown
    assert "Ana" not in shown
    assert "Eva" not in shown


NAMES = st.sampled_from(sorted(PERSONAL_FIELDS))
PLAIN = st.recursive(
    st.just("secret of a buyer") | st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(name=NAMES, value=PLAIN, depth=st.integers(0, 200))
def test_no_value_under_a_personal_name_is_shown(name: str, value: Any, depth: int) -> None:
    parent, _, field = name.rpartition(".")
    personal = {parent: {field: value}} if parent else {field: value}
    document: Any = {**personal, "x": [1.5, {"y": "kept"}]}
    for _ in range(depth):
        document = {"inside": [document]}
    response = APIResponse(data=document, http_status=200, headers={}, raw=b"", operation="x")  # type: ignore[arg-type]
    if isinstance(value, (str, int)):
        assert "secret of a buyer" not in repr(response)
    assert ("kept" in repr(response)) is (depth <= 9)
