"""What the catalogue says about one operation, as the pipeline needs it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import attrs

from ..errors import InvalidArgumentError
from .arguments.kinds import Kind

_NO_KINDS: Mapping[str, Kind] = MappingProxyType({})
_NO_NAMES: Mapping[str, str] = MappingProxyType({})
_NOTHING: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Paging:
    """Where a paged operation takes its token, and its answer keeps items and next token."""

    token_in: Literal["query", "body"]
    next_token: str
    """Path of attributes from ``data`` to the next page's token."""
    items: tuple[str, ...]
    """Paths of attributes from ``data`` to the lists of items; absent ones count as empty."""


@attrs.frozen(kw_only=True)
class Operation:
    """One operation: its address, and what may be sent with it."""

    id: str
    """``group.name``, as ``client.<group>.<name>`` is called."""
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    """Template with ``{version}`` and the path parameters by their wire names."""
    versions: tuple[str, ...]
    """Known versions, oldest first; the last is the default."""
    effect: Literal["read", "write"]
    """Whether repeating the call may change anything; decides what a lost answer means."""
    cipher: Literal["shop_cipher", "category_asset_cipher"] | None = None
    """The query parameter that is filled in from the auth state."""
    body: Literal["json", "multipart"] | None = None
    files: tuple[str, ...] = ()
    """Names of the multipart fields that carry a file."""
    idempotency_key: Literal["query", "body"] | None = None
    pagination: Paging | None = None
    download: str | None = None
    """Path of attributes from ``data`` to the base64 text of a file, where the answer is one."""
    required: frozenset[str] = frozenset()
    """Argument paths (``body.order_id``) that must be given."""
    arguments: Mapping[str, Kind] = attrs.field(default=_NO_KINDS, eq=False, repr=False)
    """Argument path (``query.page_size``) -> what it takes. Path parameters without one are text;
    any other argument without one is a file, or unknown and sent as it is."""
    renamed: Mapping[str, str] = attrs.field(default=_NO_NAMES, eq=False, repr=False)
    """Argument path -> its name in Python, where that is not the wire name."""
    refuse_empty: frozenset[str] = frozenset()
    """Paths of lists that must not be empty: the service would take that for everything."""
    only_in: Mapping[str, tuple[str, ...]] = attrs.field(default=_NOTHING)
    """Argument path (``body.skus.sub_sku_ids``) -> the only versions that have it."""

    def check_version(self, version: str) -> str:
        """Return ``version``, or raise `InvalidArgumentError` if it is not known."""
        if version in self.versions:
            return version
        raise InvalidArgumentError(
            f"version {version!r} is not known.",
            argument="api_version",
            operation=self.id,
            hint=f"Known versions: {', '.join(self.versions)}.",
        )
