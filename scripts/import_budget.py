"""A check that importing the package and making a client load no more than they need."""

from __future__ import annotations

import subprocess
import sys

_LOADED = """
import sys
import {module}
{more}
print(" ".join(sys.modules))
"""
_NEVER_AT_IMPORT = (
    "attr",
    "cattrs",
    "cryptography",
    "filelock",
    "msgspec",
    "opentelemetry",
    "redis",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "tiktok_shop_async.models",
    "tiktok_shop_async.resources.",
    "tiktok_shop_async.sandbox",
    "tiktok_shop_async.spec.shapes",
)
_ALLOWED_AT_IMPORT = {"tiktok_shop_async.resources._groups"}
_MAX_MODULES_BEYOND_HTTPX = 24


def loaded_by(module: str, more: str = "") -> set[str]:
    """Return the names of the modules that a fresh interpreter has after ``import module``."""
    code = _LOADED.format(module=module, more=more)
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(run.stdout.split())


def main() -> int:
    """Print what exceeds the budget, and return the exit status."""
    baseline = loaded_by("httpx")
    ours = loaded_by("tiktok_shop_async", 'tiktok_shop_async.AsyncTikTokShop("key", "secret")')
    beyond = sorted(ours - baseline)
    unwanted = [
        name
        for name in beyond
        if name.startswith(_NEVER_AT_IMPORT) and name not in _ALLOWED_AT_IMPORT
    ]
    if unwanted:
        print("Modules that the import must not load:", *unwanted, sep="\n  ")
    if len(beyond) > _MAX_MODULES_BEYOND_HTTPX:
        print(f"{len(beyond)} modules beyond httpx; {_MAX_MODULES_BEYOND_HTTPX} are allowed:")
        print(*beyond, sep="\n  ")
        return 1
    print(f"{len(beyond)} modules beyond httpx")
    return 1 if unwanted else 0


if __name__ == "__main__":
    sys.exit(main())
