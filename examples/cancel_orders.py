"""Cancel many orders, and check the outcome of each.

Without order ids: start a sandbox in a separate process, with lost responses, broken connections
and throttled calls; cancel its orders, and check each outcome against the shop's record.
With order ids: cancel these orders in the shop of TIKTOK_APP_KEY, TIKTOK_APP_SECRET,
TIKTOK_ACCESS_TOKEN and TIKTOK_SHOP_CIPHER; without --yes nothing changes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from tiktok_shop_async import AsyncTikTokShop, TikTokShopError
from tiktok_shop_async.batch import CancelOutcome, RichProgress, cancel_orders
from tiktok_shop_async.limits import LearningLimiter
from tiktok_shop_async.models.order import Order
from tiktok_shop_async.models.return_refund import Cancellation

ENVIRONMENT = ("TIKTOK_APP_KEY", "TIKTOK_APP_SECRET", "TIKTOK_ACCESS_TOKEN", "TIKTOK_SHOP_CIPHER")
FAULTS = (
    {"kind": "lost_answer", "probability": 0.05},
    {"kind": "reset_before", "probability": 0.03},
    {"kind": "internal_error", "probability": 0.01, "after_processing": True},
)
"""Faults that the sandbox injects into calls of cancel_order."""
LIMITS = {"rates": {"write": {"per_second": 80, "burst": 5}}}
"""Rates above which the sandbox throttles calls."""
NOT_CANCELLABLE = ("IN_TRANSIT", "DELIVERED", "COMPLETED", "CANCELLED")
ORDERS_PER_DETAIL_CALL = 50
CANCELLATIONS_PER_PAGE = 50
SANDBOX_CONCURRENCY, SHOP_CONCURRENCY = 50, 2
"""A real shop allows a few writes a second."""
MAX_PENDING_SECONDS = 15.0
"""Maximum seconds to wait until the sandbox has decided its pending cancellations."""
STYLES = {"confirmed": "green", "pending": "yellow", "refused": "red", "unknown": "bold red"}

console = Console()


async def cancel_all(
    client: AsyncTikTokShop,
    order_ids: Sequence[str],
    options: argparse.Namespace,
    *,
    concurrency: int,
) -> list[CancelOutcome]:
    """Cancel orders, and return the outcome of each."""
    with RichProgress("Cancelling", console=console) as progress:
        async with cancel_orders(
            client,
            order_ids,
            reason=options.reason,
            concurrency=concurrency,
            journal=options.journal,
            progress=progress,
        ) as outcomes:
            return [outcome async for outcome in outcomes]


def show_outcomes(outcomes: Iterable[CancelOutcome]) -> None:
    kinds: defaultdict[tuple[str, str], list[CancelOutcome]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.status, reason_of(outcome)].append(outcome)
    table = Table("Outcome", "Reason", "Orders", "Sent", "Example request id")
    table.columns[1].overflow = "fold"
    table.columns[2].justify = table.columns[3].justify = "right"
    for (status, reason), found in sorted(kinds.items(), key=lambda kind: -len(kind[1])):
        sent = sum(outcome.attempts for outcome in found)
        example = next((outcome.request_id for outcome in found if outcome.request_id), "-")
        table.add_row(
            status, reason, str(len(found)), str(sent), example, style=STYLES.get(status, "")
        )
    console.print(table)


def reason_of(outcome: CancelOutcome) -> str:
    if outcome.status in ("confirmed", "pending", "already_cancelled"):
        return ""
    return f"{outcome.code}: {outcome.message}" if outcome.code else outcome.message


# The sandbox --------------------------------------------------------------------------------------


@contextmanager
def sandbox(orders: int, seed: int) -> Iterator[Mapping[str, str]]:
    """Run a sandbox in a separate process; yield the environment variables of its address."""
    command = [sys.executable, "-m", "tiktok_shop_async.sandbox", "--port", "0"]
    command += ["--orders", str(orders), "--seed", str(seed)]
    command += ["--limits", json.dumps(LIMITS)]
    for number, fault in enumerate(FAULTS):
        rule = {"operation": "return_refund.cancel_order", "seed": seed + number, **fault}
        command += ["--fault", json.dumps(rule)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield dict(_printed_settings(process))
        finally:
            process.terminate()


def _printed_settings(process: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    assert process.stdout is not None
    for line in process.stdout:
        command, *settings = shlex.split(line, comments=True) or ("",)
        if command != "export":
            return
        name, _, value = settings[0].partition("=")
        yield name, value
    raise SystemExit("The sandbox did not start; see its output above.")


async def cancel_in_sandbox(
    environment: Mapping[str, str], options: argparse.Namespace
) -> Sequence[str]:
    """Cancel the sandbox's orders, and return the problems found."""
    client = AsyncTikTokShop(
        environment["TIKTOK_APP_KEY"],
        environment["TIKTOK_APP_SECRET"],
        access_token=environment["TIKTOK_ACCESS_TOKEN"],
        shop_cipher=environment["TIKTOK_SHOP_CIPHER"],
        base_url=environment["TIKTOK_BASE_URL"],
        limiter=LearningLimiter(),
    )
    async with client:
        before = await all_orders(client)
        statuses = Counter(order.status or "" for order in before.values())
        console.print(f"{len(before)} orders: {counts_as_text(statuses)}")
        began = time.perf_counter()
        outcomes = await cancel_all(client, list(before), options, concurrency=SANDBOX_CONCURRENCY)
        seconds = time.perf_counter() - began
        show_outcomes(outcomes)
        sent = sum(outcome.attempts for outcome in outcomes)
        console.print(f"{len(outcomes)} outcomes of {sent} requests to cancel in {seconds:.1f} s")
        record = await settled_record(client, before)
        after = await all_orders(client)
    problems = [*check_outcomes(outcomes, before, after, record), *check_record(record)]
    if not any(outcome.status == "confirmed" for outcome in outcomes):
        problems.append("no order was confirmed as cancelled")
    if not problems:
        cancelled = sum(order.status == "CANCELLED" for order in after.values())
        console.print(
            f"The shop's record agrees: {len(record)} orders cancelled once, none twice; "
            f"{cancelled} of {len(after)} are CANCELLED now."
        )
    return problems


