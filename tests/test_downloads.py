"""A file in an answer is given as bytes, or written to a path when it is complete."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support import FakeShop, new_client

from tiktok_shop_async import (
    AsyncTikTokShop,
    InvalidArgumentError,
    PermissionDeniedError,
    ResponseDecodeError,
    TransportError,
)

SHEET = b"PK\x03\x04" + bytes(100_000)


@pytest.fixture(params=["envelope", "plain"])
def answering_shop(shop: FakeShop, request: pytest.FixtureRequest) -> FakeShop:
    if request.param == "envelope":
        return shop.answer({"file": {"base64": base64.b64encode(SHEET).decode()}})
    return shop.answer_raw(SHEET, content_type="application/vnd.ms-excel; charset=binary")


async def test_a_file_is_given_as_bytes(client: AsyncTikTokShop, answering_shop: FakeShop) -> None:
    response = await client.affiliate_seller.download_compass_task_file(task_id="1")
    assert response.content == SHEET
    assert response.path is None
    assert response.operation == "affiliate_seller.download_compass_task_file"


async def test_a_file_is_written_to_a_path(
    client: AsyncTikTokShop, answering_shop: FakeShop, tmp_path: Path
) -> None:
    path = tmp_path / "task.xlsx"
    path.write_bytes(b"an older one")
    response = await client.affiliate_seller.download_compass_task_file(task_id="1", save_to=path)
    assert (response.path, response.content) == (path, None)
    assert path.read_bytes() == SHEET
    assert list(tmp_path.iterdir()) == [path]


async def test_a_broken_download_leaves_what_was_there(tmp_path: Path) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield SHEET[:1000]
        raise httpx.ReadError("reset")

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/csv"}, content=half())

    path = tmp_path / "task.csv"
    path.write_bytes(b"an older one")
    async with new_client(httpx.MockTransport(answer)) as client:
        with pytest.raises(TransportError):
            await client.affiliate_seller.download_compass_task_file(task_id="1", save_to=path)
    assert path.read_bytes() == b"an older one"
    assert list(tmp_path.iterdir()) == [path]


async def test_a_path_that_cannot_be_written_is_reported(
    client: AsyncTikTokShop, answering_shop: FakeShop, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await client.affiliate_seller.download_compass_task_file(
            task_id="1", save_to=tmp_path / "no folder" / "task.xlsx"
        )
    assert caught.value.argument == "save_to"


async def test_a_refusal_is_not_taken_for_a_file(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer(code=105005, message="no scope")
    with pytest.raises(PermissionDeniedError):
        await client.affiliate_seller.download_compass_task_file(task_id="1")


@pytest.mark.parametrize("data", [None, {}, {"file": {"base64": "not base64!"}}])
async def test_an_answer_without_its_file_is_an_error(
    client: AsyncTikTokShop, shop: FakeShop, data: object
) -> None:
    shop.answer(data)
    with pytest.raises(ResponseDecodeError):
        await client.affiliate_seller.download_compass_task_file(task_id="1")


async def test_a_page_of_a_proxy_is_not_taken_for_a_file(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer_raw(b"<html>log in</html>", content_type="text/html")
    with pytest.raises(ResponseDecodeError):
        await client.affiliate_seller.download_compass_task_file(task_id="1")
