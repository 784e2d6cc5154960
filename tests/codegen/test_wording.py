"""The sentences of the real catalogue, and the docstrings and annotations made from it."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest

from codegen.catalogue import OperationFacts, groups, load, load_events
from codegen.nouns import noun_phrase
from codegen.text import pascal
from codegen.types import kind_of
from codegen.wording import Wording, wording_of
from tiktok_shop_async.pipeline.arguments.kinds import Time, convert

OPERATIONS = load()
EVENTS = [event.operation for event in load_events()]
IN_GROUP = {
    group: [operation for operation in OPERATIONS if operation.group == group] for group in groups()
} | {"webhook": EVENTS}
WORDINGS = {group: wording_of(group, members) for group, members in IN_GROUP.items()}

UNCLEAR = re.compile(
    r"\b(answers?|tells?|told|hears?|knows|nobody|shall|anew|whoever|turn(ed)? down)\b"
    r"|Nothing beyond"
)
"""Words for which the field has standard terms."""


def sentences(wording: Wording) -> dict[str, str]:
    """Return all texts of a group by the names that lead to them."""

    def walk(path: str, value: Any) -> dict[str, str]:
        if isinstance(value, str):
            return {path: value}
        return {
            key: text
            for name, inner in value.items()
            for key, text in walk(f"{path}.{name}", inner).items()
        }

    nouns_aside = {
        name: {key: value for key, value in entry.items() if key != "noun"}
        for name, entry in wording.models.items()
    }
    return walk(wording.group, wording.operations) | walk("models", nouns_aside)


def method(operation: OperationFacts) -> Any:
    module = import_module(f"tiktok_shop_async.resources.{operation.group}")
    return getattr(getattr(module, f"{pascal(operation.group)}Resource"), operation.name)


@pytest.mark.parametrize("group", WORDINGS)
def test_sentences_are_complete_and_plain(group: str) -> None:
    for path, text in sentences(WORDINGS[group]).items():
        assert text.endswith("."), (path, text)
        assert text[0].isupper() or text[0] == "`", (path, text)
        assert not UNCLEAR.search(text), (path, text)


SECTIONS = ["Args", "Returns", "Raises", "Versions", "Source"]


@pytest.mark.parametrize("group", groups())
def test_methods_document_their_result_and_an_unknown_outcome(group: str) -> None:
    for operation in IN_GROUP[group]:
        doc = inspect.getdoc(method(operation)) or ""
        sections = re.findall(rf"^({'|'.join(SECTIONS)}):", doc, re.MULTILINE)
        assert sections == sorted(sections, key=SECTIONS.index), operation.id
        assert "Returns" in sections, operation.id
        if not operation.response:
            assert "Returns:\n    An `APIResponse` whose data has no fields." in doc, operation.id
        if operation.idempotency_key:
            assert "OutcomeUnknownError: The write may have been processed." in doc, operation.id
            assert "\n    idempotency_key: " in doc, operation.id


@pytest.mark.parametrize("group", groups())
def test_every_time_accepts_a_datetime_or_date(group: str) -> None:
    """In its annotation, and in the conversion before it is sent."""
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    for operation in IN_GROUP[group]:
        annotations = inspect.get_annotations(method(operation))
        for name, kind in times(operation):
            expected = "date" if kind is Time.DATE else "datetime"
            assert re.search(rf"\b{expected}\b", annotations[name]), (operation.id, name)
            assert convert(moment.date() if kind is Time.DATE else moment, kind, name)


def times(operation: OperationFacts) -> list[tuple[str, Time]]:
    """Return the arguments of an operation that are times, with their kinds."""
    kinds = [
        (argument.name, kind_of(argument.node).strip("[]"))
        for argument in operation.all_arguments()
        if argument.node.type != "file"
    ]
    return [
        (name, Time[kind.removeprefix("Time.")]) for name, kind in kinds if kind.startswith("Time.")
    ]


def test_159_arguments_are_times() -> None:
    assert sum(len(times(operation)) for operation in OPERATIONS) == 159


def test_a_position_in_a_video_is_not_a_time() -> None:
    """It is a number of milliseconds, although it is named a timestamp."""
    creator = next(one for one in OPERATIONS if one.name == "post_shoppable_video")
    video = creator.arguments["body"]["video_info"]
    assert kind_of(video.fields["cover_timestamp_ms"]) == "int"


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("amount", "An amount"), ("sku price", "A SKU price"), ("spu", "An SPU"),
        ("line items", "Line items"), ("tax info", "Tax information"), ("unit", "A unit"),
        ("hour interval", "An hour interval"), ("avg rate", "An average rate"),
        ("status", "A status"), ("unboxing case", "An unboxing case"), ("details", "Details"),
    ],
)  # fmt: skip
def test_nouns_get_their_article(noun: str, expected: str) -> None:
    assert noun_phrase(noun) == expected