async def all_orders(client: AsyncTikTokShop) -> dict[str, Order]:
    pager = client.order.get_order_list(page_size=100)
    return {order.id: order async for order in pager if order.id}


async def settled_record(
    client: AsyncTikTokShop, order_ids: Iterable[str]
) -> dict[str, list[Cancellation]]:
    """Wait until no cancellation is pending, and return the cancellations of each order."""
    deadline = time.monotonic() + MAX_PENDING_SECONDS
    while True:
        record: dict[str, list[Cancellation]] = defaultdict(list)
        async for cancellation in client.return_refund.search_cancellations(
            order_ids=list(order_ids), page_size=CANCELLATIONS_PER_PAGE
        ):
            record[cancellation.order_id or ""].append(cancellation)
        found = (each.cancel_status for every in record.values() for each in every)
        if "CANCELLATION_REQUEST_PENDING" not in found or time.monotonic() > deadline:
            return record
        await asyncio.sleep(0.2)


def check_outcomes(
    outcomes: Iterable[CancelOutcome],
    before: Mapping[str, Order],
    after: Mapping[str, Order],
    record: Mapping[str, Sequence[Cancellation]],
) -> Iterator[str]:
    """Yield each outcome that the shop's record contradicts."""
    for outcome in outcomes:
        order_id = outcome.order_id
        was, is_now = before[order_id].status, after[order_id].status
        recorded = [cancellation.cancel_id for cancellation in record.get(order_id, ())]
        match outcome.status:
            case "confirmed" | "pending":
                agrees = is_now == "CANCELLED" and recorded == [outcome.cancel_id]
            case "already_cancelled":
                agrees = was == "CANCELLED"
            case "refused":
                agrees = is_now == was and not recorded
            case _:
                agrees = False
        if not agrees:
            yield (
                f"order {order_id}: {outcome.status}, {outcome.message} ({outcome.request_id}), "
                f"but {is_now} with {len(recorded)} on record"
            )


