"""Middleware that saves the state before a response is sent."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..state.state_file import StateFile


class SaveBeforeResponse:
    """Middleware that saves all changes before the first byte of a response is sent."""

    def __init__(self, app: ASGIApp, file: StateFile) -> None:
        self._app = app
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def save_and_send(message: Message) -> None:
            self._file.save()
            await send(message)

        try:
            await self._app(scope, receive, save_and_send)
        finally:
            self._file.save()  # a fault can prevent a response
