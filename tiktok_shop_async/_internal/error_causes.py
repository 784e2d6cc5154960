"""The cleaning of other libraries' errors, so that they can be chained without their secrets."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

import httpx

from .httpx_internals import forget_request
from .redaction import redact

_MAX_DEPTH = 8
_HOLDS_REQUESTS = frozenset(
    {"httpx", "httpcore", "h11", "h2", "hpack", "anyio", "sniffio", "asyncio", "ssl", "uvloop"}
)
"""Packages whose frames have requests in their local variables."""
_OURS_WITH_REQUESTS = frozenset(
    {"tiktok_shop_async.transport.connection", "tiktok_shop_async.transport.network"}
)


def drop_frames(error: BaseException | None) -> None:
    """Drop the frames of an error and of its causes; keep their messages."""
    for _ in range(_MAX_DEPTH):
        if error is None:
            return
        error.__traceback__ = None
        if error.__cause__ is not None:
            error.__context__ = None
        error = error.__cause__ or error.__context__


def drop_request_frames(error: BaseException | None) -> None:
    """Drop the frames that have a request, of an error, its causes and its group.

    The frames of the user's own transports and hooks stay.
    """
    pending, seen = [error], set[int]()
    while pending:
        each = pending.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = _without_requests(each.__traceback__)
            pending += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
            del each  # otherwise this frame and the error would refer to each other


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
    """Return a copy of an error to chain, with redacted text, without request and frames.

    The original has the request as an attribute, and frames with headers and signature.
    """
    if error is None or not depth:
        return None
    if isinstance(error, OSError):  # it has no secrets, and its errno is useful
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
    """Return an error of a type without calling ``__init__``, or else a plain `Exception`."""
    try:
        return kind.__new__(kind)
    except TypeError:  # exception groups raise it; anyio raises one for several addresses
        return Exception()
