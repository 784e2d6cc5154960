"""Uploaded pictures: what the shop says about them."""

from __future__ import annotations

import hashlib
from http import HTTPStatus

from ..error_responses import TOO_LARGE, Refusal, invalid
from ..http.multipart import UploadedFile

LARGEST_IMAGE = 10 * 1024 * 1024
SHORTEST_SIDE, LONGEST_SIDE = 100, 20_000

_PNG = b"\x89PNG\r\n\x1a\n"
_FORMATS = (_PNG, b"\xff\xd8\xff", b"RIFF", b"BM")
"""How files of PNG, JPG, WEBP and BMP begin; HEIC has its mark at the fifth byte."""

_ASSUMED_SIZE = (720, 720)
"""Said of the formats whose sides take more than a glance to find."""


def describe_image(file: UploadedFile, use_case: str) -> dict[str, str | int]:
    """Return what the upload of a picture answers."""
    content = file.content
    if not content:
        raise invalid("The file is empty.")
    if len(content) > LARGEST_IMAGE:
        raise Refusal(
            TOO_LARGE,
            "The image is larger than 10 MB.",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )
    if not content.startswith(_FORMATS) and content[4:8] != b"ftyp":
        raise invalid("The file is no JPG, PNG, WEBP, HEIC or BMP.")
    width, height = _size(content)
    if min(width, height) < SHORTEST_SIDE or max(width, height) > LONGEST_SIDE:
        raise invalid(f"The image is {width} by {height}; its sides must be 100 to 20000 pixels.")
    uri = f"tos-sandbox-i-o3syd03w52-us/{hashlib.sha256(content).hexdigest()[:32]}"
    return {
        "uri": uri,
        "url": f"https://images.sandbox.example/{uri}",
        "use_case": use_case,
        "width": width,
        "height": height,
    }


def _size(content: bytes) -> tuple[int, int]:
    if content.startswith(_PNG) and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    return _ASSUMED_SIZE
