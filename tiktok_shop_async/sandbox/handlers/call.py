"""Calls that the gateway has admitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from ...pipeline.operation import Operation
from ..domain.access_tokens import AccessToken
from ..domain.market import Market
from ..domain.shop import Shop

Data: TypeAlias = dict[str, Any]
"""The ``data`` of a response."""


@attrs.frozen
class UploadedFile:
    """A file of a multipart form."""

    name: str
    content: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class AdmittedCall:
    """A call that passed all checks of the gateway."""

    operation: Operation
    version: str
    path_params: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    files: Mapping[str, UploadedFile]
    token: AccessToken
    shop: Shop | None


Handler: TypeAlias = Callable[[AdmittedCall, Market], Data]
"""A function that carries out a call and returns the ``data`` of the response."""


def shop_of(call: AdmittedCall) -> Shop:
    """Return the shop of a call."""
    assert call.shop is not None, f"{call.operation.id} requires a shop_cipher"
    return call.shop
