"""The console's pages and its log of requests at the wire; test_console has a real browser."""

from __future__ import annotations

import httpx
import pytest
from helpers.sandbox.console import CONSOLE, Console, Receiver, notice, text_of
from helpers.sandbox.wire import CANCEL, SEARCH_ORDERS, SHOPS, UPLOAD, Wire

from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_SECRET,
    DEMO_REFRESH_TOKEN,
    DEMO_SHOP_CIPHER,
    FaultKind,
)

SECRETS = (DEMO_APP_SECRET, DEMO_ACCESS_TOKEN, DEMO_SHOP_CIPHER)
PAGES = ("/", "/console/requests", "/console/orders", "/console/webhooks", "/console/faults")
EVIL = "<script>alert(1)</script>'\"&"
SURROGATE = "\ud83d"


@pytest.fixture
def wire(console_wire: Wire) -> Wire:
    return console_wire


# All pages.


async def test_pages_show_everything_and_no_secret(wire: Wire, console: Console) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    wire.app.state.faults.add("throttled", operation="order.*", every=3)
    paths = (*PAGES, "/console/requests?selected=1", console.order_path(order_id))
    pages = {path: await console.page(path) for path in paths}
    assert order_id in pages["/console/orders"]
    assert "every 3 calls" in pages["/console/faults"]
    assert "String to sign" in pages["/console/requests?selected=1"]
    assert pages["/console/webhooks"].count("<option value=") >= 44
    assert all(f'value="{kind}"' in pages["/console/faults"] for kind in FaultKind)
    for page in pages.values():
        assert not [secret for secret in SECRETS if secret in page]


async def test_pages_load_nothing_from_elsewhere(console: Console) -> None:
    for path in (*PAGES, "/console/credentials"):
        response = await console.get(path)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "form-action 'self'" in policy
        assert "http" not in policy
        assert 'src="http' not in response.text
        assert 'href="http' not in response.text
    for name, kind in (("console.css", "text/css"), ("console.js", "text/javascript")):
        file = await console.get(f"/console/static/{name}")
        assert file.headers["content-type"].startswith(kind)
        assert (
            "//" not in file.text.replace("https://", "").replace("// ", "") or name == "console.js"
        )
        assert "@import" not in file.text
        assert "url(" not in file.text
    assert (await console.get("/console/static/other.js")).status_code == 404
    assert (await console.get("/console/static/..%2froutes.py")).status_code == 404


async def test_the_console_is_found_without_a_slash(wire: Wire) -> None:
    response = await wire.http.get(CONSOLE, follow_redirects=True)
    assert response.url.path == f"{CONSOLE}/"
    assert "<h1>Overview</h1>" in response.text


async def test_hostile_text_is_escaped_wherever_it_is_shown(wire: Wire, console: Console) -> None:
    await wire.call("POST", CANCEL, json={"order_id": EVIL, "cancel_reason": EVIL})
    await wire.call(
        "GET", SHOPS, query={EVIL: EVIL}, headers={"x-evil": "<script>alert(1)</script>"}
    )
    await wire.http.get(f"/{EVIL}/x?{EVIL}=1", headers={"user-agent": "<script>alert(1)</script>"})
    wire.app.state.faults.add("throttled", operation=f"[!{EVIL}]*")
    wire.market.subscriptions.put(EVIL, EVIL, EVIL, EVIL, 0)
    wire.app.state.webhooks.fire(1, {"order_id": EVIL})
    wire.shop.name = EVIL
    numbers = [entry.number for entry in wire.app.state.requests]
    shown = [*PAGES, *(f"/console/requests?selected={number}" for number in numbers)]
    shown += [f"/console/requests?q={EVIL}&operation={EVIL}&outcome={EVIL}"]
    shown += [f"/console/orders?q={EVIL}&status={EVIL}", f"/console/webhooks?state={EVIL}"]
    pages = [await console.page(path) for path in shown]
    pages.append(
        await console.send("/console/add-fault", kind=EVIL, operation=EVIL, target="add-fault")
    )
    pages.append(await console.send("/console/fire-event", type="1", data=EVIL, target="fire"))
    assert sum("alert(1)" in page for page in pages) >= 8
    for page in pages:
        assert "<script>alert" not in page
        assert "'\"&" not in page


