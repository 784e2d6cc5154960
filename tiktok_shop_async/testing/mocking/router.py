"""The place of a mocked shop among the routers of respx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import httpx
import respx
from respx.models import AllMockedAssertionError, PassThrough

from .mock_operation import UnexpectedRequestError
from .serving import Fit, OperationServer


class ShopRouter(respx.MockRouter):
    """A router of respx that also serves the operations of a shop.

    Routers of shops are asked before all other routers, the one that was started last first. A
    request that none of them takes goes on to the other routers, as between routers of respx.
    """

    server: OperationServer | None = None

    def start(self) -> None:
        """Start, as the first of all routers."""
        super().start()
        if self.Mocker is not None:
            others = [router for router in self.Mocker.routers if router is not self]
            # A new list: requests under way may be iterating over the old one.
            self.Mocker.routers = [self, *others]

    def handler(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request of a synchronous client."""
        shops, others = self._routers(request)
        for shop in shops:
            if shop.fit is Fit.FULL:
                return shop.server.serve(request)
            with suppress(AllMockedAssertionError):
                return shop.router.respond_by_route(request)
        for other in others:
            with suppress(AllMockedAssertionError):
                return other.handler(request)
        if not shops:
            return self.respond_by_route(request)
        return max(shops, key=_fit).server.serve(request)

    async def async_handler(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request of an asynchronous client."""
        shops, others = self._routers(request)
        for shop in shops:
            if shop.fit is Fit.FULL:
                return await shop.server.serve_async(request)
            with suppress(AllMockedAssertionError):
                return await shop.router.respond_by_route_async(request)
        for other in others:
            with suppress(AllMockedAssertionError):
                return await other.async_handler(request)
        if not shops:
            return await self.respond_by_route_async(request)
        return await max(shops, key=_fit).server.serve_async(request)

    def respond_by_route(self, request: httpx.Request) -> httpx.Response:
        """Respond by a route of this router alone."""
        return super().handler(request)

    async def respond_by_route_async(self, request: httpx.Request) -> httpx.Response:
        """Respond by a route of this router alone."""
        return await super().async_handler(request)

    def _routers(self, request: httpx.Request) -> tuple[list[_Shop], list[respx.Router]]:
        """Return the routers to ask: those of shops, and others; none for another address."""
        started: list[Any] = [] if self.Mocker is None else self.Mocker.routers
        routers = [self, *(each for each in started if each is not self)]
        shops = [
            _Shop(router, router.server, router.server.fit(request))
            for router in routers
            if isinstance(router, ShopRouter) and router.server is not None
        ]
        best = max(map(_fit, shops), default=Fit.OTHER_ADDRESS)
        if best is Fit.OTHER_ADDRESS:
            return [], []  # respx asks the next router
        others = [each for each in routers if not isinstance(each, ShopRouter)]
        return shops, [] if best is Fit.WRONG_SIGNATURE else others


class _Shop(NamedTuple):
    """A shop, and how far a request fits it."""

    router: ShopRouter
    server: OperationServer
    fit: Fit


def _fit(shop: _Shop) -> Fit:
    return shop.fit


class ShopTransport(httpx.MockTransport):
    """A transport that leads to one mocked shop and the routes of its router, at any address."""

    def __init__(self, router: ShopRouter, server: OperationServer) -> None:
        super().__init__(self._respond_async)
        self._router = router
        self._server = server

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request of a synchronous client."""
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
            f"{request.method} {request.url.host}{request.url.path} is marked to pass through, "
            "and a transport has no network to pass it to: use the mock as a context manager."
        ) from None
