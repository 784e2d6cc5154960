"""The times of example objects, in a plausible order."""

from __future__ import annotations

from time import gmtime, strftime

from .shapes import Node

NOW = 1_790_000_000
"""Unix seconds close to all example times; fixed, so that examples never change."""

_MAX_LIFETIME = 100 * 3600
_UPDATED = frozenset({"update", "updated"})
_LAST = frozenset(
    {
        *("cut", "deadline", "due", "end", "estimated", "expect", "expected", "expiration"),
        *("expire", "latest", "predicted", "recommended", "require", "required", "schedule"),
        *("sla", "terminated"),
    }
)
_HOURS = {
    "create": 1,
    "start": 1,
    "begin": 1,
    "paid": 10,
    "request": 20,
    "submit": 20,
    "settlement": 70,
    "payment": 70,
    "refund": 70,
    "cancel": 65,
    "completion": 65,
    "statement": 60,
    "sign": 55,
    "delivery": 50,
    "deliver": 50,
    "arrive": 50,
    "arrived": 50,
    "arrival": 50,
    "ship": 40,
    "collection": 42,
    "pickup": 42,
}
"""Hours after the order, by a word of the time's name; the first match applies."""
_OTHERWISE = 30
_UPDATES_AT, _LAST_AT = 80, 90
_EARLIEST = 100_000_000
_ENDINGS = ("time", "timestamp", "deadline", "date", "at")


def is_time(node: Node, name: str) -> bool:
    """Return whether a field without a format is a time in seconds, by its name and example."""
    words = name.split("_")
    if node["type"] not in ("integer", "string") or words[-1] not in _ENDINGS:
        return False
    example = node.get("example")
    if example is None:
        return "response" not in words  # a response time is a duration
    return isinstance(example, int) and example > _EARLIEST


def example_time(name: str, beginning: int, rank: int) -> int:
    """Return the time of an event, in Unix seconds.

    Args:
        name: The field's name, which determines the order of the times of an object.
        beginning: A number that determines the first time of an object.
        rank: The position of the object in its list; later objects are slightly younger.
    """
    first = NOW - _MAX_LIFETIME - beginning % (30 * 86400)
    return first + 3600 * _hours(name) + 37 * rank % 3600


def example_date(name: str, beginning: int, rank: int) -> str:
    """Return the day of an `example_time`."""
    return strftime("%Y-%m-%d", gmtime(example_time(name, beginning, rank)))


def _hours(name: str) -> int:
    words = frozenset(name.split("_"))
    if words & _UPDATED:
        return _UPDATES_AT
    if words & _LAST:
        return _LAST_AT
    if {"order", "create"} <= words:
        return 0
    return next((hours for word, hours in _HOURS.items() if word in words), _OTHERWISE)
