"""Packages whose names are loaded when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(
    package: str, module_of: Mapping[str, str]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__all__``, ``__getattr__`` and ``__dir__`` of a package.

    ``module_of`` says which of its modules has a name. A package with names that need an extra
    declares its ``__all__`` to type checkers alone: Python then asks ``__getattr__`` for it, which
    leaves out the names whose extra is not installed, so that a star import works without it.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807 - the hook's name is Python's own
        if name == "__all__":
            return [each for each in sorted(module_of) if is_installed(each)]
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f".{module_of[name]}", package), name)
        setattr(sys.modules[package], name, value)
        return value

    def is_installed(name: str) -> bool:
        try:
            getattr(sys.modules[package], name)
        except ImportError as error:
            if (error.name or package).partition(".")[0] == package.partition(".")[0]:
                raise  # a fault of the package itself
            return False
        return True

    def __dir__() -> list[str]:  # noqa: N807 - the hook's name is Python's own
        return sorted({*vars(sys.modules[package]), *module_of})

    return sorted(module_of), __getattr__, __dir__
