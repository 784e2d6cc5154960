"""A generator of ``docs/outcomes.md``, from the table of outcomes.

Run ``PYTHONPATH=tests python -m outcomes.page`` in the root of the repository.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

from outcomes.table import TABLE, Cell, Earlier, End, Kind, Meanwhile, Row, cells, pruned

PAGE = Path(__file__).parents[2] / "docs" / "outcomes.md"

HEAD = """\
# Outcomes

After reading this page you know, for each way in which an attempt can end,
what the call returns or raises, whether it is retried,
and what the journal of a [batch](batches.md) holds afterwards.

```python
from tiktok_shop_async import AsyncTikTokShop, OutcomeUnknownError, TikTokShopError


async def cancel(client: AsyncTikTokShop, order_id: str) -> str:
    try:
        await client.return_refund.cancel_order(order_id=order_id, cancel_reason="…")
    except OutcomeUnknownError:
        return "look it up before you send it again"
    except TikTokShopError:
        return "it did not take effect"
    return "done"
```

The table follows from one rule:
if any attempt of a write may have been processed, the call raises `OutcomeUnknownError`,
whatever ended the call:
a rejected retry, a failed refresh, a closed client, a deadline, or a bug in your own callback.
The error that ended it is `error.__cause__`.
Only a cancellation stays an `asyncio.CancelledError`.
Treat the outcome of a cancelled write as unknown; the journal of a batch records more.
The same holds if your own `asyncio.timeout` cancels the call; `deadline` reports more.

## The table

- *Operation*: reads, writes, and writes with an idempotency key (`keyed write`).
- *Earlier attempt*: none, refused (not processed), or lost (may have been processed).
- *Reports*: what the call returns or raises.
- *Retried*: whether one more attempt follows. In the table it succeeds.
- *Journal*: `succeeded`, `failed` and `unknown` are final.
  `maybe sent` keeps the claim: a later run resolves it,
  or sends the request again with the same idempotency key.
  After `nothing`, a later run sends the request like a new one.

"""

TAIL = """\

"The other error" is the error of the refresh or of your retry policy, or `LeaseLostError`.
For calls with your own transport, see [errors](errors.md#when-is-a-write-unknown).

## Combinations that do not occur

"""

FOOT = """\

This page is generated from `tests/outcomes/table.py`,
and the tests check each row over real sockets and in process, with single calls and with batches.
"""


def page() -> str:
    """Return the page."""
    head = "Attempt ends | Meanwhile | Operation | Earlier attempt | Reports | Retried | Journal"
    lines = [f"| {head} |", f"|{' --- |' * 7}", *(map(line, TABLE))]
    reasons = "".join(f"- {sentence(reason)}\n" for reason in pruning_reasons())
    return HEAD + "\n".join(lines) + "\n" + TAIL + reasons + FOOT


def line(row: Row) -> str:
    """Return the line of a row, without the combinations that are pruned."""
    found = cells(row)
    facts = (
        joined(dict.fromkeys(cell.end for cell in found)),
        joined(dict.fromkeys(cell.meanwhile for cell in found)),
        any_of(Kind, [cell.kind for cell in found]),
        any_of(Earlier, [cell.earlier for cell in found]),
        row.report,
        "yes" if row.again else "no",
        row.journal,
    )
    return f"| {' | '.join(facts)} |"


def joined(values: Iterable[str]) -> str:
    return "; ".join(values)


def any_of(kind: type[Kind] | type[Earlier], found: list[Kind] | list[Earlier]) -> str:
    return "any" if set(found) == set(kind) else joined(each for each in kind if each in found)


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def pruning_reasons() -> list[str]:
    """Return why combinations do not occur, each reason once."""
    all_of_them = (Cell(*each) for each in product(End, Kind, Earlier, Meanwhile))
    return list(dict.fromkeys(reason for cell in all_of_them if (reason := pruned(cell))))


if __name__ == "__main__":
    PAGE.write_text(page())
