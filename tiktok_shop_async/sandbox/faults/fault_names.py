"""Checks of the names in a fault rule: its operation and its options."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from ...registry import did_you_mean
from ..inputs.catalogue import all_operations, group_names
from ..inputs.json_input import shortened

TOKEN_OPERATIONS = ("oauth.exchange", "oauth.refresh")
"""Ids of the token endpoints, which the catalogue lacks."""

_MAX_LENGTH = 200


def check_operation(_: Any, __: Any, value: object) -> None:
    """Reject a pattern that matches no operation: a validator of attrs."""
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        raise ValueError(
            f"operation must be an operation's id or a pattern, not {shortened(value)}"
        )
    if value != "*" and not any(fnmatchcase(each, value) for each in _operation_ids()):
        raise ValueError(
            f"operation {shortened(value)} matches no operation.{_suggestion(value)} "
            'It must be an id such as "order.get_order_list" or a pattern such as "order.*".'
        )


def problem_with_options(names: Iterable[str], known: Sequence[str]) -> str | None:
    """Return an error message for the first unknown option; None if all are known."""
    unknown = next((name for name in names if name not in known), None)
    if unknown is None:
        return None
    return (
        f"a rule has an unexpected option {shortened(unknown)}.{did_you_mean(unknown, known)} "
        f"Accepted are {', '.join(known)}."
    )


def _suggestion(value: str) -> str:
    same_name = [each for each in _operation_ids() if each.endswith(f".{value}")]
    if same_name:
        return f" Did you mean {' or '.join(same_name[:3])}?"
    return did_you_mean(value, [*_operation_ids(), *(f"{group}.*" for group in group_names())])


@cache
def _operation_ids() -> tuple[str, ...]:
    return (*(each.id for each in all_operations()), *TOKEN_OPERATIONS)
