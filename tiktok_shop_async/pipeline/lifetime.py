"""The lifetime of an HTTP client: its event loop, its slots, and the waits that a close ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from ..errors import ClientClosedError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from .admission.closing import InterruptOnClose
    from .admission.slots import Slots


class Lifetime:
    """An HTTP client that is used from one event loop and closed once."""

    slots: Slots
    """The slots of calls in flight; created with the first call."""

    def __init__(self, http_client: httpx.AsyncClient, max_in_flight: int) -> None:
        self.http_client = http_client
        self.closed = False
        self._max_in_flight = max_in_flight
        self._loop: AbstractEventLoop | None = None
        self._waits: set[InterruptOnClose] = set()

    def check_open(self) -> None:
        """Raise `ClientClosedError` if the client is closed."""
        if self.closed or self.http_client.is_closed:
            raise ClientClosedError("the client is closed.", hint="Create a new client.")

    def check_usable(self) -> None:
        """Raise `ClientClosedError` if it is closed or belongs to another event loop."""
        self.check_open()
        # Importing asyncio is slow. By the first call, the application has imported it.
        from asyncio import get_running_loop

        loop = get_running_loop()
        if self._loop is None:
            self._start(loop)
        elif self._loop is not loop:
            raise ClientClosedError(
                "the client and its connections belong to another event loop.",
                hint="Create one client per event loop.",
            )

    def _start(self, loop: AbstractEventLoop) -> None:
        from .admission.slots import Slots

        self._loop = loop
        self.slots = Slots(self._max_in_flight)

    def close(self) -> None:
        """Start no more attempts, and raise `ClientClosedError` in all waiting calls."""
        from asyncio import get_running_loop

        self.closed = True
        if self._loop is get_running_loop():  # calls can wait only in the client's own loop
            self.slots.close()
            for wait in tuple(self._waits):
                wait.interrupt()

    async def close_connections(self) -> None:
        """Close the HTTP client, or drop its connections if their event loop has ended."""
        if self._loop is None or not self._loop.is_closed():
            await self.http_client.aclose()
            return
        from .._internal.closing import drop_connections

        failures = []
        try:
            await self.http_client.aclose()
        except RuntimeError as error:
            failures.append(error)  # the error refers to connections
        drop_connections(failures.clear)

    @property
    def is_left_open(self) -> bool:
        """Whether connections may still be open: calls were made, and the client is not closed."""
        if self._loop is None or self.closed or self.http_client.is_closed:
            return False
        transport = type(getattr(self.http_client, "_transport", None))
        # A transport that inherits this method has nothing to close, such as `httpx.MockTransport`.
        return getattr(transport, "aclose", None) is not httpx.AsyncBaseTransport.aclose

    def interrupt_on_close(self) -> InterruptOnClose:
        """Return an async context whose waits raise `ClientClosedError` when the client closes."""
        from .admission.closing import InterruptOnClose

        self.check_open()
        return InterruptOnClose(self._waits)
