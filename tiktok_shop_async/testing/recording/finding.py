"""Finds masked text where it appears again: as it is, escaped, or percent-encoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

_ESCAPE = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|\\+u(?P<pair>[dD][89abAB][0-9a-fA-F]{2}\\+u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\+(?:u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|x(?P<x>[0-9a-fA-F]{2}))"
    r"|\\+(?P<letter>[nrtbf])"
    r"|(?P<html>&(?:\#\d{1,7}|\#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});)"
    r"|\\+(?P<itself>[^\\]?)|(?P<plus>\+)",
    re.DOTALL,
)
_ANY_CHARACTER = re.compile(".", re.DOTALL)
_BEGINNING_OF_A_WORD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]|[^A-Za-z0-9]")
"""Where text that stands alone may begin."""
_IDENTIFIER = re.compile(r"\w+", re.ASCII)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_MAX_TIMES_ENCODED = 4
_SHORTEST_IN_ANY_CASE = 8
"""Shorter names are also words: Bath and bath, Green and green."""

Span = tuple[int, int]


class Finder:
    """Finds texts in others; the longest one wins where several fit."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._inside_words: set[str] = set()
        self._by_beginning: dict[str, list[str]] = {}

    def add(self, text: str, *, inside_words: bool = False) -> None:
        """Look for ``text`` from now on: between other letters and digits only if told so."""
        plain = _decoded(text)[0].strip()
        if len(plain) < 2:
            return
        if plain not in self._texts:
            self._texts[plain] = text
            alike = self._by_beginning.setdefault(_lowered(plain[:2]), [])
            alike.append(plain)
            alike.sort(key=len, reverse=True)
        if inside_words:
            self._inside_words.add(plain)

    def known(self, text: str) -> str | None:
        """Return what was added, if ``text`` is the same in any encoding."""
        return self._texts.get(_decoded(text)[0].strip())

    def replace(
        self,
        text: str,
        mask: Callable[[str], str],
        accepts: Callable[[str], bool] = lambda _: True,
    ) -> str:
        """Return ``text`` with each text found replaced by its mask.

        Args:
            mask: Returns the mask of a text that was added.
            accepts: Whether a text that was added is looked for here.
        """
        if not self._texts:
            return text
        plain, spans = _decoded(text)
        lowered = _lowered(plain)
        parts: list[str] = []
        done = end = 0
        anywhere = any(inside in plain for inside in self._inside_words)
        for beginning in (_ANY_CHARACTER if anywhere else _BEGINNING_OF_A_WORD).finditer(plain):
            at = beginning.start()
            alike = self._by_beginning.get(lowered[at : at + 2]) if at >= end else None
            found = self._found_among(alike, plain, at, accepts) if alike else None
            if found is None:
                continue
            end = at + len(found)
            first, last = (spans[at][0], spans[end - 1][1]) if spans else (at, end)
            parts += text[done:first], mask(self._texts[found])
            done = last
        return "".join([*parts, text[done:]]) if parts else text

    def _found_among(
        self, candidates: list[str], plain: str, at: int, accepts: Callable[[str], bool]
    ) -> str | None:
        for candidate in candidates:
            if self._is_at(plain, at, candidate) and accepts(self._texts[candidate]):
                return candidate
        return None

    def _is_at(self, plain: str, at: int, text: str) -> bool:
        """Whether ``text`` is at that place; the case of long text does not matter."""
        if text in self._inside_words:
            return plain.startswith(text, at)
        if len(text) < _SHORTEST_IN_ANY_CASE:
            return plain.startswith(text, at) and _stands_alone(plain, at, text)
        found = plain[at : at + len(text)]
        return _lowered(found) == _lowered(text) and _stands_alone(plain, at, found)


def _lowered(text: str) -> str:
    """Return ``text`` in lower case, where that has as many characters."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := each.lower()) == 1 else each for each in text)


def _stands_alone(plain: str, at: int, text: str) -> bool:
    """Whether no letter or digit of ASCII, nor an identifier, runs on over an end of ``text``."""
    end = at + len(text)
    before, after = plain[at - 1 : at], plain[end : end + 1]
    if (_is_word(before) and _is_word(text[0])) or (_is_word(after) and _is_word(text[-1])):
        return False
    if "_" not in (before, after) or _IDENTIFIER.fullmatch(text) is None:
        return True
    identifier = next(each for each in _IDENTIFIER.finditer(plain) if each.end() >= end)[0]
    return not (identifier.islower() or identifier.isupper())


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()  # which an empty text is not


def _decoded(text: str) -> tuple[str, list[Span]]:
    """Return ``text`` without its encodings, and where each character of that is in ``text``.

    The list is empty where nothing is encoded. Plus signs are spaces in a query, so that all of
    them count as spaces; backslashes only escape.
    """
    plain, spans = text, list[Span]()
    for _ in range(_MAX_TIMES_ENCODED):
        if _ESCAPE.search(plain) is None:
            break
        characters: list[str] = []
        outer: list[Span] = []
        for character, start, end in _decoded_once(plain):
            characters.append(character)
            outer.append((spans[start][0], spans[end - 1][1]) if spans else (start, end))
        if (once := "".join(characters)) == plain:
            break
        plain, spans = once, outer
    return plain, spans


def _decoded_once(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each character with where it begins and ends in ``text``."""
    done = 0
    for found in _ESCAPE.finditer(text):
        yield from ((text[at], at, at + 1) for at in range(done, found.start()))
        done = found.end()
        if found["percent"]:
            yield from _percent_decoded(found["percent"], found.start())
        elif (characters := _character(found)) is None:
            yield from ((text[at], at, at + 1) for at in range(found.start(), done))
        else:
            yield from ((each, found.start(), done) for each in characters)
    yield from ((text[at], at, at + 1) for at in range(done, len(text)))


def _character(found: re.Match[str]) -> str | None:
    """Return what an escape stands for, or None if it stands for nothing."""
    if found["plus"]:
        return " "
    if found["itself"] is not None:  # a quote, or the beginning of an escape of another notation
        return found["itself"]
    if found["letter"]:
        return _LETTERS[found["letter"]]
    if found["pair"]:
        high, low = found["pair"][:4], found["pair"][-4:]
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if found["html"]:
        character = unescape(found["html"])
        return None if character == found["html"] else character
    code = int(found["u"] or found["U"] or found["x"], 16)
    return chr(code) if code <= 0x10FFFF else None


def _percent_decoded(run: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Yield the characters of percent-encoded UTF-8; a byte that is none is one of Latin-1."""
    encoded = bytes.fromhex(run.replace("%", ""))
    at = 0
    while at < len(encoded):
        for length in (1, 2, 3, 4):
            try:
                character = encoded[at : at + length].decode("utf-8", "surrogatepass")
            except UnicodeDecodeError:
                continue
            break
        else:
            length, character = 1, chr(encoded[at])
        length = min(length, len(encoded) - at)
        yield character, start + 3 * at, start + 3 * (at + length)
        at += length
