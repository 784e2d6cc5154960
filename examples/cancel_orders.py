"""Cancel many orders, and prove what became of each.

Without order ids: start a local shop as a process of its own, where answers get lost, connections
break and calls are throttled; cancel its orders, and check each outcome against the shop's record.
With order ids: cancel those in the shop that TIKTOK_APP_KEY, TIKTOK_APP_SECRET, TIKTOK_ACCESS_TOKEN
and TIKTOK_SHOP_CIPHER name; without --yes nothing changes.
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
"""What befalls the calls that cancel an order in the local shop..."""
LIMITS = {"rates": {"write": {"per_second": 80, "burst": 5}}}
"""...beside the throttling of those that come too fast."""
OVER = ("IN_TRANSIT", "DELIVERED", "COMPLETED", "CANCELLED")
ORDERS_PER_DETAIL_CALL = 50
CANCELLATIONS_PER_PAGE = 50
LOCAL_AT_ONCE, REAL_AT_ONCE = 50, 2
"""A real shop allows a few writes a second."""
PATIENCE = 15.0
"""Seconds to wait until the local shop has decided about what it left pending."""
STYLES = {"confirmed": "green", "pending": "yellow", "refused": "red", "unknown": "bold red"}

console = Console()


async def cancel_all(
    client: AsyncTikTokShop, order_ids: Sequence[str], options: argparse.Namespace, *, at_once: int
) -> list[CancelOutcome]:
    """Cancel orders, and return what became of each."""
    with RichProgress("Cancelling", console=console) as progress:
        async with cancel_orders(
            client,
            order_ids,
            reason=options.reason,
            concurrency=at_once,
            journal=options.journal,
            progress=progress,
        ) as outcomes:
            return [outcome async for outcome in outcomes]


def show(outcomes: Iterable[CancelOutcome]) -> None:
    kinds: defaultdict[tuple[str, str], list[CancelOutcome]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.status, why(outcome)].append(outcome)
    table = Table("Outcome", "Why", "Orders", "Sent", "Example request id")
    table.columns[1].overflow = "fold"
    table.columns[2].justify = table.columns[3].justify = "right"
    for (status, reason), found in sorted(kinds.items(), key=lambda kind: -len(kind[1])):
        sent = sum(outcome.attempts for outcome in found)
        example = next((outcome.request_id for outcome in found if outcome.request_id), "-")
        table.add_row(
            status, reason, str(len(found)), str(sent), example, style=STYLES.get(status, "")
        )
    console.print(table)


def why(outcome: CancelOutcome) -> str:
    if outcome.status in ("confirmed", "pending", "already_cancelled"):
        return ""
    return f"{outcome.code}: {outcome.message}" if outcome.code else outcome.message


# The local shop -----------------------------------------------------------------------------------


@contextmanager
def local_shop(orders: int, seed: int) -> Iterator[Mapping[str, str]]:
    """Run a sandbox in a process of its own; give the variables that say how to reach it."""
    command = [sys.executable, "-m", "tiktok_shop_async.sandbox", "--port", "0"]
    command += ["--orders", str(orders), "--seed", str(seed)]
    command += ["--limits", json.dumps(LIMITS)]
    for number, fault in enumerate(FAULTS):
        rule = {"operation": "return_refund.cancel_order", "seed": seed + number, **fault}
        command += ["--fault", json.dumps(rule)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield dict(_announced(process))
        finally:
            process.terminate()


def _announced(process: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    assert process.stdout is not None
    for line in process.stdout:
        command, *settings = shlex.split(line, comments=True) or ("",)
        if command != "export":
            return
        name, _, value = settings[0].partition("=")
        yield name, value
    raise SystemExit("The local shop did not start; what it said stands above.")


async def cancel_in_local_shop(
    environment: Mapping[str, str], options: argparse.Namespace
) -> Sequence[str]:
    """Cancel the local shop's orders; return what is off."""
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
        console.print(f"{len(before)} orders: {in_words(statuses)}")
        began = time.perf_counter()
        outcomes = await cancel_all(client, list(before), options, at_once=LOCAL_AT_ONCE)
        seconds = time.perf_counter() - began
        show(outcomes)
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
    """Return the shop's cancellations of the orders, once none of them is pending any more."""
    deadline = time.monotonic() + PATIENCE
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
    """Yield where the shop's record does not bear out what we were told."""
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
    """Yield the line items that were cancelled more than once."""
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
    """Cancel orders of the shop that the environment names; return what is off."""
    async with AsyncTikTokShop.from_env(limiter=LearningLimiter()) as client:
        before = await details(client, order_ids)
        missing = [order_id for order_id in order_ids if order_id not in before]
        problems = [f"order {order_id} is not in this shop" for order_id in missing]
        if not options.yes:
            show_plan(before)
            return problems
        to_cancel = [order_id for order_id, order in before.items() if order.status not in OVER]
        outcomes = await cancel_all(client, to_cancel, options, at_once=REAL_AT_ONCE)
        show(outcomes)
        after = await details(client, to_cancel)
    for outcome in outcomes:
        status = after[outcome.order_id].status if outcome.order_id in after else "not found"
        console.print(f"{outcome.order_id}: {outcome.status}, now {status}", highlight=False)
        if outcome.status not in ("confirmed", "pending", "already_cancelled"):
            problems.append(
                f"order {outcome.order_id}: {outcome.status}, {why(outcome)} "
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
        plan = "no: left alone" if order.status in OVER else "yes"
        table.add_row(order_id, order.status, str(len(order.line_items)), plan)
    console.print(table)
    console.print("Nothing was changed. Repeat with --yes to cancel these orders.")


# The command --------------------------------------------------------------------------------------


def in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("order_ids", nargs="*", metavar="ORDER_ID", help="order of a real shop")
    parser.add_argument("--yes", action="store_true", help="really cancel the orders given")
    parser.add_argument(
        "--reason", default="out_of_stock", help="intent or exact name, for all (%(default)s)"
    )
    parser.add_argument("--journal", metavar="FILE", help="go on where an earlier run ended")
    parser.add_argument("--orders", type=int, default=400, help="orders of the local shop")
    parser.add_argument("--seed", type=int, default=1, help="which orders those are")
    return parser


def run(options: argparse.Namespace) -> Sequence[str]:
    if options.order_ids:
        order_ids = list(dict.fromkeys(options.order_ids))
        return asyncio.run(cancel_in_real_shop(order_ids, options))
    with local_shop(options.orders, options.seed) as environment:
        console.print(f"A local shop at {environment['TIKTOK_BASE_URL']}")
        return asyncio.run(cancel_in_local_shop(environment, options))


def main() -> int:
    options = parser().parse_args()
    unset = [name for name in ENVIRONMENT if not os.environ.get(name)]
    if options.order_ids and unset:
        console.print(f"Not set: {', '.join(unset)}. They say whose orders these are.")
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
