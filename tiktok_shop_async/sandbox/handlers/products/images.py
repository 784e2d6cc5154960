"""Uploaded images of products."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus

from ...domain.market import Market
from ...error_responses import TOO_LARGE, Refusal, invalid
from ...inputs.arguments import Arguments
from ..call import AdmittedCall, Data, Handler, UploadedFile

MAX_IMAGE_BYTES = 10 * 1024 * 1024
MIN_SIDE, MAX_SIDE = 100, 20_000
"""Pixels."""

_PNG = b"\x89PNG\r\n\x1a\n"
_FORMATS = (_PNG, b"\xff\xd8\xff", b"RIFF", b"BM")
"""First bytes of PNG, JPG, WEBP and BMP files; HEIC has its mark at the fifth byte."""

_ASSUMED_SIZE = (720, 720)
"""Reported for all formats but PNG, whose size is hard to read."""


def upload_product_image(call: AdmittedCall, _: Market) -> Data:
    """Check an image and return its address."""
    file = call.files.get("data")
    if file is None:
        raise invalid("The parameter data must be a file.")
    return _image_document(file, Arguments(call.body).text("use_case") or "MAIN_IMAGE")


IMAGE_HANDLERS: Mapping[str, Handler] = {"product.upload_product_image": upload_product_image}
"""Operation -> its handler."""


def _image_document(file: UploadedFile, use_case: str) -> Data:
    content = file.content
    if not content:
        raise invalid("The file is empty.")
    if len(content) > MAX_IMAGE_BYTES:
        raise Refusal(
            TOO_LARGE,
            "The image is larger than 10 MB.",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )
    if not content.startswith(_FORMATS) and content[4:8] != b"ftyp":
        raise invalid("The file must be a JPG, PNG, WEBP, HEIC or BMP image.")
    width, height = _size(content)
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE:
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
