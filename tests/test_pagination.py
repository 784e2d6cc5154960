"""A pager returns the first page when awaited, and yields all items when iterated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support import FakeShop

from tiktok_shop_async import AsyncTikTokShop, RateLimitError


def page(number: int, token: str | None, **more: Any) -> dict[str, Any]:
    return {
        "orders": [{"id": f"{number}-{index}"} for index in range(2)],
        "next_page_token": token,
    } | more


async def test_awaiting_gives_the_first_page(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer(page(1, "more", total_count=9))
    response = await client.order.get_order_list(page_size=2, order_status="AWAITING_SHIPMENT")
    assert [order.id for order in response.data.orders] == ["1-0", "1-1"]
    assert response.data.total_count == 9
    assert len(shop.requests) == 1


async def test_iterating_walks_the_items_of_all_pages(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer(page(1, "a+b=")).answer(page(2, "c")).answer(page(3, ""))
    pager = client.order.get_order_list(page_size=2, order_status="UNPAID")
    assert [order.id async for order in pager] == ["1-0", "1-1", "2-0", "2-1", "3-0", "3-1"]
    assert [r.url.params.get("page_token") for r in shop.requests] == [None, "a+b=", "c"]
    assert {r.content for r in shop.requests} == {b'{"order_status":"UNPAID"}'}
    assert {r.url.params["page_size"] for r in shop.requests} == {"2"}


async def test_a_walk_can_start_in_the_middle_and_be_repeated(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer(page(2, "c")).answer(page(3, None)).answer(page(2, "c")).answer(page(3, None))
    pager = client.order.get_order_list(page_size=2, page_token="b")
    for _ in range(2):
        pages = [page.data.orders[0].id async for page in pager.pages()]
        assert pages == ["2-0", "3-0"]
    assert [r.url.params["page_token"] for r in shop.requests] == ["b", "c", "b", "c"]


async def test_a_repeated_token_ends_the_walk(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer(page(1, "again")).answer(page(2, "again"))
    assert len([order async for order in client.order.get_order_list(page_size=2)]) == 4
    assert len(shop.requests) == 2


@pytest.mark.parametrize(
    ("token", "reason"), [("again", "is that of an earlier page"), (["again"], "cannot be read")]
)
async def test_a_walk_that_ends_early_is_logged_without_the_token(
    client: AsyncTikTokShop,
    shop: FakeShop,
    caplog: pytest.LogCaptureFixture,
    token: Any,
    reason: str,
) -> None:
    shop.answer(page(1, "again")).answer(page(2, token))
    assert len([order async for order in client.order.get_order_list(page_size=2)]) == 4
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "order.get_order_list: the iteration ends at page 2, because its next_page_token "
        f"{reason}; items may be missing (request id req-2026)"
    )


async def test_a_walk_that_ends_as_it_should_is_not_logged(
    client: AsyncTikTokShop, shop: FakeShop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.answer(page(1, "a")).answer(page(2, ""))
    assert len([order async for order in client.order.get_order_list(page_size=2)]) == 4
    assert caplog.records == []


async def test_pages_without_items_do_not_end_the_walk(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({"orders": None, "next_page_token": "b"}).answer(page(2, None))
    assert [order.id async for order in client.order.get_order_list(page_size=2)] == ["2-0", "2-1"]


async def test_a_token_in_the_body_goes_there(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer({"activities": [{"id": "1"}], "next_page_token": "b"})
    shop.answer({"activities": [{"id": "2"}]})
    found = [activity.id async for activity in client.promotion.search_activities(page_size=1)]
    assert found == ["1", "2"]
    assert shop.last_json["page_token"] == "b"


async def test_items_are_found_deeper_in_the_answer(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({"performance": {"intervals": [{"start_time": 1}]}, "next_page_token": "b"})
    shop.answer({"performance": None})
    pager = client.analytics.get_shop_live_minute_performance(live_id="1")
    assert [interval.start_time async for interval in pager] == [1]


async def test_a_failing_page_raises_where_it_is_reached(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer(page(1, "b")).answer(code=36009002)
    walk = aiter(client.order.get_order_list(page_size=2))
    assert [(await anext(walk)).id for _ in range(2)] == ["1-0", "1-1"]
    with pytest.raises(RateLimitError):
        await anext(walk)


@pytest.mark.parametrize("name", ["data", "code", "request_id", "raw", "json", "issues", "headers"])
async def test_an_attribute_of_the_response_asked_of_the_pager_says_what_to_do(
    client: AsyncTikTokShop, name: str
) -> None:
    pager = client.order.get_order_list(page_size=2)
    assert not hasattr(pager, name)
    with pytest.raises(AttributeError, match=rf"\(await pager\)\.{name}") as caught:
        getattr(pager, name)
    assert "async for" in str(caught.value)


async def test_any_other_attribute_is_just_missing(client: AsyncTikTokShop) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(client.order.get_order_list(page_size=2), "dta")  # noqa: B009 - what mypy rejects
    assert str(caught.value) == "'Pager' object has no attribute 'dta'"


async def test_a_page_can_be_fetched_in_a_task(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer(page(1, None))
    pager = client.order.get_order_list(page_size=2)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(pager.first_page())
        second = asyncio.create_task(pager.first_page())
        third = asyncio.ensure_future(pager)
    gathered = await asyncio.gather(pager, client.order.get_order_list(page_size=2))
    pages = [first.result(), await second, await third, *gathered]
    assert [found.data.orders[0].id for found in pages] == ["1-0"] * 5


async def test_a_task_of_the_pager_itself_says_what_to_do(client: AsyncTikTokShop) -> None:
    pager = client.order.get_order_list(page_size=2)
    with pytest.raises(TypeError, match=r"first_page\(\)"):
        asyncio.create_task(pager)  # type: ignore[arg-type]  # noqa: RUF006 - it raises
    async with asyncio.TaskGroup() as group:
        with pytest.raises(TypeError, match=r"first_page\(\)"):
            group.create_task(pager)  # type: ignore[arg-type]
