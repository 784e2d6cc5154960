"""PostgreSQL behind a proxy that loses connections in the worst moments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from helpers.auth.databases import postgresql_database
from sqlalchemy import URL, make_url

COMMIT = b"COMMIT;"


class Proxy:
    """Forwards connections to a server; loses what a test asks for."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self.lost_before = self.lost_after = 0
        """How many of the next COMMITs do not arrive, and of how many the response is lost."""
        self.commits = 0
        """How many COMMITs have arrived."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._terminating = asyncio.Lock()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Give the URL by which the database is reached through the proxy."""
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield self._url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        finally:
            server.close()
            for writer in self._writers:
                writer.close()
            await asyncio.sleep(0.01)

    async def terminate_all(self) -> None:
        """Have the server end all connections to the database but the one that asks for it."""
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        async with self._terminating:  # they would end each other
            connection = await asyncpg.connect(url)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await connection.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._url.host is not None
        from_server, to_server = await asyncio.open_connection(
            self._url.host, self._url.port or 5432
        )
        own = {writer, to_server}
        self._writers |= own
        loses_responses = False

        async def there() -> None:
            nonlocal loses_responses
            while data := await reader.read(65536):
                if COMMIT in data:
                    if self.lost_before:
                        self.lost_before -= 1
                        return
                    self.commits += 1
                    if self.lost_after:
                        self.lost_after -= 1
                        loses_responses = True
                to_server.write(data)

        async def back() -> None:
            while data := await from_server.read(65536):
                if loses_responses:
                    return  # the transaction is committed by now
                writer.write(data)

        ways = [asyncio.create_task(way()) for way in (there, back)]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for each in own:
            each.close()
        self._writers -= own


@asynccontextmanager
async def proxied_database() -> AsyncIterator[tuple[str, str, Proxy]]:
    """Give an empty database's URL, its URL through a proxy, and the proxy."""
    async with postgresql_database() as url:
        proxy = Proxy(make_url(url))
        async with proxy.serve() as through:
            yield url, through, proxy
