"""The state file: what was answered is kept, and a sandbox goes on from it."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from sandbox.scenarios import APPROVE_RETURN, DAMAGED, delivered
from sandbox.wire import Wire, new_product, new_wire

import tiktok_shop_async.sandbox.__main__ as command
from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_REFRESH_TOKEN,
    DEMO_SECOND_SHOP_CIPHER,
    DEMO_SERVICE_ID,
    DEMO_SHOP_CIPHER,
    Event,
    FaultRule,
    Faults,
    StateFile,
    TokenRules,
    create_app,
    run_sandbox,
)

PAID = "seller_cancel_reason_out_of_stock"
WEBHOOKS = "/event/202309/webhooks"
AUTHORIZE = f"/open/authorize?service_id={DEMO_SERVICE_ID}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@asynccontextmanager
async def opened(path: Path, **application: Any) -> AsyncIterator[Wire]:
    """A sandbox on a file, as long as the block lasts."""
    with StateFile(path) as state:
        wire = new_wire(pending_share=0.0, application={"state": state, **application})
        async with wire.http:
            yield wire


async def tokens(wire: Wire, endpoint: str, **query: str) -> Any:
    credentials = {"app_key": DEMO_APP_KEY, "app_secret": DEMO_APP_SECRET}
    answer = await wire.http.get(f"/api/v2/token/{endpoint}", params=credentials | query)
    return answer.json()


async def approve(wire: Wire) -> str:
    answer = await wire.http.post(AUTHORIZE, data={"decision": "approve", "role": "seller"})
    return httpx.URL(answer.headers["location"]).params["code"]


async def test_authorizations_go_on(path: Path) -> None:
    """Codes, tokens, what was rotated, what was withdrawn, and how often it was refreshed."""
    async with opened(path) as wire:
        used, code = await approve(wire), await approve(wire)
        first = await tokens(wire, "get", grant_type="authorized_code", auth_code=used)
        old = first["data"]["refresh_token"]
        pair = await tokens(wire, "refresh", grant_type="refresh_token", refresh_token=old)
    async with opened(path) as wire:
        assert wire.market.refreshes == 1
        again = await tokens(wire, "get", grant_type="authorized_code", auth_code=used)
        assert again["code"] == 36004004
        fresh = await tokens(wire, "get", grant_type="authorized_code", auth_code=code)
        assert fresh["code"] == 0
        stale = await tokens(wire, "refresh", grant_type="refresh_token", refresh_token=old)
        assert stale["code"] == 36004001
        held = {"x-tts-access-token": pair["data"]["access_token"]}
        answer = await wire.send("GET", "/authorization/202309/shops", headers=held)
        assert answer.json()["code"] == 0
        wire.market.revoke(pair["data"]["access_token"])
    async with opened(path) as wire:
        answer = await wire.send("GET", "/authorization/202309/shops", headers=held)
        assert answer.json()["code"] == 105001
        gone = await tokens(
            wire, "refresh", grant_type="refresh_token", refresh_token=DEMO_REFRESH_TOKEN
        )
        assert gone["code"] == 36004005


async def test_the_end_of_an_authorization_is_not_announced_again(path: Path) -> None:
    told: list[Event] = []
    async with opened(path) as wire:
        wire.market.grants.rules = TokenRules(refresh_token_seconds=10 * 86400)
        code = await approve(wire)
        await tokens(wire, "get", grant_type="authorized_code", auth_code=code)
        wire.market.on_event = told.append
        wire.market.settle(wire.clock())
        assert [event.type for event in told] == [7, 7]
    async with opened(path) as wire:
        wire.market.on_event = told.append
        wire.market.settle(wire.clock())
        assert len(told) == 2
        wire.market.settle(wire.clock() + 86400)
        assert len(told) == 4


async def test_a_call_with_its_idempotency_key_does_nothing_again(path: Path) -> None:
    key, body = {"idempotency_key": "once"}, {"decision": "APPROVE_REFUND"}
    async with opened(path) as wire:
        request = wire.shop.request_return(delivered(wire).id, DAMAGED)
        approve_it = APPROVE_RETURN.format(request.id)
        assert (await wire.call("POST", approve_it, query=key, json=body))["code"] == 0
    async with opened(path) as wire:
        assert (await wire.call("POST", approve_it, query=key, json=body))["code"] == 0
        assert (await wire.call("POST", approve_it, json=body))["code"] != 0


async def test_subscriptions_and_changed_products_go_on(path: Path) -> None:
    hook = {"event_type": "ORDER_STATUS_CHANGE", "address": "http://127.0.0.1:9/hook"}
    async with opened(path) as wire:
        await wire.call("PUT", WEBHOOKS, json=hook)
        product = next(iter(wire.shop.stock.products.values()))
        sku = next(iter(product.skus))
        body = {"skus": [{"id": sku, "inventory": [{"quantity": 4321}]}]}
        await wire.call(
            "POST", f"/product/202309/products/{product.id}/inventory/update", json=body
        )
    async with opened(path) as wire:
        (kept,) = (await wire.call("GET", WEBHOOKS))["data"]["webhooks"]
        assert kept["address"] == hook["address"]
        assert wire.shop.stock.products[product.id].skus[sku].quantity == 4321


async def test_created_and_edited_products_go_on(path: Path) -> None:
    """With the key that created one, and the SKUs that an edit withdrew."""
    products = "/product/202309/products"
    async with opened(path) as wire:
        body = {**new_product(wire.shop), "idempotency_key": "once"}
        created = (await wire.call("POST", products, json=body))["data"]
        edited = next(iter(wire.shop.stock.products.values()))
        await wire.call("PUT", f"{products}/{edited.id}", json=new_product(wire.shop))
        ids = (created["product_id"], edited.id)
        shown = [(await wire.call("GET", f"{products}/{each}"))["data"] for each in ids]
    async with opened(path) as wire:
        again = [(await wire.call("GET", f"{products}/{each}"))["data"] for each in ids]
        assert again == shown
        assert wire.shop.stock.products[edited.id].withdrawn.keys() == edited.withdrawn.keys()
        assert edited.withdrawn
        assert (await wire.call("POST", products, json=body))["data"] == created
        assert len(wire.shop.stock.products) == 9


async def test_what_falls_due_meanwhile_is_done_at_the_next_start(path: Path) -> None:
    """The buyer's time to pay runs out while nobody serves the shop."""
    async with opened(path) as wire:
        order_id = wire.order_ids("UNPAID")[0]
    async with opened(path) as wire:
        wire.clock.now += 2 * 86400
        assert wire.shop.orders[order_id].status == "CANCELLED"


