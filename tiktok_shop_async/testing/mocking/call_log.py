"""Calls that a mocked operation received, and assertions about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import httpx

from ...errors import InvalidArgumentError
from ...pipeline.operation import Operation
from .call_arguments import normalize_arguments
from .comparison import describe_argument_differences, safe_repr

_MAX_CALLS_SHOWN = 3


@attrs.frozen(kw_only=True)
class MockCall:
    """A call that a mocked operation received."""

    arguments: Mapping[str, Any] = attrs.field(repr=safe_repr)
    """JSON values by their Python names, without arguments that were not given."""
    version: str
    request: httpx.Request = attrs.field(repr=False)


class CallLog:
    """Received calls of one operation."""

    # Without a __dict__, so that a misspelt attribute cannot be set.
    __slots__ = ("__weakref__", "_operation", "calls")

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self.calls: list[MockCall] = []
        """All calls so far, oldest first."""

    @property
    def called(self) -> bool:
        """Whether there was a call."""
        return bool(self.calls)

    @property
    def call_count(self) -> int:
        """The number of calls."""
        return len(self.calls)

    def assert_called_once(self) -> None:
        """Fail unless there was exactly one call, with any arguments."""
        if len(self.calls) != 1:
            raise AssertionError(
                f"{self._operation.id} was called {len(self.calls)} times, not once."
            )

    def assert_called_once_with(self, **arguments: Any) -> None:
        """Fail unless there was exactly one call, with exactly these arguments."""
        self.assert_called_once()
        self.assert_called_with(**arguments)

    def assert_called_with(self, **arguments: Any) -> None:
        """Fail unless the last call had exactly these arguments."""
        if not self.calls:
            raise AssertionError(f"{self._operation.id} was not called.")
        found = describe_argument_differences(
            self._operation, self.calls[-1].arguments, self._normalize(arguments)
        )
        if found:
            raise AssertionError(
                f"the last call of {self._operation.id} was not with the expected arguments:{found}"
            )

    def assert_any_call(self, **arguments: Any) -> None:
        """Fail unless a call had exactly these arguments."""
        expected = self._normalize(arguments)
        found = [
            describe_argument_differences(self._operation, call.arguments, expected)
            for call in self.calls
        ]
        if "" not in found:
            latest = list(enumerate(found, 1))[-_MAX_CALLS_SHOWN:]
            details = "".join(f"\ncall {number}:{lines}" for number, lines in latest)
            raise AssertionError(
                f"none of {len(self.calls)} calls of {self._operation.id} "
                f"had the expected arguments {safe_repr(expected)}.{details}"
            )

    def assert_not_called(self) -> None:
        """Fail if there was a call."""
        if self.calls:
            raise AssertionError(
                f"{self._operation.id} was called {len(self.calls)} times, but no call was "
                "expected."
            )

    def _normalize(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return normalize_arguments(self._operation, arguments)
        except (InvalidArgumentError, OSError, ValueError) as error:
            raise AssertionError(
                f"{self._operation.id} cannot be called with the expected arguments: {error}"
            ) from error
