"""Search for known text in other text, also where it is escaped or percent-encoded."""

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
_WORD_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]|[^A-Za-z0-9]")
"""Positions at which a whole word may begin."""
_IDENTIFIER = re.compile(r"\w+", re.ASCII)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_MAX_ENCODINGS = 4
_MIN_LENGTH_IN_ANY_CASE = 8
"""Shorter names are found only in their own case, since many are words: Bath, Green."""

Span = tuple[int, int]


class TextFinder:
    """Finds added texts in other text; the longest one wins where several match."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._inside_words: set[str] = set()
        self._by_prefix: dict[str, list[str]] = {}

    def add(self, text: str, *, inside_words: bool = False) -> None:
        """Search for ``text`` from now on, as a whole word unless ``inside_words``."""
        plain = _decode(text)[0].strip()
        if len(plain) < 2:
            return
        if plain not in self._texts:
            self._texts[plain] = text
            candidates = self._by_prefix.setdefault(_lower(plain[:2]), [])
            candidates.append(plain)
            candidates.sort(key=len, reverse=True)
        if inside_words:
            self._inside_words.add(plain)

    def find_equal(self, text: str) -> str | None:
        """Return the added text that ``text`` equals in any encoding."""
        return self._texts.get(_decode(text)[0].strip())

    def replace(
        self,
        text: str,
        mask: Callable[[str], str],
        accepts: Callable[[str], bool] = lambda _: True,
    ) -> str:
        """Return ``text`` with a mask in place of each added text.

        Args:
            mask: Returns the mask of an added text.
            accepts: Returns whether to search for an added text here.
        """
        if not self._texts:
            return text
        plain, spans = _decode(text)
        lowered = _lower(plain)
        parts: list[str] = []
        done = end = 0
        anywhere = any(inside in plain for inside in self._inside_words)
        for boundary in (_ANY_CHARACTER if anywhere else _WORD_START).finditer(plain):
            at = boundary.start()
            candidates = self._by_prefix.get(lowered[at : at + 2]) if at >= end else None
            found = self._find_among(candidates, plain, at, accepts) if candidates else None
            if found is None:
                continue
            end = at + len(found)
            first, last = (spans[at][0], spans[end - 1][1]) if spans else (at, end)
            parts += text[done:first], mask(self._texts[found])
            done = last
        return "".join([*parts, text[done:]]) if parts else text

    def _find_among(
        self, candidates: list[str], plain: str, at: int, accepts: Callable[[str], bool]
    ) -> str | None:
        for candidate in candidates:
            if self._is_at(plain, at, candidate) and accepts(self._texts[candidate]):
                return candidate
        return None

    def _is_at(self, plain: str, at: int, text: str) -> bool:
        """Return whether ``text`` is at a position; the case of long text does not matter."""
        if text in self._inside_words:
            return plain.startswith(text, at)
        if len(text) < _MIN_LENGTH_IN_ANY_CASE:
            return plain.startswith(text, at) and _is_whole_word(plain, at, text)
        found = plain[at : at + len(text)]
        return _lower(found) == _lower(text) and _is_whole_word(plain, at, found)


def _lower(text: str) -> str:
    """Return ``text`` in lower case, with as many characters as before."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := each.lower()) == 1 else each for each in text)


def _is_whole_word(plain: str, at: int, text: str) -> bool:
    """Return whether neither an ASCII word nor an identifier continues past an end of ``text``."""
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


def _decode(text: str) -> tuple[str, list[Span]]:
    """Return ``text`` decoded, and the span of each decoded character in ``text``.

    The list is empty where nothing is encoded. All plus signs count as spaces, which they are in a
    query; backslashes only escape.
    """
    plain, spans = text, list[Span]()
    for _ in range(_MAX_ENCODINGS):
        if _ESCAPE.search(plain) is None:
            break
        characters: list[str] = []
        outer: list[Span] = []
        for character, start, end in _decode_once(plain):
            characters.append(character)
            outer.append((spans[start][0], spans[end - 1][1]) if spans else (start, end))
        if (once := "".join(characters)) == plain:
            break
        plain, spans = once, outer
    return plain, spans


def _decode_once(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each decoded character with its start and end in ``text``."""
    done = 0
    for found in _ESCAPE.finditer(text):
        yield from ((text[at], at, at + 1) for at in range(done, found.start()))
        done = found.end()
        if found["percent"]:
            yield from _decode_percent(found["percent"], found.start())
        elif (characters := _unescape(found)) is None:
            yield from ((text[at], at, at + 1) for at in range(found.start(), done))
        else:
            yield from ((each, found.start(), done) for each in characters)
    yield from ((text[at], at, at + 1) for at in range(done, len(text)))


def _unescape(found: re.Match[str]) -> str | None:
    """Return the character of an escape, or None if the escape is invalid."""
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


def _decode_percent(run: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Yield the characters of percent-encoded UTF-8; other bytes count as Latin-1."""
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
