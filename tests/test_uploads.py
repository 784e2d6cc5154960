"""Files are sent as forms: streamed, unsigned, and closed by whoever opened them."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import httpx
import pytest
from signatures import expected_signature, sent_signature
from support import APP_SECRET, FakeShop, new_client
from test_every_operation import OPERATIONS, method
from transport.servers import Peer, serving

from catalogue import example, in_version
from tiktok_shop_async import (
    AsyncTikTokShop,
    InvalidArgumentError,
    OutcomeUnknownError,
    RateLimitError,
    TransportError,
)
from tiktok_shop_async.sandbox.http.multipart import parse_form
from tiktok_shop_async.spec.signature_verifier import SignatureVerifier

FORM = "multipart/form-data"

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
        (io.StringIO("text"), r'open\(path, "rb"\)'),
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


class Changing(io.RawIOBase):
    """A file that has `size` bytes when it is measured, and `content` when it is read."""

    name = "/home/somebody/shirt.png"

    def __init__(self, size: int, content: bytes) -> None:
        self._size, self._content = size, content
        self._at = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = self._size if whence == io.SEEK_END else offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        end = len(self._content) if size < 0 else self._at + size
        chunk = self._content[self._at : end]
        self._at += len(chunk)
        return chunk


class Stream:
    """A file object that can only be read, and only once."""

    def __init__(self, *chunks: Any) -> None:
        self._chunks = list(chunks)

    def read(self, size: int = -1, /) -> Any:
        return self._chunks.pop(0) if self._chunks else b""


@pytest.mark.parametrize("size", [len(PICTURE) + 1, len(PICTURE) * 2, len(PICTURE) - 1, 1])
async def test_a_file_that_changes_while_it_is_sent_is_named_and_leaves_the_outcome_open(
    client: AsyncTikTokShop, shop: FakeShop, size: int
) -> None:
    shop.answer({})
    with pytest.raises(OutcomeUnknownError, match=r"shirt\.png") as caught:
        await client.product.upload_product_image(data=Changing(size, PICTURE))
    assert isinstance(caught.value.__cause__, TransportError)
    assert "somebody" not in str(caught.value)
    assert not shop.requests


@pytest.mark.parametrize("own_connections", [True, False])
@pytest.mark.parametrize("change", ["shrinks", "grows"])
async def test_over_a_socket_a_changing_file_ends_the_request_and_never_hangs(
    tmp_path: Path, change: str, own_connections: bool
) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(PICTURE * 10)
    received = bytearray()
    ended = asyncio.Event()

    async def change_the_file(peer: Peer) -> None:
        received.extend(await peer.reader.readuntil(b"\r\n\r\n"))
        with path.open("r+b") as file:
            if change == "shrinks":
                file.truncate(len(PICTURE))
            else:
                file.seek(0, io.SEEK_END)
                file.write(PICTURE * 10)
        received.extend(await peer.reader.read())
        ended.set()

    async with serving(change_the_file) as server:
        transport = None if own_connections else httpx.AsyncHTTPTransport()
        url = f"http://127.0.0.1:{server.port}"
        async with new_client(transport, base_url=url) as client:
            file = path.open("rb")
            with file, pytest.raises(OutcomeUnknownError, match=r"video\.mp4"):
                await client.product.upload_product_image(data=SlowFile(file, ended))
            await asyncio.wait_for(ended.wait(), 5)
        declared = int(received.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        assert len(received.partition(b"\r\n\r\n")[2]) < declared


class SlowFile(io.RawIOBase):
    """Reads on once the file has changed: after its first chunk it waits for the new length."""

    def __init__(self, file: Any, ended: asyncio.Event) -> None:
        self._file = file
        self.name = file.name
        self._size = os.fstat(file.fileno()).st_size

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)  # type: ignore[no-any-return]

    def tell(self) -> int:
        return self._file.tell()  # type: ignore[no-any-return]

    def read(self, size: int = -1, /) -> bytes:
        if self._file.tell() > 0:
            for _ in range(1000):
                if os.fstat(self._file.fileno()).st_size != self._size:
                    break
                threading.Event().wait(0.005)
        return self._file.read(size)  # type: ignore[no-any-return]


@pytest.mark.parametrize("data", [io.BytesIO(), Stream(), Stream(b""), Changing(0, b"")])
async def test_an_empty_file_object_is_refused_unsent(
    client: AsyncTikTokShop, shop: FakeShop, data: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match="empty") as caught:
        await client.product.upload_product_image(data=data)
    assert caught.value.argument == "data"
    assert not shop.requests


class TextFile(Stream):
    """Text, from an object that does not say so by an ``encoding``."""


@pytest.mark.parametrize(
    ("data", "given"), [(TextFile("text"), "str"), (TextFile(None), "NoneType")]
)
async def test_a_file_whose_read_does_not_return_bytes_is_refused_with_a_hint(
    client: AsyncTikTokShop, shop: FakeShop, data: Any, given: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=f"bytes, not {given}") as caught:
        await client.product.upload_product_image(data=data)
    assert caught.value.argument == "data"
    assert "rb" in (caught.value.hint or "")
    assert not shop.requests


async def test_an_asynchronous_file_is_refused_with_a_hint(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    class Asynchronous:
        async def read(self, size: int = -1) -> bytes:
            return PICTURE

    with pytest.raises(InvalidArgumentError, match="coroutine") as caught:
        await client.product.upload_product_image(data=Asynchronous())  # type: ignore[arg-type]
    assert "await" in (caught.value.hint or "")
    assert not shop.requests


async def test_a_closed_file_is_refused_unsent(
    client: AsyncTikTokShop, shop: FakeShop, picture: Path
) -> None:
    with picture.open("rb") as file:
        pass
    with pytest.raises(InvalidArgumentError, match="closed") as caught:
        await client.product.upload_product_image(data=file)
    assert caught.value.argument == "data"
    assert not shop.requests


async def test_a_stream_that_cannot_seek_is_sent_in_chunks_and_not_repeated(
    shop: FakeShop,
) -> None:
    shop.answer({"uri": "tos/1"})
    async with new_client(shop, max_retries=2) as client:
        await client.product.upload_product_image(data=Stream(b"one", b"two"))  # type: ignore[arg-type]
        assert form(shop.last) == {"data": ("data", b"onetwo")}
        assert "content-length" not in shop.last.headers
        shop.answers[:] = []
        shop.answer(code=36009002)
        with pytest.raises(RateLimitError):
            await client.product.upload_product_image(data=Stream(b"one"))  # type: ignore[arg-type]
    assert len(shop.requests) == 2


async def test_a_file_is_sent_from_its_beginning_wherever_it_stands(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    data = io.BytesIO()
    data.write(PICTURE)
    await client.product.upload_product_image(data=data)
    assert form(shop.last)["data"] == ("data", PICTURE)


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ("pictures/shirt.png", r"pathlib\.Path\('pictures/shirt\.png'\)"),
        ("https://cdn.example/shirt.png", "Download it"),
        ("HTTP://cdn.example/shirt.png?secret=1", "Download it"),
    ],
)
async def test_text_for_a_file_gets_a_hint(
    client: AsyncTikTokShop, shop: FakeShop, data: Any, hint: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=hint) as caught:
        await client.product.upload_product_image(data=data)
    assert caught.value.argument == "data"
    assert "secret=1" not in str(caught.value)
    assert not shop.requests


async def test_a_missing_file_is_named_without_its_folders(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"shirt\.png.*No such file") as caught:
        await client.product.upload_product_image(data=Path("/nowhere/shirt.png"))
    assert "nowhere" not in str(caught.value)
    assert not shop.requests


@pytest.mark.parametrize("name", ['a"b.png', "a\r\nb.png", "ä b.png", "a\\b.png"])
async def test_a_file_name_cannot_break_the_form(
    client: AsyncTikTokShop, shop: FakeShop, name: str
) -> None:
    shop.answer({})
    data = io.BytesIO(b"picture")
    data.name = name  # type: ignore[misc]
    await client.product.upload_product_image(data=data, use_case="MAIN_IMAGE")
    assert form(shop.last)["use_case"] == (None, b"MAIN_IMAGE")
    assert form(shop.last)["data"][1] == b"picture"
    assert shop.last.content.count(b"\r\n") == 10


MULTIPART = [name for name, op in OPERATIONS.items() if op["content_type"] == FORM]


def test_there_are_16_multipart_operations() -> None:
    assert len(MULTIPART) == 16


@pytest.mark.parametrize("name", MULTIPART)
async def test_every_form_stays_one_with_its_required_arguments_only(
    client: AsyncTikTokShop, shop: FakeShop, name: str
) -> None:
    """Its body is never signed, so a body of another type has a wrong signature."""
    shop.answer({})
    operation = OPERATIONS[name]
    version = operation["versions"][-1]
    given = {
        key: example(node, version, key, top=True)
        for place in ("path_params", "query", "body")
        for key, node in in_version(operation[place], version).items()
        if node.get("required") or place == "path_params"
    }
    await method(client, name)(**given)
    request = shop.last
    assert request.headers["content-type"].startswith(f"{FORM}; boundary=")
    assert request.headers["content-length"] == str(len(request.content))
    query = request.url.params.multi_items()
    verifier = SignatureVerifier(APP_SECRET)
    assert verifier.matches(request.url.params["sign"], request.url.path, query, b"")
    sent, files = parse_form(request.headers["content-type"], request.content)
    assert {*sent, *files} == {key for key in given if key in operation["body"]}
