"""Router and transport that connect a mocked shop to respx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import httpx
import respx
from respx.models import AllMockedAssertionError, PassThrough

from .operation_server import MatchLevel, OperationServer
from .request_checks import UnexpectedRequestError


class ShopRouter(respx.MockRouter):
    """A respx router that also serves the operations of a shop.

    Routers of shops come before all other routers, the last one started first. A request that none
    of them handles goes to the other routers in respx's order.
    """

    server: OperationServer | None = None

    def start(self) -> None:
        """Start this router, and put it before all others."""
        super().start()
        if self.Mocker is not None:
            others = [router for router in self.Mocker.routers if router is not self]
            # A new list: requests under way may be iterating over the old one.
            self.Mocker.routers = [self, *others]

    def handler(self, request: httpx.Request) -> httpx.Response:
        """Return the response for a synchronous client."""
        shops, others = self._routers(request)
        for shop in shops:
            if shop.match is MatchLevel.FULL:
                return shop.server.serve(request)
            with suppress(AllMockedAssertionError):
                return shop.router.respond_by_route(request)
        for other in others:
            with suppress(AllMockedAssertionError):
                return other.handler(request)
        if not shops:
            return self.respond_by_route(request)
        return max(shops, key=_match_of).server.serve(request)

    async def async_handler(self, request: httpx.Request) -> httpx.Response:
        """Return the response for an asynchronous client."""
        shops, others = self._routers(request)
        for shop in shops:
            if shop.match is MatchLevel.FULL:
                return await shop.server.serve_async(request)
            with suppress(AllMockedAssertionError):
                return await shop.router.respond_by_route_async(request)
        for other in others:
            with suppress(AllMockedAssertionError):
                return await other.async_handler(request)
        if not shops:
            return await self.respond_by_route_async(request)
        return await max(shops, key=_match_of).server.serve_async(request)

    def respond_by_route(self, request: httpx.Request) -> httpx.Response:
        """Return the response of this router's own routes."""
        return super().handler(request)

    async def respond_by_route_async(self, request: httpx.Request) -> httpx.Response:
        """Return the response of this router's own routes."""
        return await super().async_handler(request)

    def _routers(self, request: httpx.Request) -> tuple[list[_Shop], list[respx.Router]]:
        """Return the started routers of shops, and others; none if no shop has the address."""
        started: list[Any] = [] if self.Mocker is None else self.Mocker.routers
        routers = [self, *(each for each in started if each is not self)]
        shops = [
            _Shop(router, router.server, router.server.match(request))
            for router in routers
            if isinstance(router, ShopRouter) and router.server is not None
        ]
        best = max(map(_match_of, shops), default=MatchLevel.OTHER_ADDRESS)
        if best is MatchLevel.OTHER_ADDRESS:
            return [], []  # respx tries the next router
        others = [each for each in routers if not isinstance(each, ShopRouter)]
        return shops, [] if best is MatchLevel.WRONG_SIGNATURE else others


class _Shop(NamedTuple):
    """A shop, and how well a request matches it."""

    router: ShopRouter
    server: OperationServer
    match: MatchLevel


def _match_of(shop: _Shop) -> MatchLevel:
    return shop.match


class ShopTransport(httpx.MockTransport):
    """A transport to one mocked shop and the routes of its router, for any address."""

    def __init__(self, router: ShopRouter, server: OperationServer) -> None:
        super().__init__(self._respond_async)
        self._router = router
        self._server = server

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response for a synchronous client."""
        request.read()
        if not self._server.is_mocked(request):
            with suppress(AllMockedAssertionError), _without_network(request):
                return self._router.respond_by_route(request)
        return self._server.serve(request)

    async def _respond_async(self, request: httpx.Request) -> httpx.Response:
        if not self._server.is_mocked(request):
            with suppress(AllMockedAssertionError), _without_network(request):
                return await self._router.respond_by_route_async(request)
        return await self._server.serve_async(request)


@contextmanager
def _without_network(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except PassThrough:
        raise UnexpectedRequestError(
            f"{request.method} {request.url.host}{request.url.path} has a route that passes "
            "through, but this transport has no network: use the mock as a context manager."
        ) from None
