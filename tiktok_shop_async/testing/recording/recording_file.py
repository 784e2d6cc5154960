"""File of a recording: reading, and writing in one step."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from secrets import token_hex
from typing import Any

import attrs

from ..._internal.lenient_json import load_document
from .json_text import dump_json


@attrs.frozen
class Recording:
    """The content of a recording."""

    calls: list[dict[str, Any]]
    masked_fields: Collection[str]
    """Fields that were masked beside `PERSONAL_FIELDS` and `SECRET_FIELDS`."""


def read_recording(path: Path) -> Recording:
    """Return the content of a recording; raise `ValueError` if the file is not one."""
    try:
        document = load_document(path.read_bytes())
        calls: list[dict[str, Any]] = document["calls"]
        for call in calls:
            request, response = call["request"], call["response"]
            _ = request["operation"], request["method"], request["path"].split("/")
            _ = response["status"], response["headers"].items()
        return Recording(calls, document.get("masked_fields", []))
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a recording: {error!r}.") from error


def write_recording(path: Path, recording: Recording) -> None:
    """Write a recording in one step: the file is complete, or stays as it was."""
    document: dict[str, Any] = {"calls": recording.calls}
    if recording.masked_fields:
        document["masked_fields"] = sorted(recording.masked_fields)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        part.write_text(dump_json(document, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
