"""The description of one operation, with the facts of the catalogue that the pipeline needs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import attrs

from ..errors import InvalidArgumentError
from .arguments.kinds import Kind

_NO_KINDS: Mapping[str, Kind] = MappingProxyType({})
_NO_NAMES: Mapping[str, str] = MappingProxyType({})
_NO_VERSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Paging:
    """The locations of a paged operation's token, next token and items."""

    token_in: Literal["query", "body"]
    next_token: str
    """Path of attributes from ``data`` to the next page's token."""
    items: tuple[str, ...]
    """Paths of attributes from ``data`` to the lists of items; a missing list counts as empty."""


@attrs.frozen(kw_only=True)
class Operation:
    """One operation of the API: its address, its effect and its arguments."""

    id: str
    """``group.name``, called as ``client.<group>.<name>``."""
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    """Template with ``{version}`` and the path parameters by their wire names."""
    versions: tuple[str, ...]
    """Known versions, oldest first; the last is the default."""
    effect: Literal["read", "write"]
    """Whether the call changes anything; the outcome of a write without a response is unknown."""
    cipher: Literal["shop_cipher", "category_asset_cipher"] | None = None
    """The query parameter that is filled in from the auth state."""
    body: Literal["json", "multipart"] | None = None
    files: tuple[str, ...] = ()
    """Names of the multipart fields that carry a file."""
    idempotency_key: Literal["query", "body"] | None = None
    pagination: Paging | None = None
    download: str | None = None
    """Path of attributes from ``data`` to the base64 text of a file, if the response has one."""
    required: frozenset[str] = frozenset()
    """Paths of the required arguments, such as ``body.order_id``."""
    arguments: Mapping[str, Kind] = attrs.field(default=_NO_KINDS, eq=False, repr=False)
    """Kind by argument path, such as ``query.page_size``. Path parameters without a kind are text;
    any other argument without one is a file, or unknown and sent unchanged."""
    renamed: Mapping[str, str] = attrs.field(default=_NO_NAMES, eq=False, repr=False)
    """Python name by argument path, where it differs from the wire name."""
    refuse_empty: frozenset[str] = frozenset()
    """Paths of lists that must not be empty: the service would read an empty list as all items."""
    only_in: Mapping[str, tuple[str, ...]] = attrs.field(default=_NO_VERSIONS)
    """Versions by argument path (``body.skus.sub_sku_ids``), for arguments that others lack."""

    def check_version(self, version: str) -> str:
        """Return ``version``, or raise `InvalidArgumentError` if it is not known."""
        if version in self.versions:
            return version
        raise InvalidArgumentError(
            f"version {version!r} is unknown.",
            argument="api_version",
            operation=self.id,
            hint=f"Known versions: {', '.join(self.versions)}.",
        )