def check_record(record: Mapping[str, Sequence[Cancellation]]) -> Iterator[str]:
    """Yield each line item that was cancelled more than once."""
    times = Counter(
        line.order_line_item_id
        for cancellations in record.values()
        for cancellation in cancellations
        for line in cancellation.cancel_line_items
    )
    for line_id, count in times.items():
        if count > 1:
            yield f"line item {line_id} was cancelled {count} times"


# A real shop --------------------------------------------------------------------------------------


async def cancel_in_real_shop(
    order_ids: Sequence[str], options: argparse.Namespace
) -> Sequence[str]:
    """Cancel orders of the shop in the environment variables, and return the problems found."""
    async with AsyncTikTokShop.from_env(limiter=LearningLimiter()) as client:
        before = await details(client, order_ids)
        missing = [order_id for order_id in order_ids if order_id not in before]
        problems = [f"order {order_id} is not in this shop" for order_id in missing]
        if not options.yes:
            show_plan(before)
            return problems
        to_cancel = [
            order_id for order_id, order in before.items() if order.status not in NOT_CANCELLABLE
        ]
        outcomes = await cancel_all(client, to_cancel, options, concurrency=SHOP_CONCURRENCY)
        show_outcomes(outcomes)
        after = await details(client, to_cancel)
    for outcome in outcomes:
        status = after[outcome.order_id].status if outcome.order_id in after else "not found"
        console.print(f"{outcome.order_id}: {outcome.status}, now {status}", highlight=False)
        if outcome.status not in ("confirmed", "pending", "already_cancelled"):
            problems.append(
                f"order {outcome.order_id}: {outcome.status}, {reason_of(outcome)} "
                f"(request id {outcome.request_id}) {outcome.hint or ''}"
            )
    return problems


async def details(client: AsyncTikTokShop, order_ids: Sequence[str]) -> dict[str, Order]:
    found: dict[str, Order] = {}
    for start in range(0, len(order_ids), ORDERS_PER_DETAIL_CALL):
        ids = order_ids[start : start + ORDERS_PER_DETAIL_CALL]
        response = await client.order.get_order_detail(ids=ids)
        found |= {order.id: order for order in response.data.orders if order.id}
    return found


def show_plan(orders: Mapping[str, Order]) -> None:
    table = Table("Order", "Status", "Line items", "Would be cancelled")
    for order_id, order in orders.items():
        plan = "no: too late" if order.status in NOT_CANCELLABLE else "yes"
        table.add_row(order_id, order.status, str(len(order.line_items)), plan)
    console.print(table)
    console.print("Nothing was changed. Run again with --yes to cancel these orders.")


# The command --------------------------------------------------------------------------------------


def counts_as_text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "order_ids", nargs="*", metavar="ORDER_ID", help="id of an order of your shop"
    )
    parser.add_argument("--yes", action="store_true", help="cancel the orders")
    parser.add_argument(
        "--reason",
        default="out_of_stock",
        help="intent or exact reason, for all orders (%(default)s)",
    )
    parser.add_argument("--journal", metavar="FILE", help="resume an earlier run")
    parser.add_argument("--orders", type=int, default=400, help="number of orders in the sandbox")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sandbox's orders")
    return parser


def run(options: argparse.Namespace) -> Sequence[str]:
    if options.order_ids:
        order_ids = list(dict.fromkeys(options.order_ids))
        return asyncio.run(cancel_in_real_shop(order_ids, options))
    with sandbox(options.orders, options.seed) as environment:
        console.print(f"Sandbox at {environment['TIKTOK_BASE_URL']}")
        return asyncio.run(cancel_in_sandbox(environment, options))


def main() -> int:
    options = parser().parse_args()
    unset = [name for name in ENVIRONMENT if not os.environ.get(name)]
    if options.order_ids and unset:
        console.print(f"Set {', '.join(unset)} to the credentials of your shop.")
        return 2
    try:
        problems = run(options)
    except TikTokShopError as error:
        problems = [str(error)]
    for problem in problems:
        console.print(problem, style="bold red", markup=False)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
