"""Cancel orders by workers, on any number of machines, and show what became of each.

python taskiq_cancel.py                     a local shop, four workers on this machine, all in one

On each machine, until there is no more work:
taskiq worker taskiq_cancel:broker --workers 4 --max-async-tasks 2 --shutdown-timeout 40

From anywhere:
python taskiq_cancel.py queue friday --reason out_of_stock < order_ids.txt
python taskiq_cancel.py table friday

TIKTOK_APP_KEY, TIKTOK_APP_SECRET, TIKTOK_ACCESS_TOKEN and TIKTOK_SHOP_CIPHER name the shop,
REDIS_URL the queue, JOURNAL_URL a database that all machines reach, as in postgresql://host/orders.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from cancel_orders import local_shop
from redis.asyncio import Redis
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy import URL

from tiktok_shop_async import AsyncTikTokShop
from tiktok_shop_async.batch import SQLJournal
from tiktok_shop_async.integrations.taskiq import (
    RedeliveringStreamBroker,
    ShopWorker,
    WorkerResources,
)
from tiktok_shop_async.limits import RedisLimiter

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
JOURNAL_URL = os.environ.get("JOURNAL_URL", "sqlite:///cancellations.db")
QUEUE = os.environ.get("QUEUE", "tiktok-shop")

DEMO_BATCH = "demo"
DEMO_WORKERS = 4
WORKER = ("--max-async-tasks", "2", "--shutdown-timeout", "40", "--log-level", "WARNING")
ROWS = 20
"""Orders that the table shows."""

console = Console()

# What the workers do ------------------------------------------------------------------------------

broker = RedeliveringStreamBroker(REDIS_URL, queue_name=QUEUE)


@asynccontextmanager
async def resources() -> AsyncIterator[WorkerResources]:
    # Entered once in each worker process; left in reverse order when it is told to end.
    async with (
        RedisLimiter(REDIS_URL, prefix=f"{QUEUE}:") as limiter,
        AsyncTikTokShop.from_env(limiter=limiter) as client,
        SQLJournal(JOURNAL_URL) as journal,
    ):
        yield WorkerResources(client=client, journal=journal)


shop = ShopWorker(broker, resources)

# What a producer does -----------------------------------------------------------------------------


async def queue(order_ids: Sequence[str], batch: str, reason: str, *, chunk: int = 100) -> int:
    """Queue orders, and return how many tasks that made."""
    async with SQLJournal(JOURNAL_URL) as journal:
        await journal.create_schema()
    await broker.startup()
    try:
        return await shop.cancel_orders(order_ids, batch=batch, reason=reason, chunk=chunk)
    finally:
        await broker.shutdown()


# What one sees ------------------------------------------------------------------------------------


async def show_table(batch: str) -> Counter[str]:
    """Show what became of the orders, and return how many there are of each status."""
    async with SQLJournal(JOURNAL_URL, batch=batch) as journal:
        table = Table("Order", "Status", "Cancellation", "Attempts", "Request id", "Message")
        counts: Counter[str] = Counter()
        async for each in journal.records():
            counts[each.status] += 1
            if counts.total() <= ROWS:
                cancel_id = each.details.get("cancel_id", "")
                row = (each.key, each.status, cancel_id, str(each.attempts), each.request_id)
                table.add_row(*row, each.message)
        under_way = (await journal.counts()).get("sending", 0)
    console.print(table)
    if counts.total() > ROWS:
        console.print(f"… and {counts.total() - ROWS} more")
    console.print(", ".join(f"{rows} {status}" for status, rows in counts.most_common()))
    if under_way:
        console.print(f"{under_way} are under way")
    return counts


async def watch(batch: str, total: int) -> None:
    """Show how far it is, until the queue is empty."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console
    )
    async with SQLJournal(JOURNAL_URL, batch=batch) as journal:
        with bar:
            orders = bar.add_task("Cancelling", total=total)
            while await broker.unfinished():
                counts = await journal.counts()
                bar.update(orders, completed=sum(counts.values()) - counts.get("sending", 0))
                await asyncio.sleep(0.2)
            bar.update(orders, completed=total)


