"""Times of made-up objects, in the order in which such things happen."""

from __future__ import annotations

from time import gmtime, strftime

from .shapes import Node

NOW = 1_790_000_000
"""Unix seconds around which all made-up times lie; a fixed one, so that examples stay the same."""

_LONGEST_LIFE = 100 * 3600
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
"""Word of a time's name -> hours after the order that it belongs to; the first here decides."""
_OTHERWISE = 30
_UPDATES_AT, _LAST_AT = 80, 90
_EARLIEST = 100_000_000
_ENDINGS = ("time", "timestamp", "deadline", "date", "at")


def is_time(node: Node, name: str) -> bool:
    """Whether a field without a format is a time in seconds, by its name and its example."""
    words = name.split("_")
    if node["type"] not in ("integer", "string") or words[-1] not in _ENDINGS:
        return False
    example = node.get("example")
    if example is None:
        return "response" not in words  # how long one took
    return isinstance(example, int) and example > _EARLIEST


def moment(name: str, beginning: int, rank: int) -> int:
    """Return when something happened, in Unix seconds.

    Args:
        name: The field's name, which decides what comes before what.
        beginning: A number that decides when the first of an object's times was.
        rank: Where the object is among those of its list; a later one is a little younger.
    """
    first = NOW - _LONGEST_LIFE - beginning % (30 * 86400)
    return first + 3600 * _hours(name) + 37 * rank % 3600


def date(name: str, beginning: int, rank: int) -> str:
    """Return the day of a `moment`."""
    return strftime("%Y-%m-%d", gmtime(moment(name, beginning, rank)))


def _hours(name: str) -> int:
    words = frozenset(name.split("_"))
    if words & _UPDATED:
        return _UPDATES_AT
    if words & _LAST:
        return _LAST_AT
    if {"order", "create"} <= words:
        return 0
    return next((hours for word, hours in _HOURS.items() if word in words), _OTHERWISE)
