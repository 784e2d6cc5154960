"""Example values of the catalogue's shapes: complete, plausible, and determined by a seed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from random import Random
from typing import Any

import attrs

from .example_keys import is_key, make_number_key, make_text_key, rank_of, template_of
from .example_times import example_date, example_time, is_time
from .shapes import Fields, Node, in_version

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
"""Format of a text field by the last word of the field's name."""

_TIMES = {"unix-seconds": 1, "unix-milliseconds": 1000}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@attrs.frozen(kw_only=True)
class Examples:
    """A generator of example values, with the fields of an API version."""

    seed: str = "0"
    version: str | None = None
    items: int = 2
    """The number of items in a list, unless the list's maximum is lower."""

    def make_object(self, fields: Fields, path: str = "") -> dict[str, Any]:
        """Return an object with all ``fields``."""
        known = fields if self.version is None else in_version(fields, self.version)
        return {name: self.make_value(node, name, f"{path}.{name}") for name, node in known.items()}

    def make_value(self, node: Node, name: str, path: str) -> Any:
        """Return a value of ``node``, determined by its path and the seed."""
        match node["type"]:
            case "array":
                count = min(self.items, node.get("max_items", self.items))
                return [
                    self.make_value(node["items"], name, f"{path}[{at}]") for at in range(count)
                ]
            case "object" | "file":
                return self.make_object(node.get("fields", {}), path)
        if node["type"] in ("integer", "string"):
            known = self._known(node, name, path)
            if known is not None:
                return int(known) if node["type"] == "integer" else str(known)
        return self._random(node, name, path)

    def _random(self, node: Node, name: str, path: str) -> Any:
        random = Random(f"{self.seed}{path}")  # noqa: S311 - nothing secret
        match node["type"]:
            case "boolean":
                return random.random() < 0.5
            case "number":
                return round(random.uniform(node.get("minimum", 0), node.get("maximum", 100)), 2)
            case "integer":
                return _integer(node, random)
            case _:
                return _text(node, name, random)

    def _known(self, node: Node, name: str, path: str) -> int | str | None:
        """Return a time or a key, which must be consistent with those of other fields."""
        time = self._time(node, name, path)
        if time is None and _is_free(node) and is_key(node, name):
            return self._key(node, path)
        return time

    def _time(self, node: Node, name: str, path: str) -> int | str | None:
        form = node.get("format", "unix-seconds" if is_time(node, name) else "")
        if form not in _TIMES and not _is_date(node):
            return None
        beginning, rank = _number_of(self.seed), rank_of(path)
        if form in _TIMES:
            return example_time(name, beginning, rank) * _TIMES[form]
        return example_date(name, beginning, rank)

    def _key(self, node: Node, path: str) -> str:
        start, rank = _number_of(f"{self.seed}{template_of(path)}"), rank_of(path)
        example = str(node.get("example", "")).strip()
        if node["type"] == "integer":
            return make_number_key(min(max(len(example), 6), 18), start, rank)
        return make_text_key(example, start, rank)


def _number_of(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def _is_free(node: Node) -> bool:
    return "const" not in node and not node.get("enum") and "format" not in node


def _is_date(node: Node) -> bool:
    if node["type"] != "string" or "enum" in node:
        return False
    return node.get("format") == "date" or _DATE.fullmatch(str(node.get("example"))) is not None


def _integer(node: Node, random: Random) -> int:
    if isinstance(node.get("const", node.get("example")), int):
        return int(node.get("const", node.get("example")))
    low = node.get("minimum", 1)
    return random.randint(int(low), int(node.get("maximum", low + 99)))


def _text(node: Node, name: str, random: Random) -> str:
    if "const" in node:
        return str(node["const"])
    if node.get("enum"):
        return str(random.choice(node["enum"]))
    number = str(random.randrange(10**18, 10**19))
    example = node.get("example")
    if isinstance(example, str) and example:
        return number[: len(example)] if example.isdigit() and len(example) >= 10 else example
    formatted = {"iso-4217": "USD", "bcp-47": "en-US"}.get(node.get("format", ""))
    pattern = _BY_LAST_WORD.get(name.rpartition("_")[2], "{name} {number:.3}")
    cents = f"{random.randrange(1, 200)}.{random.randrange(100):02}"
    return formatted or pattern.format(name=name, number=number, cents=cents)
