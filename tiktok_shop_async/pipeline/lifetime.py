"""The lifetime of an HTTP client: its event loop, its slots, and the waits that closing ends."""

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
    """One for each call in flight; created with the first call."""

    def __init__(self, http_client: httpx.AsyncClient, max_in_flight: int) -> None:
        self.http_client = http_client
        self.closed = False
        self._max_in_flight = max_in_flight
        self._loop: AbstractEventLoop | None = None
        self._waits: set[InterruptOnClose] = set()

    def check_open(self) -> None:
        """Raise `ClientClosedError` if the client is closed."""
        if self.closed or self.http_client.is_closed:
            raise ClientClosedError("the client is closed.", hint="Make a new one.")

    def check_usable(self) -> None:
        """Raise `ClientClosedError` unless calls can be made from here and now."""
        self.check_open()
        # Importing asyncio takes a while: it is left to the first call, when it is there anyway.
        from asyncio import get_running_loop

        loop = get_running_loop()
        if self._loop is None:
            self._start(loop)
        elif self._loop is not loop:
            raise ClientClosedError(
                "the client belongs to another event loop, and so do its connections.",
                hint="Make one client per event loop.",
            )

    def _start(self, loop: AbstractEventLoop) -> None:
        from .admission.slots import Slots

        self._loop = loop
        self.slots = Slots(self._max_in_flight)

    def close(self) -> None:
        """Start no more attempts, and raise `ClientClosedError` in all calls that wait."""
        from asyncio import get_running_loop

        self.closed = True
        if self._loop is get_running_loop():  # in another one nothing waits
            self.slots.close()
            for wait in tuple(self._waits):
                wait.end()

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
            failures.append(error)  # it refers to connections
        drop_connections(failures.clear)

    @property
    def is_left_open(self) -> bool:
        """Whether connections may still be open, because calls were made and nothing was closed."""
        if self._loop is None or self.closed or self.http_client.is_closed:
            return False
        transport = type(getattr(self.http_client, "_transport", None))
        # One that inherits this method has nothing to close, such as `httpx.MockTransport`.
        return getattr(transport, "aclose", None) is not httpx.AsyncBaseTransport.aclose

    def interrupt_on_close(self) -> InterruptOnClose:
        """Return a context in which waiting ends with `ClientClosedError` at a close."""
        from .admission.closing import InterruptOnClose

        self.check_open()
        return InterruptOnClose(self._waits)
