"""The demo, run as its reader runs it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tiktok_shop_async.sandbox import Sandbox, run_sandbox

EXAMPLE = Path(__file__).parents[2] / "examples" / "cancel_orders.py"


def run_example(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("TIKTOK_")}
    return subprocess.run(  # noqa: S603
        [sys.executable, str(EXAMPLE), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**clean, "COLUMNS": "200", **environment},
    )


async def run_against(sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        run_example,
        *arguments,
        TIKTOK_BASE_URL=sandbox.base_url,
        TIKTOK_APP_KEY=sandbox.app_key,
        TIKTOK_APP_SECRET=sandbox.app_secret,
        TIKTOK_ACCESS_TOKEN=sandbox.access_token,
        TIKTOK_SHOP_CIPHER=sandbox.shop_cipher,
    )


def test_the_local_shop_is_cancelled_and_its_record_agrees() -> None:
    done = run_example("--orders", "80")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "confirmed" in done.stdout
    assert "none twice" in done.stdout
    assert done.stderr == ""


def test_a_reason_that_nobody_takes_is_something_off() -> None:
    done = run_example("--orders", "20", "--reason", "because")
    assert done.returncode == 1
    assert "not 'because'" in " ".join(done.stdout.split())


def test_order_ids_need_credentials() -> None:
    done = run_example("123")
    assert done.returncode == 2
    assert "TIKTOK_APP_SECRET" in done.stdout


async def test_a_given_shop_is_changed_only_with_yes() -> None:
    """Without it the plan is shown; with it the outcome, order by order."""
    async with run_sandbox(orders=60, pending_share=0.0) as sandbox:
        by_status = {order.status: order for order in sandbox.shop.orders.values()}
        paid, over = by_status["AWAITING_SHIPMENT"], by_status["COMPLETED"]
        plan = await run_against(sandbox, paid.id, over.id)
        assert (plan.returncode, paid.status) == (0, "AWAITING_SHIPMENT")
        assert "no: too late" in plan.stdout
        done = await run_against(sandbox, paid.id, over.id, "--yes")
        assert (done.returncode, paid.status, over.status) == (0, "CANCELLED", "COMPLETED")
        assert f"{paid.id}: confirmed, now CANCELLED" in done.stdout
        missing = await run_against(sandbox, "123")
        assert (missing.returncode, "123" in missing.stdout) == (1, True)
        for run in (plan, done, missing):
            assert sandbox.app_secret not in run.stdout + run.stderr
            assert sandbox.access_token not in run.stdout + run.stderr


async def test_a_refusal_is_shown_with_its_code_and_request_id() -> None:
    async with run_sandbox(orders=60) as sandbox:
        order = next(o for o in sandbox.shop.orders.values() if o.status == "AWAITING_SHIPMENT")
        reason = "seller_cancel_unpaid_reason_wrong_price"
        done = await run_against(sandbox, order.id, "--yes", "--reason", reason)
    assert done.returncode == 1
    assert "25001021" in done.stdout
    assert "request id" in done.stdout


async def test_what_is_cancelled_already_is_not_sent_again_with_a_journal(tmp_path: Path) -> None:
    async with run_sandbox(orders=60, pending_share=0.0) as sandbox:
        orders = sandbox.shop.orders.values()
        ids = [order.id for order in orders if order.status == "AWAITING_SHIPMENT"][:3]
        journal = str(tmp_path / "cancellations.db")
        for given in (ids[:2], ids):
            done = await run_against(sandbox, *given, "--yes", "--journal", journal)
            assert done.returncode == 0, done.stdout + done.stderr
        assert all(len(sandbox.shop.orders[each].cancellations) == 1 for each in ids)


def test_a_fault_that_is_none_is_said_at_once() -> None:
    command = [sys.executable, "-m", "tiktok_shop_async.sandbox", "--fault"]
    for rule, problem in (
        ('{"kind": "hiccup"}', "kind must be one of throttled, "),
        ("{", "--fault"),
    ):
        done = subprocess.run(  # noqa: S603
            [*command, rule], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 2
        assert problem in done.stderr
