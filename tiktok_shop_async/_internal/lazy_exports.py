"""Packages whose names are imported on first access (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(
    package: str, module_of: Mapping[str, str]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__all__``, ``__getattr__`` and ``__dir__`` of a package.

    ``module_of`` maps names to the modules that define them. A package with names that require an
    extra declares ``__all__`` only for type checkers. Python then gets it from ``__getattr__``,
    which omits the names whose extra is not installed, so that a star import works.
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
                raise  # an error in the package itself
            return False
        return True

    def __dir__() -> list[str]:  # noqa: N807 - the hook's name is Python's own
        return sorted({*vars(sys.modules[package]), *module_of})

    return sorted(module_of), __getattr__, __dir__
