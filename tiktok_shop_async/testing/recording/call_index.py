"""Index of recorded requests, so that a replay does not compare each of them with each call."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from heapq import merge
from typing import Any

from .masking import MASK
from .matching import Matcher, called

_VARIABLE = re.compile(rf'{MASK.pattern}|[{{["]')
"""Parts of a recorded path that may match other text: masks, and JSON."""

Request = Mapping[str, Any]
Location = tuple[str, str]


class CallIndex:
    """Recorded requests, each of which can be taken once."""

    def __init__(self, requests: Iterable[Request], matcher: Matcher) -> None:
        self._requests = list(requests)
        self._matcher = matcher
        self._unused = set(range(len(self._requests)))
        # Positions of unused requests in ascending order: equal requests, and those at a location.
        self._equal: dict[Hashable, list[int]] = defaultdict(list)
        self._located: dict[Location, list[int]] = defaultdict(list)
        for position, request in enumerate(self._requests):
            for positions in self._entries(request):
                positions.append(position)

    def take(self, sent: Request) -> int | None:
        """Return the position of the first unused request that matches, and mark it as used.

        One that equals ``sent`` comes first: a mask that an earlier response contained belongs to
        its own request before it matches any other.
        """
        position = self._find(sent)
        if position is not None:
            self._unused.remove(position)
            for positions in self._entries(self._requests[position]):
                del positions[bisect_left(positions, position)]
        return position

    def count(self, sent: Request) -> int:
        """Return how many recorded requests match, used ones included."""
        return sum(self._matcher.matches(request, sent) for request in self._requests)

    def unused(self) -> list[int]:
        """Return the positions of the requests that were not taken."""
        return sorted(self._unused)

    def _find(self, sent: Request) -> int | None:
        if equal := self._equal.get(_hashable(sent)):
            return equal[0]
        operation, path = self._location(sent)
        candidates = merge(
            self._located.get((operation, path), ()), self._located.get((operation, ""), ())
        )
        return next(
            (at for at in candidates if self._matcher.matches(self._requests[at], sent)), None
        )

    def _entries(self, recorded: Request) -> tuple[list[int], list[int]]:
        operation, path = self._location(recorded)
        location = operation, "" if _VARIABLE.search(path) else path
        return self._equal[_hashable(recorded)], self._located[location]

    def _location(self, request: Request) -> Location:
        """Return the operation and path of a request; a part that may differ is empty."""
        ignored = self._matcher.ignored
        return (
            "" if "operation" in ignored else called(request),
            "" if "path" in ignored else request["path"],
        )


def _hashable(value: Any) -> Hashable:
    """Return an equal value for equal JSON."""
    if isinstance(value, Mapping):
        return frozenset((name, _hashable(child)) for name, child in value.items())
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    scalar: Hashable = value
    return scalar
