"""Pages of other sites reach nothing: neither as they are, nor under a name that was rebound."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from helpers.sandbox.wire import DEMO_ACCESS_TOKEN, SHOPS, Wire

from tiktok_shop_async.sandbox import DEMO_SERVICE_ID, create_app, run_sandbox

TOOLS = "/_sandbox/faults"
PAGE = "/_sandbox/"
AUTHORIZE = f"/open/authorize?service_id={DEMO_SERVICE_ID}"


async def raw(base_url: str, *lines: str) -> tuple[int, bytes]:
    """Send a request over a socket, byte by byte as given; return status and body."""
    host, _, port = base_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join((*lines, "Connection: close", "", "")).encode("latin-1"))
    content = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = content.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


ACCEPTED = [
    "localhost",
    "LOCALHOST:8765",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.8.9.10:80",
    "[::1]",
    "[::1]:8765",
    "shop.localhost:8765",
]
REJECTED = [
    "evil.example",
    "evil.example:8765",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "[fe80::1]",
    "[::1",
    "::1",
    "localhost:99999",
    "localhost:80:90",
    "localhost:0",
    "user@localhost",
    "localhost/x",
    "localhost?x",
    "localhost\\.evil.example",
    "\xe9",
]


async def test_only_loopback_names_are_accepted_on_a_port() -> None:
    """By the console, the control endpoints, the authorize page and the API alike."""
    async with run_sandbox(orders=1) as sandbox:
        for path in (TOOLS, PAGE, AUTHORIZE):
            for host in ACCEPTED:
                status, _ = await raw(sandbox.base_url, f"GET {path} HTTP/1.1", f"Host: {host}")
                assert status == 200, host
            for host in REJECTED:
                status, body = await raw(sandbox.base_url, f"GET {path} HTTP/1.1", f"Host: {host}")
                # What is no host at all, the server itself rejects.
                assert status in (400, 403), host
                if status == 403:
                    document = json.loads(body)
                    message = document.get("error") or document["message"]
                    assert "--allow-host" in message
        status, body = await raw(
            sandbox.base_url,
            f"GET {SHOPS} HTTP/1.1",
            "Host: evil.example",
            f"x-tts-access-token: {DEMO_ACCESS_TOKEN}",
        )
        assert status == 403
        assert json.loads(body)["code"] == 36009004
        assert len(sandbox.requests) == 0


async def test_a_name_that_was_allowed_is_accepted() -> None:
    """As ``--allow-host`` and ``--host`` do it; without a port in it, and whatever the case."""
    app = create_app(orders=1, allowed_hosts=["Sandbox", "0.0.0.0"])  # noqa: S104
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        for host, status in (
            ("sandbox:8765", 200),
            ("SANDBOX", 200),
            ("0.0.0.0:8765", 200),
            ("other", 403),
        ):
            answer = await http.get(PAGE, headers={"host": host})
            assert answer.status_code == status, host


async def test_in_process_every_name_is_that_of_the_server(wire: Wire) -> None:
    """No browser can be there; tests use the platform's name, or any."""
    transport = httpx.ASGITransport(wire.app)
    for name in ("testserver", "open-api.tiktokglobalshop.com", "shop.example:81"):
        async with httpx.AsyncClient(transport=transport, base_url=f"https://{name}") as http:
            assert (await http.get(PAGE)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"origin": "http://shop.example"}, 201),
        ({"origin": "HTTP://SHOP.example"}, 201),
        ({"origin": "https://shop.example"}, 201),
        ({"origin": "http://shop.example", "sec-fetch-site": "same-origin"}, 201),
        ({"sec-fetch-site": "none"}, 201),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://shop.example:81"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://["}, 403),
        ({"origin": "http://[::1"}, 403),
        ({"origin": "http://shop.example:port"}, 403),
        ({"origin": b"http://\xff"}, 403),
        ({"origin": "file://shop.example"}, 403),
        ({"origin": "http://shop.example/path"}, 403),
    ],
)
async def test_a_request_is_of_our_own_page_or_of_no_browser(
    wire: Wire, headers: dict[str, Any], status: int
) -> None:
    answer = await wire.http.post(TOOLS, json={"kind": "html_page"}, headers=headers)
    assert answer.status_code == status
    assert len(wire.app.state.faults) == (status == 201)


async def test_another_site_may_link_to_the_console_and_not_approve_an_app(wire: Wire) -> None:
    foreign = {"sec-fetch-site": "cross-site"}
    assert (await wire.http.get(PAGE, headers=foreign)).status_code == 200
    assert (await wire.http.get(AUTHORIZE, headers=foreign)).status_code in (200, 400)
    form = {"decision": "approve"}
    answer = await wire.http.post(AUTHORIZE, data=form, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert (await wire.http.post(AUTHORIZE, data=form, headers=foreign)).status_code == 403
    own = {"origin": "http://shop.example", "sec-fetch-site": "same-origin"}
    assert (await wire.http.post(AUTHORIZE, data=form, headers=own)).status_code == 302
