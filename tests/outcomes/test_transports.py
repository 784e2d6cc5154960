"""Transports of a borrowed client that only resemble httpx's own."""

from __future__ import annotations

import httpx
import pytest
import respx
from raw_shop import RawPeer, raw_shop
from support import new_client

from tiktok_shop_async import OutcomeUnknownError


class Rebuilding(httpx.AsyncHTTPTransport):
    """Sends another request than the one it got, without its extensions."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        copy = httpx.Request(
            request.method, request.url, headers=request.headers, content=request.content
        )
        return await super().handle_async_request(copy)


class Repeating(httpx.AsyncHTTPTransport):
    """Repeats what failed, and reports how the last repeat failed."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except httpx.TransportError as error:
            raise httpx.ConnectError("the repeat found no connection") from error


async def lose(peer: RawPeer) -> None:
    """Process one request, and close the connection without a response."""
    await peer.order()


@pytest.mark.parametrize("transport", [Rebuilding, Repeating])
async def test_a_subclass_that_sends_in_its_own_way_is_not_believed(
    transport: type[httpx.AsyncHTTPTransport],
) -> None:
    async with (
        raw_shop(lose) as shop,
        httpx.AsyncClient(transport=transport()) as http_client,
    ):
        client = new_client(
            http_client=http_client,
            base_url=shop.base_url,
            max_retries=2,
            retry_policy=lambda _: 0.0,
        )
        with pytest.raises(OutcomeUnknownError):
            await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
        assert shop.seen == {"1": 1}


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError])
async def test_a_response_lost_in_respx_is_as_unknown_as_on_the_wire(
    error: type[httpx.TransportError],
) -> None:
    async with httpx.AsyncClient() as http_client:
        client = new_client(http_client=http_client, max_retries=2, retry_policy=lambda _: 0.0)
        with respx.mock() as shop:
            route = shop.post().mock(side_effect=error("lost"))
            with pytest.raises(OutcomeUnknownError):
                await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
            assert route.call_count == 1
