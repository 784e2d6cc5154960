"""A lock between the processes that use one SQLite file."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from filelock import AsyncFileLock, Timeout

from ..._internal.waiting import poll_until


@asynccontextmanager
async def locked_file(database: Path, name: str) -> AsyncIterator[None]:
    """Hold a file's lock, which the system frees when the process ends, however it ends.

    The file is removed afterwards: there may be one for each shop.
    """
    folder = database.with_name(f"{database.name}.locks")
    folder.mkdir(exist_ok=True)
    # Not in a thread: it would go on for a task that was cancelled. One attempt takes no time.
    file = folder / hashlib.sha256(name.encode()).hexdigest()
    lock = AsyncFileLock(file, run_in_executor=False)

    async def attempt() -> bool:
        try:
            await lock.acquire(blocking=False)
        except Timeout:
            return False
        return True

    await poll_until(attempt)
    try:
        yield
    finally:
        # While it is locked: whoever opened it before gets a lock of a file without a name, which
        # filelock notices, and tries again. Windows keeps open files; filelock removes them there.
        with suppress(OSError):
            file.unlink()
        await lock.release()
