"""Credentials: text that is sent in headers and URLs, and that errors must not show."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidArgumentError

STRIP_HINT = "Call .strip() on a value that was read from a file."
MAX_LENGTH = 8192
"""Maximum characters, as headers and URLs are limited; those of the service have a few dozen."""


class Secret:
    """A credential that is passed as an argument, with a repr that masks it.

    Tracebacks can show local variables. A function that takes a credential therefore wraps it and
    deletes its own variable before it calls anything that may raise.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<secret>"

    @property
    def is_given(self) -> bool:
        """Whether there is a value other than None."""
        return self.value is not None

    def required(self, argument: str, source: str | None = None) -> str:
        """Return the value; raise `InvalidArgumentError` if it is missing or invalid."""
        if self.value is None or self.value == "":
            raise InvalidArgumentError(f"{source or argument} is empty.", argument=argument)
        value = self.optional(argument, source)
        assert value is not None, "None was rejected"
        return value

    def optional(self, argument: str, source: str | None = None) -> str | None:
        """Return the value or None; raise `InvalidArgumentError` if the value is invalid.

        The error names the argument, or the ``source`` of its value, and does not quote the value.
        """
        if self.value is None:
            return None
        problem = problem_of(self.value)
        if problem is None:
            assert isinstance(self.value, str), "problem_of rejects other types"
            return self.value
        hint = STRIP_HINT if "whitespace" in problem or "control" in problem else None
        if isinstance(self.value, bytes):
            hint = "Call .decode() on it."
        raise InvalidArgumentError(f"{source or argument} {problem}.", argument=argument, hint=hint)


def problem_of(value: object) -> str | None:
    """Return why ``value`` is not a valid credential, without quoting it; None if it is valid.

    Inner spaces are accepted, because they can be sent and the service checks the credential.
    """
    if not isinstance(value, str):
        return f"must be text (str), not {type(value).__name__}"
    if len(value) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    if value.isascii() and value.isprintable() and value == value.strip():
        return None
    if value != value.strip():
        return "starts or ends with whitespace"
    position, character = next(
        (position, each)
        for position, each in enumerate(value)
        if not (each.isascii() and each.isprintable())
    )
    kind = "a control character" if character.isascii() else "a character that is not ASCII"
    return f"has {kind} at position {position + 1}"
