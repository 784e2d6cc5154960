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
    """Hold a lock, which the system releases whenever and however the process ends.

    The lock file is removed afterwards, since there may be one for each shop.
    """
    folder = database.with_name(f"{database.name}.locks")
    folder.mkdir(exist_ok=True)
    # Not in a thread, which would continue after a cancellation. One attempt takes no time.
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
        # While it is locked: another process that has opened it gets the lock of a removed file,
        # which filelock detects and retries. On Windows, filelock itself removes the file.
        with suppress(OSError):
            file.unlink()
        await lock.release()
