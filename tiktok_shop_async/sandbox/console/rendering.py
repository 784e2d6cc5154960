"""Templates, and their filters for times, amounts and bodies."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..._internal.redaction import redact, redact_start
from ..inputs.amounts import format_amount
from ..state.request_log import MAX_BODY, LoggedBody


@cache
def environment() -> Environment:
    """Return the template environment, which escapes all values."""
    templates = Environment(
        loader=PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        breakable=breakable,
        date=date,
        duration=duration,
        isotime=isotime,
        money=format_amount,
        plural=plural,
        words=words,
    )
    return templates


def render(template: str, **values: Any) -> bytes:
    """Return a page; text that UTF-8 cannot encode becomes escapes."""
    page = environment().get_template(template).render(**values)
    return page.encode("utf-8", "backslashreplace")


def date(seconds: float) -> str:
    """Return a readable time in UTC."""
    return f"{_moment(seconds):%Y-%m-%d %H:%M:%S}"


def isotime(seconds: float) -> str:
    """Return a time for the HTML attribute ``datetime``."""
    return f"{_moment(seconds):%Y-%m-%dT%H:%M:%SZ}"


def breakable(name: object) -> Markup:
    """Return a path or name with line breaks allowed after its separators."""
    return Markup("<wbr>").join(re.split(r"(?<=[/._-])(?=\w)", str(name)))


def words(name: str) -> str:
    """Return a constant's name in words: ``AWAITING_SHIPMENT`` is Awaiting shipment."""
    return name.replace("_", " ").capitalize()


def plural(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Return a time span in its largest units: ``2 h 5 min``."""
    left, parts = round(abs(seconds)), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2]) or "0 s"


@lru_cache(maxsize=8)  # the page of a request is updated regularly while it is open
def body_text(body: LoggedBody, secrets: tuple[str, ...]) -> str:
    """Return a readable body: with indented JSON and masked secrets."""
    if body.cut:
        return redact_start(body.start, MAX_BODY, secrets)
    return redact(indented(body.start.decode("utf-8", "replace")), secrets)


def indented(text: str) -> str:
    """Return JSON with indents, and any other text unchanged."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):  # a clock that was moved beyond the year 9999
        return datetime.max.replace(tzinfo=UTC)