async def test_a_second_shop_has_a_state_of_its_own(path: Path) -> None:
    async with opened(path) as wire:
        second = wire.market.shops[DEMO_SECOND_SHOP_CIPHER]
        order_id = next(o.id for o in second.orders.values() if o.status == "AWAITING_SHIPMENT")
        second.cancel(order_id, f"{PAID}_uk")
        orders = set(second.orders)
    async with opened(path) as wire:
        second = wire.market.shops[DEMO_SECOND_SHOP_CIPHER]
        assert second.orders[order_id].status == "CANCELLED"
        assert set(second.orders) == orders


async def test_moved_time_stays_moved(path: Path) -> None:
    """Else what was written later than now would be read."""
    now = 1_790_000_000.0
    with StateFile(path) as state:
        app = create_app(orders=1, clock=MovableClock(lambda: now), state=state)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
            await http.post("/_sandbox/clock", json={"advance": 86400})
    with StateFile(path) as state:
        clock = MovableClock(lambda: now)
        create_app(orders=1, clock=clock, state=state)
        assert clock() == now + 86400


async def test_a_reset_returns_the_file_to_the_beginning_too(path: Path) -> None:
    async with run_sandbox(orders=5, state=path) as sandbox:
        sandbox.market.revoke(DEMO_ACCESS_TOKEN)
        async with httpx.AsyncClient(base_url=sandbox.base_url) as http:
            assert (await http.post("/_sandbox/reset")).status_code == 204
    with StateFile(path) as state:
        market = create_app(orders=0, state=state).state.market
        assert DEMO_ACCESS_TOKEN in market.tokens
        assert len(market.shops[DEMO_SHOP_CIPHER].orders) == 5


async def test_an_answer_that_is_lost_is_kept_all_the_same(path: Path) -> None:
    lost = Faults([FaultRule(kind="lost_answer", nth=1)])
    async with opened(path, faults=lost) as wire:
        order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
        with pytest.raises(httpx.RemoteProtocolError):
            await wire.cancel(order_id)
        copy = path.with_name("copy.db")
        copy.write_bytes(path.read_bytes())
        wal = Path(f"{path}-wal")
        Path(f"{copy}-wal").write_bytes(wal.read_bytes())
    async with opened(copy) as wire:
        assert wire.shop.orders[order_id].status == "CANCELLED"


