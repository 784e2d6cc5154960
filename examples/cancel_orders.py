"""Cancel many orders at once, and prove what became of each.

Without order ids: start a local shop as a process of its own, cancel most of its orders, and check
the outcome against the shop's record. With order ids: cancel those in the shop that TIKTOK_APP_KEY,
TIKTOK_APP_SECRET, TIKTOK_ACCESS_TOKEN and TIKTOK_SHOP_CIPHER name; without --yes nothing changes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tiktok_shop_async import (
    AsyncTikTokShop,
    OutcomeUnknownError,
    TikTokAPIError,
    TikTokShopError,
)
from tiktok_shop_async.models.order import Order
from tiktok_shop_async.models.return_refund import Cancellation

ENVIRONMENT = ("TIKTOK_APP_KEY", "TIKTOK_APP_SECRET", "TIKTOK_ACCESS_TOKEN", "TIKTOK_SHOP_CIPHER")
LEFT_ALONE = ("DELIVERED", "COMPLETED", "CANCELLED")
ORDERS_PER_DETAIL_CALL = 50
CANCELLATIONS_PER_PAGE = 50
REAL_SHOP_IN_FLIGHT = 2
"""A real shop allows a few writes a second; see the page about rate limits."""
PATIENCE = 15.0
"""Seconds to wait until the local shop has decided about what it left pending."""

console = Console()

Result = Literal["confirmed", "pending", "refused", "unknown", "failed"]
STYLES: Mapping[Result, str] = {
    "confirmed": "green",
    "pending": "yellow",
    "refused": "red",
    "unknown": "bold red",
    "failed": "bold red",
}


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one order."""

    order_id: str
    result: Result
    reason: str = ""
    cancel_id: str | None = None
    request_id: str | None = None


# Cancelling -------------------------------------------------------------------------------------


def reason_for(order: Order) -> str:
    """Return a reason that fits the order's status, as the service demands."""
    if order.status == "UNPAID":
        return "seller_cancel_unpaid_reason_out_of_stock"
    return "seller_cancel_reason_out_of_stock"


def reasons_for(orders: Mapping[str, Order], chosen: str | None) -> dict[str, str]:
    """Return the orders to cancel with their reasons; what is over and done is left alone."""
    return {
        order_id: chosen or reason_for(order)
        for order_id, order in orders.items()
        if order.status not in LEFT_ALONE
    }


async def cancel(client: AsyncTikTokShop, order_id: str, reason: str) -> Outcome:
    try:
        response = await client.return_refund.cancel_order(order_id=order_id, cancel_reason=reason)
    except TikTokAPIError as error:
        return failure(order_id, "refused", f"{error.code}: {error.message}", error)
    except OutcomeUnknownError as error:
        return failure(order_id, "unknown", error.message, error)
    except TikTokShopError as error:
        return failure(order_id, "failed", error.message, error)
    # HTTP success is not yet a cancelled order.
    pending = response.data.cancel_status == "CANCELLATION_REQUEST_PENDING"
    return Outcome(
        order_id=order_id,
        result="pending" if pending else "confirmed",
        cancel_id=response.data.cancel_id,
        request_id=response.request_id,
    )


def failure(order_id: str, result: Result, reason: str, error: TikTokShopError) -> Outcome:
    return Outcome(order_id=order_id, result=result, reason=reason, request_id=error.request_id)


