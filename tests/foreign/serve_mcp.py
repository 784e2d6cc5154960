"""Runs the MCP server of the PyPI package tiktok-shop-mcp as it is, with its requests routed.

Its hosts are fixed in its code: what it sends to them goes to SHOP_ORIGIN.
"""

import os
import runpy

import httpx

HOSTS = ("open-api.tiktokglobalshop.com", "auth.tiktok-shops.com")
SHOP = httpx.URL(os.environ["SHOP_ORIGIN"])

_send = httpx.AsyncHTTPTransport.handle_async_request


async def _send_to_shop(
    transport: httpx.AsyncHTTPTransport, request: httpx.Request
) -> httpx.Response:
    if request.url.host not in HOSTS:
        raise AssertionError(f"not a host of the service: {request.url.host}")
    request.url = request.url.copy_with(scheme=SHOP.scheme, host=SHOP.host, port=SHOP.port)
    request.headers["host"] = SHOP.netloc.decode()
    return await _send(transport, request)


httpx.AsyncHTTPTransport.handle_async_request = _send_to_shop  # type: ignore[method-assign]
runpy.run_module("tiktok_shop_mcp", run_name="__main__")
