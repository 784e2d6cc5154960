"""Made-up values of the catalogue's shapes: full, plausible, the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import attrs

from . import Fields, Node, in_version

NOW = 1_790_000_000
"""Unix seconds around which all made-up times lie; a fixed one, so that examples stay the same."""

_BY_LAST_WORD: Mapping[str, str] = {
    "url": "https://shop.example/{name}/{number}",
    "uri": "tos-example-i-o3syd03w52-us/{number}",
    "email": "buyer-{number:.6}@mail.example",
    "currency": "USD",
    "region": "US",
    "code": "{number:.8}",
    "id": "{number}",
    "ids": "{number}",
    "token": "{name}-{number:.8}",
    "cipher": "EXAMPLE_{number}",
    "amount": "{cents}",
    "price": "{cents}",
    "fee": "{cents}",
    "tax": "{cents}",
    "total": "{cents}",
    "discount": "{cents}",
    "gmv": "{cents}",
    "rate": "0.{number:.2}",
    "percentage": "0.{number:.2}",
    "number": "{number}",
    "base64": "AAAA",
}
"""Last word of a field's name -> what its text looks like."""


@attrs.frozen(kw_only=True)
class Examples:
    """Makes values; ``version`` decides which fields they have."""

    seed: str = "0"
    version: str | None = None
    items: int = 2
    """How many a list holds, if it may hold so many."""

    def of_fields(self, fields: Fields, path: str = "") -> dict[str, Any]:
        """Return an object with all of ``fields``."""
        known = fields if self.version is None else in_version(fields, self.version)
        return {name: self.of(node, name, f"{path}.{name}") for name, node in known.items()}

    def of(self, node: Node, name: str, path: str) -> Any:
        """Return a value of ``node``; its place, together with the seed, decides which one."""
        match node["type"]:
            case "array":
                count = min(self.items, node.get("max_items", self.items))
                return [self.of(node["items"], name, f"{path}[{at}]") for at in range(count)]
            case "object" | "file":
                return self.of_fields(node.get("fields", {}), path)
        random = Random(f"{self.seed}{path}")  # noqa: S311 - nothing secret
        match node["type"]:
            case "boolean":
                return random.random() < 0.5
            case "integer":
                return _integer(node, random)
            case "number":
                return round(random.uniform(node.get("minimum", 0), node.get("maximum", 100)), 2)
            case _:
                return _text(node, name, random)


def _integer(node: Node, random: Random) -> int:
    time = _time(node, random)
    if time is not None:
        return time
    if isinstance(node.get("const", node.get("example")), int):
        return int(node.get("const", node.get("example")))
    low = node.get("minimum", 1)
    return random.randint(int(low), int(node.get("maximum", low + 99)))


def _time(node: Node, random: Random) -> int | None:
    seconds = NOW - random.randrange(30 * 86400)
    return {"unix-seconds": seconds, "unix-milliseconds": seconds * 1000}.get(
        node.get("format", "")
    )


def _text(node: Node, name: str, random: Random) -> str:
    if "const" in node:
        return str(node["const"])
    if node.get("enum"):
        return str(random.choice(node["enum"]))
    time = _time(node, random)
    if time is not None:
        return str(time)
    number = str(random.randrange(10**18, 10**19))
    example = node.get("example")
    if isinstance(example, str) and example:
        # Ids must differ from one another, and keep their length.
        return number[: len(example)] if example.isdigit() and len(example) >= 10 else example
    made = {"iso-4217": "USD", "bcp-47": "en-US", "date": "2026-09-21"}.get(node.get("format", ""))
    pattern = _BY_LAST_WORD.get(name.rpartition("_")[2], "{name} {number:.3}")
    cents = f"{random.randrange(1, 200)}.{random.randrange(100):02}"
    return made or pattern.format(name=name, number=number, cents=cents)
