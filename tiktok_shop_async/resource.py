"""The base of the generated resource classes, in which every typed call begins.

A generated method passes its operation, its response model and its arguments to `Resource._call`,
which hands them as a `Call` to `Pipeline.run`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from os import PathLike
from typing import Any, ClassVar, TypeVar

import attrs

from .auth import AuthState
from .options import RequestOptions, validate_options
from .pagination import Pager
from .pipeline.call import Call
from .pipeline.operation import Operation
from .pipeline.run import Pipeline
from .response import APIResponse, FileResponse

M = TypeVar("M")

_NO_ARGUMENTS: Mapping[str, Any] = {}
_NO_OPTIONS = RequestOptions()


class Resource:
    """One group of operations, called with one auth state."""

    GROUP: ClassVar[str]
    """The name of the group, as in ``client.<group>``."""

    __slots__ = ("_auth", "_pipeline")

    def __init__(self, pipeline: Pipeline, auth: AuthState) -> None:
        self._pipeline = pipeline
        self._auth = auth

    def _call(
        self,
        operation: Operation,
        model: type[M],
        *,
        path: Mapping[str, Any] = _NO_ARGUMENTS,
        query: Mapping[str, Any] = _NO_ARGUMENTS,
        body: Mapping[str, Any] = _NO_ARGUMENTS,
        options: RequestOptions | None,
    ) -> Awaitable[APIResponse[M]]:
        """Return an awaitable of the response."""
        call = Call(
            operation=operation,
            path=path,
            query=query,
            body=body,
            options=_NO_OPTIONS if options is None else validate_options(options),
        )
        return self._pipeline.run(call, model, self._auth)

    def _download(
        self,
        operation: Operation,
        model: type[M],
        *,
        path: Mapping[str, Any] = _NO_ARGUMENTS,
        query: Mapping[str, Any] = _NO_ARGUMENTS,
        save_to: str | PathLike[str] | None,
        options: RequestOptions | None,
    ) -> Awaitable[FileResponse[M]]:
        """Return an awaitable of the response and its file."""
        call = Call(
            operation=operation,
            path=path,
            query=query,
            options=_NO_OPTIONS if options is None else validate_options(options),
        )
        return self._pipeline.download(call, model, self._auth, save_to)

    def _paged(
        self,
        operation: Operation,
        model: type[M],
        *,
        path: Mapping[str, Any] = _NO_ARGUMENTS,
        query: Mapping[str, Any] = _NO_ARGUMENTS,
        body: Mapping[str, Any] = _NO_ARGUMENTS,
        options: RequestOptions | None,
    ) -> Pager[M, Any]:
        """Return a pager that starts at the page that the arguments select."""
        pagination = operation.pagination
        assert pagination is not None
        first = Call(
            operation=operation,
            path=path,
            query=query,
            body=body,
            options=_NO_OPTIONS if options is None else validate_options(options),
        )

        def fetch(token: str | None) -> Awaitable[APIResponse[M]]:
            call = first if token is None else _with_token(first, pagination.token_in, token)
            return self._pipeline.run(call, model, self._auth)

        return Pager(fetch, pagination)


def _with_token(call: Call, location: str, token: str) -> Call:
    if location == "query":
        return attrs.evolve(call, query={**call.query, "page_token": token})
    return attrs.evolve(call, body={**call.body, "page_token": token})
