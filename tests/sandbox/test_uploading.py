"""Uploads: forms as clients write them, and pictures as the shop takes them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from helpers.sandbox.wire import UPLOAD, Wire

JPEG = b"\xff\xd8\xff\xe0 and so on"


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\r\n--"


async def upload(wire: Wire, content: bytes, **fields: str) -> Any:
    files = {"data": ("shirt é.png", content, "image/png")}
    return (await wire.send("POST", UPLOAD, files=files, data=fields)).json()


async def test_a_picture_is_taken_in(wire: Wire) -> None:
    """Its bytes decide about its address, and may look like a form's own delimiters."""
    data = (await upload(wire, png(800, 600), use_case="DESCRIPTION_IMAGE"))["data"]
    assert (data["width"], data["height"], data["use_case"]) == (800, 600, "DESCRIPTION_IMAGE")
    assert data["url"].endswith(data["uri"])
    again = (await upload(wire, png(800, 600)))["data"]
    assert (again["uri"], again["use_case"]) == (data["uri"], "MAIN_IMAGE")
    assert (await upload(wire, JPEG))["data"]["uri"] != data["uri"]


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", 36009004, "empty"),
        (b"GIF89a", 36009004, "PNG"),
        (png(99, 600), 36009004, "99 by 600"),
        (png(800, 20_001), 36009004, "20001"),
        (JPEG + b"x" * 10 * 1024 * 1024, 36009021, "10 MB"),
    ],
)
async def test_a_file_that_is_no_proper_picture_is_refused(
    wire: Wire, content: bytes, code: int, word: str
) -> None:
    answer = await upload(wire, content)
    assert (answer["code"], word in answer["message"]) == (code, True)


async def test_the_form_is_not_signed(wire: Wire) -> None:
    """The same signature serves another file."""
    first = await wire.send("POST", UPLOAD, files={"data": JPEG})
    second = await wire.http.post(
        first.request.url,
        files={"data": png(200, 200)},
        headers={"x-tts-access-token": first.request.headers["x-tts-access-token"]},
    )
    assert second.json()["data"]["width"] == 200


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        ("multipart/form-data", b"--x--", 36009023),
        ("multipart/form-data; boundary=x", b"no form", 36009023),
        ("multipart/form-data; boundary=x", b"--x\r\nno end of headers\r\n--x--", 36009023),
        ("multipart/form-data; boundary=x", b"--x\r\nA: b\r\n\r\nnameless\r\n--x--", 36009023),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\ncut',
            36009023,
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\na text\r\n--x--\r\n',
            36009004,
        ),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 36009004),
    ],
)
async def test_a_form_that_cannot_be_read_is_refused(
    wire: Wire, content_type: str, body: bytes, code: int
) -> None:
    headers = {"content-type": content_type}
    response = await wire.send("POST", UPLOAD, content=body, headers=headers)
    assert response.json()["code"] == code
