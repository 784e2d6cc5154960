"""What all calls of a client share: its HTTP client, and the bound and the loop they run in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from ..client_options import ClientOptions
from ..errors import ClientClosedError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Semaphore


class Session:
    """Opened with a client, shared with its views, and closed once."""

    def __init__(
        self, http_client: httpx.AsyncClient, options: ClientOptions, clock: Callable[[], float]
    ) -> None:
        self.http_client = http_client
        self.options = options
        self.clock = clock
        self.closed = False
        self.slots: Semaphore
        """One for each call in flight."""
        self._loop: AbstractEventLoop | None = None

    def check_usable(self) -> None:
        """Raise `ClientClosedError` unless calls can be made from here and now."""
        if self.closed or self.http_client.is_closed:
            raise ClientClosedError("the client is closed.", hint="Make a new one.")
        # Importing asyncio takes a while: it is left to the first call, when it is there anyway.
        from asyncio import Semaphore, get_running_loop

        loop = get_running_loop()
        if self._loop is None:
            self._loop = loop
            self.slots = Semaphore(self.options.max_in_flight)
        elif self._loop is not loop:
            raise ClientClosedError(
                "the client belongs to another event loop, and so do its connections.",
                hint="Make one client per event loop.",
            )
