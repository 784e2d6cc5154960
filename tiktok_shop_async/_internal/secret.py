"""Credentials: text that goes into headers and URLs, and that no error or traceback may show."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidArgumentError

STRIP_HINT = "Call .strip() on a value that was read from a file."
MAX_LENGTH = 8192
"""Characters: more do not fit into headers and URLs; the service's have a few dozen."""


class Secret:
    """A credential on its way into an object, with a repr that masks it.

    Tracebacks can show local variables. So a function that takes a credential wraps it, deletes
    its own name for it, and only then calls what may raise.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<secret>"

    @property
    def is_given(self) -> bool:
        """Whether there is a value, even an empty one."""
        return self.value is not None

    def required(self, argument: str, source: str | None = None) -> str:
        """Return the value, or raise `InvalidArgumentError` if it is missing or cannot be sent."""
        if self.value is None or self.value == "":
            raise InvalidArgumentError(f"{source or argument} is empty.", argument=argument)
        value = self.optional(argument, source)
        assert value is not None, "None was rejected"
        return value

    def optional(self, argument: str, source: str | None = None) -> str | None:
        """Return the value, which may be None; raise `InvalidArgumentError` if it cannot be sent.

        The error names the argument, or the ``source`` of its value, and quotes nothing.
        """
        if self.value is None:
            return None
        problem = problem_of(self.value)
        if problem is None:
            assert isinstance(self.value, str), "other types are a problem"
            return self.value
        hint = STRIP_HINT if "whitespace" in problem or "control" in problem else None
        if isinstance(self.value, bytes):
            hint = "Call .decode() on it."
        raise InvalidArgumentError(f"{source or argument} {problem}.", argument=argument, hint=hint)


def problem_of(value: object) -> str | None:
    """Return why ``value`` cannot be a credential, quoting nothing of it; None if it can be one.

    Inner spaces are allowed: they can be sent, so the service may judge them.
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
