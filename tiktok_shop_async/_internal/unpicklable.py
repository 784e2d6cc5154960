"""A mixin for objects that hold secrets."""

from __future__ import annotations

from typing import Any, NoReturn, Self


class Unpicklable:
    """A mixin that cannot be pickled, so that secrets are not written to a file or a queue."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and cannot be pickled")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self
