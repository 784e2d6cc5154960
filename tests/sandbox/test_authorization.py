"""Authorization at the wire: pages, codes, tokens, scopes, shops, and their withdrawal."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import httpx
import pytest
from helpers.sandbox.wire import NOW, ORDERS, SHOPS, Wire, new_wire

from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_CREATOR_TOKEN,
    DEMO_ORDERS_ONLY_TOKEN,
    DEMO_REFRESH_TOKEN,
    DEMO_SECOND_SHOP_CIPHER,
    DEMO_SERVICE_ID,
    TokenRules,
)

SELLER = {"service_id": DEMO_SERVICE_ID, "state": "a b&<c>"}
CREATOR = {"app_key": DEMO_APP_KEY, "state": "s"}
APP = {"app_key": DEMO_APP_KEY, "app_secret": DEMO_APP_SECRET}


async def decide(
    wire: Wire, decision: str, path: str = "/open/authorize", role: str = "seller"
) -> dict[str, str]:
    params = CREATOR if "creator" in path else SELLER
    response = await wire.http.post(path, params=params, data={"decision": decision, "role": role})
    assert response.status_code == 302
    assert response.headers["location"].startswith("http://127.0.0.1:8000/callback?")
    query = parse_qs(urlsplit(response.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


async def exchange(wire: Wire, code: str, **changes: str) -> Any:
    params = {**APP, "auth_code": code, "grant_type": "authorized_code", **changes}
    return (await wire.http.get("/api/v2/token/get", params=params)).json()


async def refresh(wire: Wire, token: str, **changes: str) -> Any:
    params = {**APP, "refresh_token": token, "grant_type": "refresh_token", **changes}
    return (await wire.http.get("/api/v2/token/refresh", params=params)).json()


async def code_with(wire: Wire, token: str, path: str = SHOPS, **parts: Any) -> int:
    headers = {"x-tts-access-token": token}
    response = await wire.send("GET", path, headers=headers, **parts)
    return int(response.json()["code"])


async def test_an_approved_app_calls_all_shops_with_its_new_token(wire: Wire) -> None:
    page = await wire.http.get("/open/authorize", params=SELLER)
    assert "Approve" in page.text
    assert "Deny" in page.text
    answer = await decide(wire, "approve")
    assert (answer["state"], answer["app_key"]) == (SELLER["state"], DEMO_APP_KEY)
    data = (await exchange(wire, answer["code"]))["data"]
    assert data["access_token_expire_in"] == NOW + 7 * 86400
    assert data["refresh_token_expire_in"] > data["access_token_expire_in"]
    assert data["user_type"] == 0
    assert "seller.order.info" in data["granted_scopes"]
    headers = {"x-tts-access-token": data["access_token"]}
    shops = (await wire.send("GET", SHOPS, headers=headers)).json()["data"]["shops"]
    assert [shop["region"] for shop in shops] == ["US", "GB"]
    wire.clock.now += 7 * 86400
    assert await code_with(wire, data["access_token"]) == 105002


async def test_a_denial_leads_back_with_its_state(wire: Wire) -> None:
    assert await decide(wire, "deny") == {"error": "auth_denied", "state": SELLER["state"]}


@pytest.mark.parametrize(
    ("path", "role", "user_type"),
    [("/open/authorize", "partner", 3), ("/alliance/creator/auth", "", 1)],
)
async def test_partners_and_creators_authorize_too(
    wire: Wire, path: str, role: str, user_type: int
) -> None:
    answer = await decide(wire, "approve", path, role)
    assert (await exchange(wire, answer["code"]))["data"]["user_type"] == user_type


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/open/authorize", {"state": "s"}),
        ("/open/authorize", {"service_id": "<script>"}),
        ("/alliance/creator/auth", {"app_key": DEMO_APP_KEY}),
    ],
)
async def test_a_faulty_link_ends_on_a_page(wire: Wire, path: str, params: Any) -> None:
    response = await wire.http.get(path, params=params)
    assert response.status_code == 400
    assert "<script>" not in response.text


async def test_the_question_cannot_be_framed_by_another_site(wire: Wire) -> None:
    page = await wire.http.get("/open/authorize", params=SELLER)
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_names_are_escaped_on_the_question(wire: Wire) -> None:
    """Whatever text a market made by hand has, also text that UTF-8 cannot encode."""
    app = wire.market.apps[DEMO_APP_KEY]
    wire.market.apps[DEMO_APP_KEY] = attrs.evolve(app, name="<b>\ud800 & app")
    response = await wire.http.get("/open/authorize", params={**SELLER, "role": "partner"})
    assert response.status_code == 200
    assert "&lt;b&gt;\\ud800 &amp; app" in response.text
    assert "<option selected>partner</option>" in response.text
    assert "Sandbox Goods UK (GB)" in response.text


async def test_a_creators_question_names_no_shop(wire: Wire) -> None:
    params = {"app_key": DEMO_APP_KEY, "state": "s"}
    response = await wire.http.get("/alliance/creator/auth", params=params)
    assert "Approve" in response.text
    assert "Sandbox Goods" not in response.text


@pytest.mark.parametrize("path", ["/open/authorize", "/alliance/creator/auth"])
async def test_a_query_that_is_not_utf_8_ends_on_a_page(wire: Wire, path: str) -> None:
    """A server passes such bytes on where a client did not encode them."""
    query = b"service_id=%s&state=s&role=\x80&app_key=%s" % (
        DEMO_SERVICE_ID.encode(),
        DEMO_APP_KEY.encode(),
    )
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": []}
    await wire.app(scope, receive, send)  # httpx sends no such bytes
    assert sent[0]["status"] == 200


async def test_a_huge_decision_is_refused(wire: Wire) -> None:
    decision = b"decision=approve&x=" + b"x" * 1024 * 1024
    response = await wire.http.post("/open/authorize", params=SELLER, content=decision)
    assert response.status_code == 413


async def test_an_app_without_a_redirect_url_is_told_so() -> None:
    wire = new_wire(orders=0, redirect_url="")
    assert "redirect" in (await wire.http.get("/open/authorize", params=SELLER)).text


async def test_a_code_works_once_and_for_half_an_hour(wire: Wire) -> None:
    first, late = [(await decide(wire, "approve"))["code"] for _ in range(2)]
    assert [(await exchange(wire, first))["code"] for _ in range(2)] == [0, 36004004]
    wire.clock.now += 30 * 60
    assert (await exchange(wire, late))["code"] == 36004004


@pytest.mark.parametrize(
    "changes",
    [{"app_secret": "é"}, {"app_key": "x"}, {"grant_type": "code"}, {"auth_code": ""}],
)
async def test_a_faulty_token_call_is_refused(wire: Wire, changes: dict[str, str]) -> None:
    assert (await exchange(wire, "x", **changes))["code"] == 36009004


async def test_a_refresh_rotates_and_the_old_access_token_works_on(wire: Wire) -> None:
    pair = (await refresh(wire, DEMO_REFRESH_TOKEN))["data"]
    assert (await refresh(wire, DEMO_REFRESH_TOKEN))["code"] == 36004001
    assert (await refresh(wire, pair["refresh_token"]))["code"] == 0
    assert (wire.market.refreshes, wire.market.grants.refused_refreshes) == (2, 1)
    assert await code_with(wire, DEMO_ACCESS_TOKEN) == 0
    assert await code_with(wire, pair["access_token"]) == 0
    assert (await refresh(wire, "stray"))["code"] == 36004005


async def test_within_the_grace_time_a_refresh_is_answered_with_the_same_pair() -> None:
    rules = TokenRules(refresh_grace_seconds=10, old_access_token_stops=True)
    wire = new_wire(orders=0, token_rules=rules)
    pairs = [(await refresh(wire, DEMO_REFRESH_TOKEN))["data"] for _ in range(2)]
    assert pairs[0] == pairs[1]
    assert await code_with(wire, DEMO_ACCESS_TOKEN) == 105002
    wire.clock.now += 10
    assert (await refresh(wire, DEMO_REFRESH_TOKEN))["code"] == 36004001
    wire.clock.now += 365 * 86400
    assert (await refresh(wire, pairs[0]["refresh_token"]))["code"] == 36004001


async def test_a_missing_scope_is_named(wire: Wire) -> None:
    headers = {"x-tts-access-token": DEMO_ORDERS_ONLY_TOKEN}
    assert (await wire.call("GET", ORDERS, query={"ids": "1"}, headers=headers))["code"] == 0
    path = "/return_refund/202602/cancellations/search"
    refused = await wire.call("POST", path, json={}, headers=headers)
    assert refused["code"] == 105005
    assert "seller.return_refund.info" in refused["message"]


async def test_the_second_shop_has_orders_of_its_own(wire: Wire) -> None:
    search = "/order/202309/orders/search"
    query = {"shop_cipher": DEMO_SECOND_SHOP_CIPHER, "page_size": 1}
    assert (await wire.call("POST", search, query=query, json={}))["data"]["total_count"] == 20


async def test_a_withdrawn_authorization_ends_all_its_tokens(wire: Wire) -> None:
    code = (await decide(wire, "approve"))["code"]
    wire.market.revoke(DEMO_ACCESS_TOKEN)
    assert await code_with(wire, DEMO_ACCESS_TOKEN) == 105001
    assert (await refresh(wire, DEMO_REFRESH_TOKEN))["code"] == 36004005
    assert (await exchange(wire, code))["code"] == 36004004
    wire.market.revoke(DEMO_CREATOR_TOKEN)
    assert await code_with(wire, DEMO_CREATOR_TOKEN) == 105001


async def test_secrets_stay_out_of_representations(wire: Wire) -> None:
    assert DEMO_ACCESS_TOKEN not in repr(list(wire.market.tokens.values()))
    assert DEMO_APP_SECRET not in repr(wire.market.apps)
    assert isinstance(wire.http, httpx.AsyncClient)
