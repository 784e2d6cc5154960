"""A call as its caller wrote it, and what all of its attempts share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import uuid4

import attrs

from ..errors import InvalidArgumentError
from ..options import RequestOptions
from .arguments.files import can_be_read_again
from .arguments.idempotency import choose_key, collect_keys
from .credentials import Credentials
from .operation import Operation

M = TypeVar("M")

Arguments: TypeAlias = Mapping[str, Any]

_NO_ARGUMENTS: Arguments = {}


@attrs.frozen(kw_only=True)
class Call:
    """One call: an operation, and its arguments by their wire names."""

    operation: Operation
    path: Arguments = attrs.field(default=_NO_ARGUMENTS, repr=False)
    query: Arguments = attrs.field(default=_NO_ARGUMENTS, repr=False)
    body: Arguments = attrs.field(default=_NO_ARGUMENTS, repr=False)
    options: RequestOptions

    @property
    def idempotency_key(self) -> str | None:
        """The key by which the service processes the call once, however often it is sent."""
        return self.options.idempotency_key if self.operation.idempotency_key else None

    def with_key(self) -> Call:
        """Return the call with one idempotency key for all attempts, if its operation takes one.

        Raise `InvalidArgumentError` if the caller passed keys that differ.
        """
        location = self.operation.idempotency_key
        if location is None:
            return self
        keys = collect_keys(self.query if location == "query" else self.body, self.options)
        try:
            key = choose_key(keys) or uuid4().hex
        except InvalidArgumentError as error:
            error.operation = self.operation.id
            raise
        if self.options.idempotency_key == key:
            return self
        return attrs.evolve(self, options=attrs.evolve(self.options, idempotency_key=key))

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be sent again: not if it has an open file that cannot be read twice."""
        return all(can_be_read_again(value) for value in self.body.values())


@attrs.frozen
class PreparedCall(Generic[M]):
    """A call with everything that its attempts share."""

    call: Call
    version: str
    model: type[M] | None
    """The class of the response's data; None for plain values."""
    credentials: Credentials
