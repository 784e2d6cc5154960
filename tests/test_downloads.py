"""A file in a response is returned as bytes, or saved to a path once it is complete."""

from __future__ import annotations

import base64
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from support import FakeShop, new_client

from tiktok_shop_async import (
    AsyncTikTokShop,
    InvalidArgumentError,
    PermissionDeniedError,
    ResponseDecodeError,
    TikTokShopError,
)
from tiktok_shop_async.pipeline import downloads

SHEET = b"PK\x03\x04" + bytes(100_000)


NOT_BASE64 = ("not base64!", "UEsé", "UEs", "=", "\ud83d", None)


@pytest.fixture
def answering_shop(shop: FakeShop) -> FakeShop:
    return shop.answer({"file": {"base64": base64.b64encode(SHEET).decode()}})


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


@pytest.mark.parametrize("fails", ["write", "replace"])
async def test_a_failed_write_leaves_what_was_there(
    client: AsyncTikTokShop,
    answering_shop: FakeShop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fails: str,
) -> None:
    path = tmp_path / "task.xlsx"
    path.write_bytes(b"an older one")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def full_disk(**options: Any) -> Any:
        file = NamedTemporaryFile(**options)  # noqa: SIM115 - who calls this closes it
        file.write = fail
        return file

    if fails == "write":
        monkeypatch.setattr(downloads, "NamedTemporaryFile", full_disk)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(InvalidArgumentError, match="No space left on device"):
        await client.affiliate_seller.download_compass_task_file(task_id="1", save_to=path)
    assert path.read_bytes() == b"an older one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["no folder/task.xlsx", "null\0.xlsx", "x" * 300, ""])
async def test_a_path_that_cannot_be_written_is_reported(
    client: AsyncTikTokShop, answering_shop: FakeShop, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await client.affiliate_seller.download_compass_task_file(
            task_id="1", save_to=tmp_path / name
        )
    assert caught.value.argument == "save_to"


async def test_what_is_no_path_is_refused_before_the_call(
    client: AsyncTikTokShop, answering_shop: FakeShop
) -> None:
    with pytest.raises(InvalidArgumentError, match="save_to must be a path, not int"):
        await client.affiliate_seller.download_compass_task_file(task_id="1", save_to=5)  # type: ignore[arg-type]
    assert answering_shop.requests == []


async def test_a_refusal_is_not_taken_for_a_file(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer(code=105005, message="no scope")
    with pytest.raises(PermissionDeniedError):
        await client.affiliate_seller.download_compass_task_file(task_id="1")


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"file": None},
        {"file": "UEs="},
        *(
            {"file": {"base64": text}}
            for text in ("not base64!", "UEsé", "UEs", "=", "\ud83d", None)
        ),
    ],
)
async def test_a_response_without_its_file_is_an_error(
    client: AsyncTikTokShop, shop: FakeShop, data: object, tmp_path: Path
) -> None:
    shop.answer(data)
    for save_to in (None, tmp_path / "task.xlsx"):
        with pytest.raises(ResponseDecodeError, match=r"no file in file\.base64"):
            await client.affiliate_seller.download_compass_task_file(task_id="1", save_to=save_to)
    assert list(tmp_path.iterdir()) == []


async def test_the_lines_of_base64_text_are_joined(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer({"file": {"base64": base64.encodebytes(SHEET).decode()}})
    response = await client.affiliate_seller.download_compass_task_file(task_id="1")
    assert response.content == SHEET


@pytest.mark.parametrize(
    ("status", "media_type", "error"),
    [
        (200, "text/html", ResponseDecodeError),
        (200, "text/plain", ResponseDecodeError),
        (200, "application/problem+json", ResponseDecodeError),
        (200, "application/octet-stream", ResponseDecodeError),
        (204, "", ResponseDecodeError),
        (403, "application/problem+json", PermissionDeniedError),
    ],
)
async def test_an_error_of_something_in_between_is_not_taken_for_a_file(
    client: AsyncTikTokShop,
    shop: FakeShop,
    tmp_path: Path,
    status: int,
    media_type: str,
    error: type[TikTokShopError],
) -> None:
    body = b'{"title":"Forbidden"}' if "json" in media_type else b"log in"
    shop.answer_raw(body, status, content_type=media_type)
    with pytest.raises(error):
        await client.affiliate_seller.download_compass_task_file(
            task_id="1", save_to=tmp_path / "task.xlsx"
        )
    assert list(tmp_path.iterdir()) == []


async def test_a_download_is_tried_again_like_any_read(shop: FakeShop) -> None:
    shop.answer_raw(b"", 503)
    shop.answer({"file": {"base64": "UEs="}})
    client = new_client(shop, max_retries=1, sleep=no_sleep)
    response = await client.affiliate_seller.download_compass_task_file(task_id="1")
    await client.aclose()
    assert (response.content, response.attempts, response.request_id) == (b"PK", 2, "req-2026")


async def no_sleep(_: float) -> None:
    """Let time pass."""
