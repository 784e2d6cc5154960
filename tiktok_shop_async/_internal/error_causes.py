"""Errors of other libraries, made safe to chain to ours."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

import httpx

from ..errors import TikTokShopError
from .httpx_internals import forget_request
from .redaction import redact

_MAX_DEPTH = 8
_HOLDS_REQUESTS = frozenset(
    {"httpx", "httpcore", "h11", "h2", "hpack", "anyio", "sniffio", "asyncio", "ssl", "uvloop"}
)
"""Packages whose frames have whole requests in their local variables."""
_OURS_WITH_REQUESTS = frozenset(
    {"tiktok_shop_async.transport.connection", "tiktok_shop_async.transport.network"}
)


class raise_as:  # noqa: N801 - a context manager, used like a function
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
        drop_frames(error)
        if isinstance(error, TikTokShopError):
            return
        raise self._kind(
            f"{self._who}: {self._what} failed ({type(error).__name__}).",
            hint="Its cause, chained to this error, says why.",
        ) from error


def drop_frames(error: BaseException | None) -> None:
    """Drop the frames of an error and of its causes; their messages stay."""
    for _ in range(_MAX_DEPTH):
        if error is None:
            return
        error.__traceback__ = None
        if error.__cause__ is not None:
            error.__context__ = None
        error = error.__cause__ or error.__context__


def drop_request_frames(error: BaseException | None) -> None:
    """Drop the frames that hold a request, of an error and of what it came from.

    The frames of a transport or hook of the user's own stay.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = _without_requests(each.__traceback__)
            waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
            del each  # or this frame and the error would hold each other


def _without_requests(traceback: TracebackType | None) -> TracebackType | None:
    kept = []
    while traceback is not None:
        module: str = traceback.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in _HOLDS_REQUESTS and module not in _OURS_WITH_REQUESTS:
            kept.append(traceback)
        traceback = traceback.tb_next
    below = None
    for each in reversed(kept):
        below = TracebackType(below, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return below


def strip_cause(
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
            forget_request(bare)
    below = error.__cause__ or error.__context__
    bare.__traceback__ = bare.__context__ = None
    bare.__cause__ = strip_cause(below, secrets, depth - 1)
    return bare


def _blank(kind: type[BaseException]) -> BaseException:
    """Return an error of a type without calling its ``__init__``, or of the next best type."""
    try:
        return kind.__new__(kind)
    except TypeError:  # as groups do, which anyio raises for several addresses
        return Exception()