async def test_text_that_cannot_be_encoded_breaks_no_page(wire: Wire, console: Console) -> None:
    await wire.http.get("/order/202309/orders?ids=%ff&x=%ed%a0%80")
    await wire.call("POST", CANCEL, content=b'{"order_id": "\\ud83d", "cancel_reason": "\xff"}')
    wire.app.state.webhooks.fire(1, {"order_id": "1"})
    wire.shop.name = f"half {SURROGATE}"
    order = next(iter(wire.shop.orders.values()))
    numbers = [entry.number for entry in wire.app.state.requests]
    for path in (*PAGES, *(f"/console/requests?selected={number}" for number in numbers)):
        await console.page(path)
    assert r"half \ud83d" in await console.page(console.order_path(order.id))


@pytest.mark.parametrize(
    "query", ["page=x", "page=0", f"page={'9' * 5000}", "page=-1", "selected=%ff"]
)
async def test_odd_queries_show_the_first_page(console: Console, query: str) -> None:
    for path in PAGES:
        await console.page(f"{path}?{query}")


# Requests.


async def test_a_request_is_shown_with_its_response(wire: Wire, console: Console) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.send("GET", SHOPS, headers={"authorization": "Bearer abcdefgh", "cookie": "a=b"})
    await wire.cancel(order_id)
    page = text_of(await console.page("/console/requests?selected=2"))
    assert f'"order_id": "{order_id}"' in page
    assert '"cancel_id": "' in page
    assert "content-type application/json" in page
    assert "x-tts-access-token ***" in page
    assert "Signature valid" in page
    page = text_of(await console.page("/console/requests?selected=1"))
    assert '"cipher": "***"' in page
    assert "abcdefgh" not in page
    assert "cookie ***" in page


async def test_secrets_are_masked_wherever_a_client_put_them(wire: Wire, console: Console) -> None:
    await wire.call(
        "POST",
        CANCEL,
        json={"order_id": DEMO_ACCESS_TOKEN, "cancel_reason": DEMO_APP_SECRET},
        query={"seller": DEMO_ACCESS_TOKEN},
        headers={"x-debug": f"token {DEMO_ACCESS_TOKEN}"},
    )
    page = await console.page("/console/requests?selected=1")
    assert "x-debug" in page
    assert not [secret for secret in SECRETS if secret in text_of(page)]


async def test_the_control_endpoint_masks_secrets_wherever_a_client_put_them(wire: Wire) -> None:
    refresh_token = DEMO_REFRESH_TOKEN.replace("-", "\\u002d")
    await wire.call(
        "POST",
        f"{CANCEL}/{DEMO_ACCESS_TOKEN}/search",
        content=f'{{"order_id": "{DEMO_ACCESS_TOKEN}", "note": "{refresh_token}"}}',
        headers={"content-type": "application/json"},
    )
    await wire.call(
        "POST",
        CANCEL,
        json={"order_id": DEMO_ACCESS_TOKEN, "cancel_reason": DEMO_APP_SECRET},
        query={"seller": DEMO_ACCESS_TOKEN, DEMO_REFRESH_TOKEN: "1"},
    )
    log = (await wire.http.get("/_sandbox/requests")).text
    assert "order_id" in log
    secrets = (*SECRETS, DEMO_REFRESH_TOKEN, "refresh-token-51fe", "refresh-token", "51fe")
    assert not [secret for secret in secrets if secret in log]


@pytest.mark.parametrize("limit", [2000, 64 * 1024])
async def test_a_secret_that_a_cut_divides_is_masked(
    wire: Wire, console: Console, limit: int
) -> None:
    """The string to sign and the body are shown in part; a secret may be on the border."""
    body = " " * (limit - len(DEMO_ACCESS_TOKEN) + 1) + DEMO_ACCESS_TOKEN + " " * 9000
    await wire.call("POST", CANCEL, content=body)
    log = (await wire.http.get("/_sandbox/requests")).text
    page = await console.page("/console/requests?selected=1")
    assert DEMO_ACCESS_TOKEN[:8] not in log + page


async def test_a_receivers_response_is_shown_without_secrets(
    wire: Wire, console: Console, receiver: Receiver
) -> None:
    receiver.response = httpx.Response(200, text=f"{DEMO_APP_SECRET} {DEMO_ACCESS_TOKEN} received")
    wire.app.state.webhooks.fire(1)
    await wire.app.state.webhooks.drain()
    assert not [secret for secret in SECRETS if secret in await console.page("/console/webhooks")]
    events = (await wire.http.get("/_sandbox/events")).text
    assert "received" in events
    assert not [secret for secret in SECRETS if secret in events]