def test_a_process_that_is_killed_loses_nothing_that_it_answered(path: Path) -> None:
    """By SIGKILL, between an answer and the next call."""
    arguments = ["--orders", "40", "--state", str(path)]

    def served(act: Callable[[AsyncTikTokShop], Any]) -> Any:
        line = [sys.executable, "-m", "tiktok_shop_async.sandbox", *arguments]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            settings = itertools.takewhile(lambda line: line.startswith("export "), lines)
            environment = dict(line.split()[1].split("=", 1) for line in settings)

            async def call() -> Any:
                async with AsyncTikTokShop(
                    DEMO_APP_KEY,
                    DEMO_APP_SECRET,
                    access_token=DEMO_ACCESS_TOKEN,
                    shop_cipher=DEMO_SHOP_CIPHER,
                    base_url=environment["TIKTOK_BASE_URL"],
                ) as client:
                    return await act(client)

            try:
                return asyncio.run(call())
            finally:
                process.kill()

    async def cancel_one(client: AsyncTikTokShop) -> str:
        found = await client.order.get_order_list(page_size=1, order_status="AWAITING_SHIPMENT")
        order_id = found.data.orders[0].id
        assert order_id
        await client.return_refund.cancel_order(order_id=order_id, cancel_reason=PAID)
        return order_id

    async def cancellations(client: AsyncTikTokShop) -> list[Any]:
        found = await client.return_refund.search_cancellations(order_ids=[order_id])
        return found.data.cancellations

    order_id = served(cancel_one)
    assert len(served(cancellations)) == 1


async def test_calls_that_change_nothing_write_nothing(path: Path) -> None:
    async with opened(path) as wire:
        wal = Path(f"{path}-wal")
        before = wal.stat().st_size
        await wire.order(wire.order_ids("AWAITING_SHIPMENT")[0])
        assert wal.stat().st_size == before
        await wire.cancel(wire.order_ids("AWAITING_SHIPMENT")[0])
        assert wal.stat().st_size > before


class TestRefused:
    """A file that cannot be gone on from is refused, by name and with what to do, untouched."""

    def test_one_that_another_sandbox_has(self, path: Path) -> None:
        with StateFile(path), pytest.raises(ValueError, match=r"shop\.db is in use by another"):
            StateFile(path)
        StateFile(path).close()

    def test_one_that_is_no_database(self, path: Path) -> None:
        path.write_text("a letter to grandmother, longer than the header of a database is\n" * 9)
        before = path.read_bytes()
        with pytest.raises(ValueError, match=r"shop\.db is not a sandbox's state"):
            StateFile(path)
        assert path.read_bytes() == before

    def test_somebody_elses_database(self, path: Path) -> None:
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE letters (line TEXT)")
        other.close()
        before = path.read_bytes()
        with pytest.raises(ValueError, match=r"shop\.db is not a sandbox's state"):
            StateFile(path)
        assert path.read_bytes() == before

    def test_one_of_another_format(self, path: Path) -> None:
        StateFile(path).close()
        with sqlite3.connect(path) as file:
            file.execute("PRAGMA user_version = 99")
        file.close()
        with pytest.raises(ValueError, match="another version of the sandbox"):
            StateFile(path)

    def test_one_in_a_folder_that_is_missing(self, path: Path) -> None:
        with pytest.raises(ValueError, match=r"nowhere.shop\.db cannot be created"):
            StateFile(path.parent / "nowhere" / "shop.db")

    def test_the_command_says_so(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path.write_text("no database" * 99)
        with pytest.raises(SystemExit):
            command.main(["--state", str(path)])
        assert "is not a sandbox's state" in capsys.readouterr().err


async def test_every_field_of_an_order_is_kept(path: Path) -> None:
    """Also those that come later: what is written is read off the classes."""
    async with opened(path) as wire:
        order = delivered(wire)
        order.buyer_message = "\N{GRINNING FACE} 'quoted' \u2028"
        wire.shop.ledger.on_modified(order)
        before = attrs.asdict(order.buyer), order.buyer_message, order.packages[0].tracking_number
    async with opened(path) as wire:
        again = wire.shop.orders[order.id]
        after = attrs.asdict(again.buyer), again.buyer_message, again.packages[0].tracking_number
        assert after == before
        assert again.lines[0].package is again.packages[0]
