"""Files go out as forms: streamed, unsigned, and closed by whoever opened them."""

from __future__ import annotations

import io
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import httpx
import pytest
from signatures import expected_signature, sent_signature
from support import APP_SECRET, FakeShop

from tiktok_shop_async import AsyncTikTokShop, InvalidArgumentError

PICTURE = b"\x89PNG\r\n" + bytes(range(256)) * 700  # larger than one chunk


def form(request: httpx.Request) -> dict[str, tuple[str | None, bytes]]:
    """Return the parts of a form by name: file name and content."""
    head = b"content-type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + request.content)
    parts = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        parts[str(name)] = (part.get_filename(), part.get_payload(decode=True))
    return parts  # type: ignore[return-value]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "shirt.png"
    path.write_bytes(PICTURE)
    return path


@pytest.mark.parametrize("kind", ["bytes", "path", "file", "memory"])
async def test_bytes_paths_and_open_files_are_sent_as_forms(
    client: AsyncTikTokShop, shop: FakeShop, picture: Path, kind: str
) -> None:
    shop.answer({"uri": "tos/1"})
    with picture.open("rb") as file:
        data: Any = {"bytes": PICTURE, "path": picture, "file": file, "memory": io.BytesIO(PICTURE)}
        response = await client.product.upload_product_image(data=data[kind], use_case="MAIN_IMAGE")
        assert not file.closed  # it is the caller's
    assert response.data.uri == "tos/1"
    name = "shirt.png" if kind in ("path", "file") else "data"
    assert form(shop.last) == {"data": (name, PICTURE), "use_case": (None, b"MAIN_IMAGE")}
    assert shop.last.headers["content-length"] == str(len(shop.last.content))
    assert sent_signature(shop.last) == expected_signature(shop.last, APP_SECRET)
    assert "shop_cipher" not in shop.last.url.params


async def test_a_path_is_closed_however_the_call_ends(
    client: AsyncTikTokShop, shop: FakeShop, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real_open = Path.open

    def recording_open(self: Path, *args: Any) -> Any:
        opened.append(real_open(self, *args))
        return opened[-1]

    monkeypatch.setattr(Path, "open", recording_open)
    shop.fail(httpx.ReadError("reset"))
    with pytest.raises(Exception, match="reset"):
        await client.product.upload_product_image(data=picture)
    assert [file.closed for file in opened] == [True]


class Unreadable(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (Path("/nowhere/shirt.png"), "No such file"),
        ("shirt.png", "a path"),
        (io.StringIO("text"), "binary"),
        (42, "int"),
        (None, "required"),
    ],
)
async def test_what_is_no_file_is_refused_unsent(
    client: AsyncTikTokShop, shop: FakeShop, data: Any, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        await client.product.upload_product_image(data=data)
    assert caught.value.argument == "data"
    assert not shop.requests


async def test_an_empty_file_on_disk_is_refused(
    client: AsyncTikTokShop, shop: FakeShop, tmp_path: Path
) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(InvalidArgumentError, match="empty"):
        await client.product.upload_product_image(data=tmp_path / "empty.png")
    assert not shop.requests


async def test_a_file_that_cannot_be_read_is_reported(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    with pytest.raises(InvalidArgumentError, match="Input/output error"):
        await client.product.upload_product_image(data=Unreadable(b"x"))
