"""Raw calls by method and path, described by the catalogue if it has them, else by defaults."""

from __future__ import annotations

import re
from typing import Any, Literal

from ._internal.argument_checks import invalid
from .errors import InvalidArgumentError
from .pipeline.operation import Operation
from .registry import find_operation_at, find_version


def raw_operation(
    method: Literal["GET", "POST", "PUT", "DELETE"],
    path: str,
    *,
    has_body: bool,
    files: tuple[str, ...],
    cipher: Literal["auto", "shop_cipher", "category_asset_cipher", "none"],
    has_shop: bool,
) -> Operation:
    """Return an operation for ``path``, with the facts of the catalogue if it has the operation."""
    method = _validate_method(method)
    _check_path(path)
    if cipher not in _CIPHERS:
        raise invalid("cipher", " or ".join(map(repr, _CIPHERS)), cipher)
    known = find_operation_at(method, path)
    if cipher == "auto":
        chosen = known.cipher if known else "shop_cipher" if has_shop else None
    else:
        chosen = None if cipher == "none" else cipher
    is_form = bool(files) or (known is not None and known.body == "multipart")
    return Operation(
        id=f"{method} {path}",
        method=method,
        path=path,
        versions=(find_version(path),),
        effect=known.effect if known else "read" if method == "GET" else "write",
        cipher=chosen,
        body="multipart" if is_form else "json" if has_body else None,
        files=files,
        idempotency_key=known.idempotency_key if known else None,
    )


_CIPHERS = ("auto", "shop_cipher", "category_asset_cipher", "none")


def _validate_method(method: object) -> Any:
    """Return an HTTP method in upper case, as servers require it."""
    if not isinstance(method, str) or not (method.isascii() and method.isalpha()):
        raise invalid("method", "an HTTP method such as 'GET'", method)
    return method.upper()


def _check_path(path: object) -> None:
    if not isinstance(path, str):
        raise invalid("path", "text such as '/order/202309/orders'", path)
    segments = path.split("/")
    if not path.startswith("/") or {".", ".."} & set(segments) or re.search(r"[?#{}]", path):
        raise InvalidArgumentError(
            f"path must start with a slash and have no dot segment, ?, #, {{ or }}, not {path!r}.",
            argument="path",
            hint="Pass query parameters as query.",
        )
