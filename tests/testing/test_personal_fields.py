"""Every field of the catalogue that looks personal is masked, or listed as one that is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from catalogue import ROOT, Node, operations
from tiktok_shop_async.testing import PERSONAL_FIELDS, SECRET_FIELDS
from tiktok_shop_async.testing.recording.masking import Masking, is_readable

LISTED = Path(__file__).with_name("fields_that_are_not_personal.txt")
LOOKS_PERSONAL = re.compile(
    r"""(?x) (?:^|_) (?:
        account|addr|address|age|agent|avatar|bank|bio|birth|birthday|body|building|buyer|card|cell
        |chat|city|cnpj|comment|comments|company|consignee|contact|content|cpf|creator|customer
        |description|detail|details|dob|doc|document|email|emails|face|fax|feedback|file|full|gender
        |geo|handle|house|identity|image|images|imei|ip|keyword|lat|latitude|license|licence|link
        |links|lon|longitude|mail|memo|merchant|message|messages|mobile|msg|name|names|nation
        |national|nationality|nick|nickname|note|notes|operator|owner|passport|patient|payer|person|personal
        |phone|photo|picture|plaintext|postal|postcode|prescription|profile|proof|province|query
        |receiver|recipient|registry|remark|review|reviewer|seller|sender|sign|signature|ssn|state|street
        |suburb|tax|taxpayer|tel|telephone|text|tin|title|town|tracking|uri|uris|url|urls|user
        |username|vat|video|voice|waybill|wechat|whatsapp|zip|zipcode
    ) (?:_|\d|$)"""
)
"""Words of names that call for a look at the field."""
LOOKS_LIKE_A_PERSONS = re.compile(
    r"@\w|\*{3}|\+\d{6}|^\d{3}[-.]\d{3}|^\d\d\.\d{3}\.\d{3}/|(?i:\b(?:street|avenue)\b)"
)
"""What e-mail addresses, telephone and tax numbers and the like look like in an example."""
IS_A_SUM = re.compile(
    r"(?x) (?:^|_) (?: amount|bonus|charge|commission|cost|count|deduction|discount|fee|gmv|num"
    r"|percent|percentage|price|rate|subsidy|tax|total|vat|withheld ) (?:_(?!number|info)|\d|$)"
)
"""Words of the names of sums of money, shares and counts, whoever pays them."""


@attrs.frozen
class Field:
    parent: str
    name: str
    node: Node = attrs.field(hash=False)

    @property
    def qualified(self) -> str:
        return f"{self.parent}.{self.name}"

    @property
    def looks_personal(self) -> bool:
        if LOOKS_LIKE_A_PERSONS.search(str(self.node.get("example", ""))):
            return True
        is_plain = is_readable(self.name) or IS_A_SUM.search(self.name)
        return not is_plain and LOOKS_PERSONAL.search(self.name) is not None


def messages() -> Iterator[tuple[str, dict[str, Node]]]:
    """Yield the arguments, the response and the event data of everything, with its name."""
    for name, operation in operations().items():
        for place in ("query", "body", "response"):
            yield name.rpartition(".")[2], operation[place]
    for webhook in json.loads((ROOT / "webhooks.json").read_text())["webhooks"]:
        yield webhook["name"], webhook["data"]


def leaf_of(node: Node) -> Node:
    """Return the node of a list's items, or of what is no list."""
    return leaf_of(node["items"]) if node["type"] == "array" else node


def fields_of(message: dict[str, Node], parent: str) -> Iterator[Field]:
    """Yield the fields that hold text; enums, times and other numbers are not looked at."""
    for name, node in message.items():
        leaf = leaf_of(node)
        if leaf.get("fields"):
            yield from fields_of(leaf["fields"], name)
        elif leaf["type"] == "string" and not leaf.get("format") and "const" not in leaf:
            yield Field(parent, name, leaf)


def example(node: Node, place: str) -> Any:
    """Return an example whose texts say which field they are of."""
    match node["type"]:
        case "array":
            return [example(node["items"], place)]
        case "object" | "file":
            fields = node.get("fields", {})
            return {name: example(child, f"{place}/{name}") for name, child in fields.items()}
        case "string":
            return f"text of {place}"
        case _:
            return 1


def unmasked_fields() -> Iterator[Field]:
    """Yield the fields that a recording shows."""
    for name, message in messages():
        document = example({"type": "object", "fields": message}, "")
        masked = json.dumps(Masking(SECRET_FIELDS, PERSONAL_FIELDS).mask(document, name))
        shown = set(re.findall(r"text of ([\w/]+)", masked))
        shown_fields = {tuple(f"{name}{place}".split("/")[-2:]) for place in shown}
        for field in fields_of(message, name):
            if (field.parent, field.name) in shown_fields:
                yield field


def listed() -> set[str]:
    lines = LISTED.read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def test_every_field_that_looks_personal_is_classified() -> None:
    known = listed()
    unknown = {
        field.qualified
        for field in unmasked_fields()
        if field.looks_personal and not {field.name, field.qualified} & known
    }
    assert not unknown, (
        "These fields look personal. Add each to PERSONAL_FIELDS in tiktok_shop_async/"
        f"_personal_data.py if it is, or to {LISTED.name} if it is not:\n"
        + "\n".join(sorted(unknown))
    )


def test_the_list_has_nothing_that_is_masked_or_gone() -> None:
    shown = {name for field in unmasked_fields() for name in (field.name, field.qualified)}
    assert listed() <= shown


def test_every_personal_field_with_a_parent_is_in_the_catalogue() -> None:
    known = {field.qualified for name, message in messages() for field in all_fields(message, name)}
    assert {field for field in PERSONAL_FIELDS if "." in field} <= known


def all_fields(message: dict[str, Node], parent: str) -> Iterator[Field]:
    """Yield the fields that have no text of their own, too."""
    for name, node in message.items():
        leaf = leaf_of(node)
        yield Field(parent, name, leaf)
        yield from all_fields(leaf.get("fields", {}), name)