async def test_long_bodies_are_cut_and_files_are_not_kept(wire: Wire, console: Console) -> None:
    await wire.call("POST", CANCEL, json={"order_id": "1" * 100_000, "cancel_reason": "x"})
    await wire.send("POST", UPLOAD, files={"data": b"\xff\xd8\xff a picture"})
    page = text_of(await console.page("/console/requests?selected=1"))
    assert "The first 65,536 bytes of 1" in page
    assert "a picture" not in await console.page("/console/requests?selected=2")


async def test_a_mismatch_is_explained(wire: Wire, console: Console) -> None:
    await wire.send("GET", SHOPS, app_secret="wrong")
    await wire.http.get("/nowhere")
    await wire.send("GET", SHOPS, query={"app_key": "another"})
    page = text_of(await console.page("/console/requests?selected=1"))
    assert page.count("Signature mismatch") >= 2
    assert "String to sign ***/authorization/" in page
    assert "Not checked" in text_of(await console.page("/console/requests?selected=2"))
    assert "the app key is unknown" in await console.page("/console/requests?selected=3")


async def test_remarks_are_shown_and_searched(wire: Wire, console: Console) -> None:
    await wire.send("GET", SHOPS, query={"version": "202309"})
    await wire.send("GET", SHOPS)
    page = await console.page("/console/requests?q=is ignored")
    assert "The query parameter version is ignored" in text_of(page)
    assert 'data-number="1"' in page
    assert 'data-number="2"' not in page


async def test_requests_are_filtered(wire: Wire, console: Console) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    await wire.send("GET", SHOPS, app_secret="wrong")
    await wire.cancel("1")
    wire.app.state.faults.add("html_page", operation="order.*")
    search = {"page_size": 1, "shop_cipher": DEMO_SHOP_CIPHER}
    await wire.send("POST", SEARCH_ORDERS, query=search, json={})

    async def shown(query: str) -> list[int]:
        page = await console.page(f"/console/requests?{query}")
        return [number for number in range(1, 5) if f'data-number="{number}"' in page]

    assert await shown("") == [1, 2, 3, 4]
    assert await shown("operation=return_refund.cancel_order") == [1, 3]
    assert await shown("outcome=success") == [1]
    assert await shown("outcome=error") == [2, 3]
    assert await shown("outcome=signature") == [2]
    assert await shown("outcome=fault") == [4]
    assert await shown(f"q={order_id}") == [1]
    assert await shown("q=DOES NOT EXIST") == [3]
    assert await shown("q=106001") == [2]
    assert await shown("operation=return_refund.cancel_order&outcome=success&q=nothing") == []
    page = await console.page("/console/requests?q=nothing")
    assert "No request matches the filter" in page
    assert 'value="nothing"' in page


# The forms themselves.


async def test_pages_of_other_sites_can_send_no_form(wire: Wire, console: Console) -> None:
    order = wire.shop.orders[wire.order_ids("UNPAID")[0]]
    for path, fields in (
        ("/console/clear-faults", {}),
        (console.order_path(order.id), {"action": "pay"}),
    ):
        for origin, status in (("https://evil.example", 403), ("null", 403)):
            sent = await wire.http.post(CONSOLE + path, data=fields, headers={"origin": origin})
            assert sent.status_code == status
    assert order.status == "UNPAID"
    own = await wire.http.post(
        f"{CONSOLE}/console/clear-faults", data={}, headers={"origin": "http://shop.example"}
    )
    assert own.status_code == 303


async def test_a_form_returns_to_its_own_page_alone(wire: Wire) -> None:
    sent = await wire.http.post(
        f"{CONSOLE}/console/clear-faults",
        data={"query": "https://evil.example/&x=1", "target": "faults"},
    )
    assert sent.headers["location"].startswith(f"{CONSOLE}/console/faults?")
    assert (await wire.http.post(f"{CONSOLE}/console/other", data={})).status_code == 404
    assert (await wire.http.get(f"{CONSOLE}/console/clear-faults")).status_code == 405


async def test_large_and_odd_forms_are_refused(wire: Wire, console: Console) -> None:
    for content in (
        b"x" * 1_100_000,
        b"&".join([b"a=1"] * 3000),
        b"\xff=\xff&kind=%ff&operation=%ed%a0%80",
    ):
        sent = await wire.http.post(f"{CONSOLE}/console/add-fault", content=content)
        assert sent.status_code == 303
        assert (await wire.http.get(sent.headers["location"])).status_code == 200
    assert len(wire.app.state.faults) == 0


async def test_notices_are_kept_for_the_latest_forms_alone(console: Console) -> None:
    for _ in range(30):
        page = await console.send("/console/clear-faults", target="faults")
    assert notice(page)[0] == "done"