async def cancel_all(
    client: AsyncTikTokShop, reasons: Mapping[str, str]
) -> tuple[list[Outcome], float]:
    """Cancel orders at once, and return their outcomes and how many calls a second that was."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("Cancelling", total=len(reasons))

        async def cancel_one(order_id: str, reason: str) -> Outcome:
            outcome = await cancel(client, order_id, reason)
            progress.advance(bar)
            return outcome

        started = time.perf_counter()
        outcomes = await asyncio.gather(*(cancel_one(*each) for each in reasons.items()))
        return outcomes, len(outcomes) / (time.perf_counter() - started)


def show(outcomes: Iterable[Outcome], calls_per_second: float) -> None:
    counts: Counter[tuple[Result, str]] = Counter()
    examples: dict[tuple[Result, str], str] = {}
    for outcome in outcomes:
        kind = outcome.result, outcome.reason
        counts[kind] += 1
        examples.setdefault(kind, outcome.request_id or "-")
    table = Table("Outcome", "Reason", "Orders", "Example request id")
    table.columns[2].justify = "right"
    for (result, reason), count in sorted(counts.items(), key=lambda item: -item[1]):
        table.add_row(result, reason, str(count), examples[result, reason], style=STYLES[result])
    console.print(table)
    console.print(f"{counts.total()} calls, {calls_per_second:,.0f} a second")


# The local shop -----------------------------------------------------------------------------------


@contextmanager
def local_shop(orders: int, seed: int) -> Iterator[Mapping[str, str]]:
    """Run a sandbox in a process of its own; give the variables that say how to reach it."""
    command = [sys.executable, "-m", "tiktok_shop_async.sandbox", "--port", "0"]
    command += ["--orders", str(orders), "--seed", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield dict(_announced(process))
        finally:
            process.terminate()


def _announced(process: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    assert process.stdout is not None
    for line in process.stdout:
        name, separator, value = line.strip().partition("=")
        if not separator:
            return
        yield name, value
    raise SystemExit("The local shop did not start; what it said stands above.")


async def cancel_in_local_shop(environment: Mapping[str, str], reason: str | None) -> Sequence[str]:
    """Cancel most of the local shop's orders; return what is off."""
    client = AsyncTikTokShop(
        environment["TIKTOK_APP_KEY"],
        environment["TIKTOK_APP_SECRET"],
        access_token=environment["TIKTOK_ACCESS_TOKEN"],
        shop_cipher=environment["TIKTOK_SHOP_CIPHER"],
        base_url=environment["TIKTOK_BASE_URL"],
    )
    async with client:
        before = await all_orders(client)
        statuses = Counter(order.status or "" for order in before.values())
        console.print(f"{len(before)} orders: {in_words(statuses)}")
        reasons = reasons_for(before, reason)
        outcomes, calls_per_second = await cancel_all(client, reasons)
        show(outcomes, calls_per_second)
        record = await settled_record(client, reasons)
        after = await all_orders(client)
    problems = [*check_outcomes(outcomes, before, after, record), *check_record(record)]
    if not any(outcome.result == "confirmed" for outcome in outcomes):
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
    outcomes: Iterable[Outcome],
    before: Mapping[str, Order],
    after: Mapping[str, Order],
    record: Mapping[str, Sequence[Cancellation]],
) -> Iterator[str]:
    """Yield where the shop's record does not bear out what we were told."""
    for outcome in outcomes:
        order_id, status = outcome.order_id, after[outcome.order_id].status
        recorded = [cancellation.cancel_id for cancellation in record.get(order_id, ())]
        if outcome.result in ("unknown", "failed"):
            yield f"order {order_id}: {outcome.result}, {outcome.reason} ({outcome.request_id})"
        elif outcome.result == "refused":
            if recorded or status != before[order_id].status:
                yield f"order {order_id} was refused, and is {status} all the same"
        elif status != "CANCELLED" or recorded != [outcome.cancel_id]:
            yield f"order {order_id}: {outcome.result}, but {status} with {len(recorded)} on record"


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
    order_ids: Sequence[str], reason: str | None, *, confirmed: bool
) -> Sequence[str]:
    """Cancel orders of the shop that the environment names; return what is off."""
    async with AsyncTikTokShop.from_env(max_in_flight=REAL_SHOP_IN_FLIGHT) as client:
        before = await details(client, order_ids)
        missing = [order_id for order_id in order_ids if order_id not in before]
        problems = [f"order {order_id} is not in this shop" for order_id in missing]
        reasons = reasons_for(before, reason)
        if not confirmed:
            show_plan(before, reasons)
            return problems
        outcomes, calls_per_second = await cancel_all(client, reasons)
        show(outcomes, calls_per_second)
        after = await details(client, order_ids)
    for outcome in outcomes:
        status = after[outcome.order_id].status if outcome.order_id in after else "not found"
        console.print(f"{outcome.order_id}: {outcome.result}, now {status}", highlight=False)
        if outcome.result not in ("confirmed", "pending"):
            problems.append(
                f"order {outcome.order_id}: {outcome.result}, {outcome.reason} "
                f"(request id {outcome.request_id})"
            )
    return problems


async def details(client: AsyncTikTokShop, order_ids: Sequence[str]) -> dict[str, Order]:
    found: dict[str, Order] = {}
    for start in range(0, len(order_ids), ORDERS_PER_DETAIL_CALL):
        ids = order_ids[start : start + ORDERS_PER_DETAIL_CALL]
        response = await client.order.get_order_detail(ids=ids)
        found |= {order.id: order for order in response.data.orders if order.id}
    return found


def show_plan(orders: Mapping[str, Order], reasons: Mapping[str, str]) -> None:
    table = Table("Order", "Status", "Line items", "Would be cancelled, with the reason")
    for order_id, order in orders.items():
        plan = reasons.get(order_id, "no: left alone")
        table.add_row(order_id, order.status, str(len(order.line_items)), plan)
    table.columns[3].overflow = "fold"
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
    parser.add_argument("--reason", help="name of the cancel reason, for all orders")
    parser.add_argument("--orders", type=int, default=400, help="orders of the local shop")
    parser.add_argument("--seed", type=int, default=1, help="which orders those are")
    return parser


def run(options: argparse.Namespace) -> Sequence[str]:
    if options.order_ids:
        order_ids = list(dict.fromkeys(options.order_ids))
        return asyncio.run(cancel_in_real_shop(order_ids, options.reason, confirmed=options.yes))
    with local_shop(options.orders, options.seed) as environment:
        console.print(f"A local shop at {environment['TIKTOK_BASE_URL']}")
        return asyncio.run(cancel_in_local_shop(environment, options.reason))


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
