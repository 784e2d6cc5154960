"""The sandbox and the kit agree: the same call gives the same typed result."""

from __future__ import annotations

import pytest

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async.testing import LocalShop, MockTikTokShop
from tiktok_shop_async.testing.sandboxes import local_shop, served_shop

CALLS = (
    ("order.get_order_detail", {"ids": ["1"]}),
    ("order.get_order_list", {"page_size": 2}),
    ("return_refund.search_cancellations", {"page_size": 2}),
    ("authorization.get_authorized_shops", {}),
    ("product.get_product_diagnoses", {"product_ids": ["1"]}),
)


@pytest.fixture
def shop() -> LocalShop:
    return local_shop()


async def called(client: AsyncTikTokShop, name: str, arguments: dict[str, object]) -> object:
    group, _, operation = name.partition(".")
    return await getattr(getattr(client, group), operation)(**arguments)


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=str)
async def test_what_the_sandbox_answers_the_mock_can_play(
    name: str, arguments: dict[str, object], shop: LocalShop
) -> None:
    async with shop.client() as client:
        real = await called(client, name, arguments)
    mock = MockTikTokShop()
    group, _, operation = name.partition(".")
    mocked = getattr(getattr(mock, group), operation).respond(real.data)  # type: ignore[attr-defined]
    async with mock.client() as client:
        played = await called(client, name, arguments)
    assert played.data == real.data  # type: ignore[attr-defined]
    mocked.assert_called_once_with(**arguments)


async def test_a_served_shop_is_the_same_as_one_in_the_process(shop: LocalShop) -> None:
    with served_shop() as served:
        async with served.client() as over_http, shop.client() as in_process:
            pages = [
                await client.order.get_order_list(page_size=100, sort_field="create_time")
                for client in (over_http, in_process)
            ]
    first, second = ([order.id for order in page.data.orders] for page in pages)
    assert first == second


def test_a_shop_that_cannot_be_served_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError("no ports left")

    monkeypatch.setattr("tiktok_shop_async.testing.sandboxes.run_sandbox", refuse)
    with pytest.raises(OSError, match="no ports left"), served_shop():
        pass
