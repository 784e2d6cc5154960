"""Conversion of names, and wrapping of docstrings."""

from __future__ import annotations

import keyword
import re
import textwrap

WIDTH = 100

_RESERVED = {"self"}
_SAME_IN_PLURAL = {"address", "details", "goods", "news", "sales", "series", "sms", "status"}
_IRREGULAR = {"batchs": "batch", "children": "child", "skus": "sku", "spus": "spu", "taxes": "tax"}


def identifier(wire: str) -> str:
    """Return a valid Python name for a wire name: ``24h_live_gmv`` becomes ``live_gmv_24h``."""
    name = re.sub(r"\W", "_", wire).lower()
    leading = re.match(r"(\d\w*?)_(.+)", name)
    if leading:
        name = f"{leading[2]}_{leading[1]}"
    return f"{name}_" if keyword.iskeyword(name) or name in _RESERVED else name


def pascal(name: str) -> str:
    """Return ``line_items`` as ``LineItems``."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9A-Za-z]+", name) if part)


def snake(name: str) -> str:
    """Return ``LineItem`` as ``line_item``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def singular(name: str) -> str:
    """Return the singular of a field name: ``line_items`` becomes ``line_item``."""
    head, _, last = name.rpartition("_")
    if last == "list" and head:
        return singular(head)
    return f"{head}_{_singular_word(last)}" if head else _singular_word(last)


def _singular_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _SAME_IN_PLURAL or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith(("statuses", "sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and len(word) > 2 else word


def words(name: str) -> str:
    """Return ``LineItem`` or ``line_item`` as ``line item``."""
    return snake(name).replace("_", " ")


def docstring(text: str, indent: int) -> list[str]:
    """Return the lines of a docstring with each paragraph and section entry wrapped."""
    margin = " " * indent
    one_line = f'{margin}"""{text}"""'
    if "\n" not in text and len(one_line) <= WIDTH:
        return [one_line]
    lines: list[str] = []
    section = ""
    for paragraph in f'"""{text}'.split("\n"):
        if paragraph.endswith(":") and not paragraph.startswith(" "):
            section = paragraph
        named_entry = paragraph.startswith(" ") and section in ("Args:", "Raises:")
        lines += _wrapped(paragraph, indent, hanging=4 if named_entry else 0) or [""]
    return [*lines, f'{margin}"""']


def _wrapped(paragraph: str, indent: int, *, hanging: int) -> list[str]:
    if paragraph.startswith("Source: "):  # a URL stays on the line of its label
        return [" " * indent + paragraph]
    inner = len(paragraph) - len(paragraph.lstrip())
    return textwrap.wrap(
        paragraph.strip(),
        WIDTH,
        initial_indent=" " * (indent + inner),
        subsequent_indent=" " * (indent + inner + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
