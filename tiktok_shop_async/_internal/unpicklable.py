"""What holds secrets stays where it is."""

from __future__ import annotations

from typing import Any, NoReturn, Self


class Unpicklable:
    """Refuses to be pickled: what is inside must not reach a file or a queue unnoticed."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and is not pickled")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self
