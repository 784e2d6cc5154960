"""Errors of other libraries, made safe to chain to ours."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

import httpx

from .errors import TikTokShopError
from .redaction import redact

_MAX_DEPTH = 8


class reported_as:  # noqa: N801 - a context manager, used like a function
    """Raise any exception of the block as an error of this kind, without quoting it.

    The frames of the block are dropped, also from our own errors: their local variables may hold
    what is stored.
    """

    def __init__(self, kind: type[TikTokShopError], who: object, what: str) -> None:
        self._kind = kind
        self._who = who
        self._what = what

    def __enter__(self) -> None:
        """Do nothing before the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise our error in place of a driver's or the system's."""
        del traceback
        if error is None or not isinstance(error, Exception):
            return
        without_frames(error)
        if isinstance(error, TikTokShopError):
            return
        raise self._kind(
            f"{self._who}: {self._what} failed ({type(error).__name__}).",
            hint="Its cause, chained to this error, says why.",
        ) from error


def without_frames(error: BaseException | None) -> None:
    """Drop the frames of an error and of its causes; their messages stay."""
    for _ in range(_MAX_DEPTH):
        if error is None:
            return
        error.__traceback__ = None
        if error.__cause__ is not None:
            error.__context__ = None
        error = error.__cause__ or error.__context__


def bare_cause(
    error: BaseException | None, secrets: Iterable[str] = (), depth: int = _MAX_DEPTH
) -> BaseException | None:
    """Return an error of the same type to chain to ours, with its text redacted and no frames.

    The original has the request as an attribute, and frames that hold headers and signature.
    """
    if error is None or not depth:
        return None
    if isinstance(error, OSError):  # they hold no secret, and errno is useful
        bare: BaseException = error
    else:
        bare = _blank(type(error))
        bare.args = (redact(str(error), secrets),)
        if isinstance(bare, httpx.HTTPError):
            bare._request = None  # httpx asks for it
    below = error.__cause__ or error.__context__
    bare.__traceback__ = bare.__context__ = None
    bare.__cause__ = bare_cause(below, secrets, depth - 1)
    return bare


def _blank(kind: type[BaseException]) -> BaseException:
    """Return an error of a type without calling its ``__init__``, or of the next best type."""
    try:
        return kind.__new__(kind)
    except TypeError:  # as groups do, which anyio raises for several addresses
        return Exception()
