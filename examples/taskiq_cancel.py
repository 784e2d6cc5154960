"""Cancel orders with workers on any number of machines, and show the outcome of each.

python taskiq_cancel.py                     run a sandbox and four workers on this machine

On each machine, while there is work:
taskiq worker taskiq_cancel:broker --workers 4 --max-async-tasks 2 --shutdown-timeout 40

From anywhere:
python taskiq_cancel.py queue friday --reason out_of_stock < order_ids.txt
python taskiq_cancel.py table friday

TIKTOK_APP_KEY, TIKTOK_APP_SECRET, TIKTOK_ACCESS_TOKEN and TIKTOK_SHOP_CIPHER name the shop,
REDIS_URL the queue, JOURNAL_URL a database that all machines can reach (postgresql://host/orders).
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

from cancel_orders import sandbox
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
"""Maximum number of orders in the table."""

console = Console()

# The workers -------------------------------------------------------------------------------------

broker = RedeliveringStreamBroker(REDIS_URL, queue_name=QUEUE)


@asynccontextmanager
async def resources() -> AsyncIterator[WorkerResources]:
    # Entered once in each worker process; left in reverse order when the process ends.
    async with (
        RedisLimiter(REDIS_URL, prefix=f"{QUEUE}:") as limiter,
        AsyncTikTokShop.from_env(limiter=limiter) as client,
        SQLJournal(JOURNAL_URL) as journal,
    ):
        yield WorkerResources(client=client, journal=journal)


shop = ShopWorker(broker, resources)

# The producer ------------------------------------------------------------------------------------


async def queue(order_ids: Sequence[str], batch: str, reason: str, *, chunk: int = 100) -> int:
    """Queue orders, and return the number of tasks."""
    async with SQLJournal(JOURNAL_URL) as journal:
        await journal.create_schema()
    await broker.startup()
    try:
        return await shop.cancel_orders(order_ids, batch=batch, reason=reason, chunk=chunk)
    finally:
        await broker.shutdown()


# The result table ---------------------------------------------------------------------------------


async def show_table(batch: str) -> Counter[str]:
    """Show the outcome of each order, and return the number of orders by status."""
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
        console.print(f"{under_way} in progress")
    return counts


async def watch(batch: str, total: int) -> None:
    """Show the progress until the queue is empty."""
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


# Everything on one machine ------------------------------------------------------------------------


@contextmanager
def local_environment(orders: int) -> Iterator[Mapping[str, str]]:
    """Yield the environment of a temporary sandbox, queue and journal."""
    name = f"tiktok-shop-demo-{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder, sandbox(orders, seed=1) as environment:
        try:
            yield {
                **os.environ,
                **environment,
                "QUEUE": name,
                "REDIS_URL": REDIS_URL,
                "JOURNAL_URL": str(URL.create("sqlite", database=str(Path(folder, "journal.db")))),
            }
        finally:
            asyncio.run(delete_queue(name))


async def delete_queue(queue_name: str) -> None:
    async with Redis.from_url(REDIS_URL) as redis:
        async for key in redis.scan_iter(match=f"{queue_name}*"):
            await redis.delete(key)


@contextmanager
def local_workers(environment: Mapping[str, str], workers: int) -> Iterator[None]:
    command = [sys.executable, "-m", "taskiq", "worker", "taskiq_cancel:broker"]
    command += ["--app-dir", str(Path(__file__).parent), "--workers", str(workers), *WORKER]
    with subprocess.Popen(  # noqa: S603
        command, env=environment, start_new_session=True
    ) as process:
        try:
            yield
        finally:
            process.terminate()  # they finish their tasks
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:  # the command does not always exit
                os.killpg(process.pid, signal.SIGKILL)


async def cancel_all() -> Sequence[str]:
    """Queue all orders of the shop, wait until all are final, and return the problems found."""
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
    parser.add_argument("--orders", type=int, help="number of orders in the sandbox")
    commands = parser.add_subparsers(dest="command")
    queueing = commands.add_parser(
        "queue", help="queue the order ids read from standard input, one a line"
    )
    queueing.add_argument("batch", help="name of the batch in the journal")
    queueing.add_argument("--reason", default="out_of_stock")
    commands.add_parser("table", help="show the outcome of each order").add_argument("batch")
    commands.add_parser("here")  # runs in the environment of the sandbox
    return parser


def main() -> int:
    options = parser().parse_args()
    problems: Sequence[str] = ()
    match options.command:
        case "queue":
            chunks = asyncio.run(queue(sys.stdin.read().split(), options.batch, options.reason))
            console.print(f"{chunks} tasks queued")
        case "table":
            asyncio.run(show_table(options.batch))
        case "here":
            problems = asyncio.run(cancel_all())
        case _:
            here = [sys.executable, __file__, "here"]
            with (
                local_environment(options.orders) as environment,
                local_workers(environment, DEMO_WORKERS),
            ):
                return subprocess.call(here, env=environment)  # noqa: S603
    for problem in problems:
        console.print(problem, style="bold red", markup=False)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
