"""Run the cases, or those named; all together, they are written to the documentation too."""

from __future__ import annotations

import asyncio
import platform
import sys
from importlib import import_module
from pathlib import Path

# Decoding first: it is all allocation, and the others leave a heap full of holes.
CASES = (
    "decoding",
    "memory",
    "loopback",
    "gather",
    "imports",
    "first_calls",
    "machinery",
    "sandbox",
    "batch",
    "webhooks",
    "ordering",
)
PAGE = Path("docs/benchmarks.md")
HEAD = """# Benchmarks

After reading this page you know what a call costs, compared with other clients.

`scripts/bench` writes this page: medians of interleaved rounds in one run, on {machine}.
Compare the ratios, not the absolute figures. Smaller is better.
"""


async def main(cases: list[str]) -> None:
    """Print each table when it is there."""
    machine = (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}"
    )
    parts = [HEAD.format(machine=machine)]
    for case in cases or CASES:
        for table in await import_module(f"{__package__}.{case}").measure():
            parts.append(table.markdown())
            print(parts[-1], flush=True)
    if not cases:
        PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