# All in one ---------------------------------------------------------------------------------------


@contextmanager
def everything_here(orders: int) -> Iterator[Mapping[str, str]]:
    """Give the environment of a local shop, a queue and a journal that are gone afterwards."""
    name = f"tiktok-shop-demo-{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder, local_shop(orders, seed=1) as environment:
        try:
            yield {
                **os.environ,
                **environment,
                "QUEUE": name,
                "REDIS_URL": REDIS_URL,
                "JOURNAL_URL": str(URL.create("sqlite", database=str(Path(folder, "journal.db")))),
            }
        finally:
            asyncio.run(forget(name))


async def forget(queue_name: str) -> None:
    async with Redis.from_url(REDIS_URL) as redis:
        async for key in redis.scan_iter(match=f"{queue_name}*"):
            await redis.delete(key)


@contextmanager
def workers_here(environment: Mapping[str, str], workers: int) -> Iterator[None]:
    command = [sys.executable, "-m", "taskiq", "worker", "taskiq_cancel:broker"]
    command += ["--app-dir", str(Path(__file__).parent), "--workers", str(workers), *WORKER]
    with subprocess.Popen(  # noqa: S603
        command, env=environment, start_new_session=True
    ) as process:
        try:
            yield
        finally:
            process.terminate()  # they finish what they are at
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:  # the command does not always hear of it
                os.killpg(process.pid, signal.SIGKILL)


async def cancel_all_here() -> Sequence[str]:
    """Queue all orders of the shop, wait until all are final, and return what is off."""
    async with AsyncTikTokShop.from_env() as client:
        pager = client.order.get_order_list(page_size=100)
        order_ids = [order.id async for order in pager if order.id]
        chunks = await queue(order_ids, DEMO_BATCH, "out_of_stock", chunk=20)
        console.print(f"{len(order_ids)} orders in {chunks} tasks for {DEMO_WORKERS} workers")
        await watch(DEMO_BATCH, len(order_ids))
        counts = await show_table(DEMO_BATCH)
        times = Counter(
            [
                line.order_line_item_id
                async for cancellation in client.return_refund.search_cancellations(page_size=50)
                for line in cancellation.cancel_line_items
            ]
        )
    await broker.connection_pool.disconnect()
    problems = [f"line item {line} was cancelled {n} times" for line, n in times.items() if n > 1]
    if counts.total() != len(order_ids):
        problems.append(f"{len(order_ids) - counts.total()} orders are not final")
    if not problems:
        console.print(f"The shop's record agrees: {len(times)} line items cancelled, none twice.")
    return problems


# The command --------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(command=None, orders=400)
    parser.add_argument("--orders", type=int, help="orders of the local shop")
    commands = parser.add_subparsers(dest="command")
    queueing = commands.add_parser("queue", help="queue the orders whose ids come in, one a line")
    queueing.add_argument("batch", help="name of the batch in the journal")
    queueing.add_argument("--reason", default="out_of_stock")
    commands.add_parser("table", help="show what became of them").add_argument("batch")
    commands.add_parser("here")  # what runs in the environment of the local shop
    return parser


def main() -> int:
    options = parser().parse_args()
    problems: Sequence[str] = ()
    match options.command:
        case "queue":
            chunks = asyncio.run(queue(sys.stdin.read().split(), options.batch, options.reason))
            console.print(f"{chunks} tasks are queued")
        case "table":
            asyncio.run(show_table(options.batch))
        case "here":
            problems = asyncio.run(cancel_all_here())
        case _:
            here = [sys.executable, __file__, "here"]
            with (
                everything_here(options.orders) as environment,
                workers_here(environment, DEMO_WORKERS),
            ):
                return subprocess.call(here, env=environment)  # noqa: S603
    for problem in problems:
        console.print(problem, style="bold red", markup=False)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
