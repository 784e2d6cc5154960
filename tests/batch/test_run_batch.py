"""`run_batch`: an outcome for each request, and what is raised instead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest
from helpers.batch.shops import CANCEL, PAID, calls, order_ids, shop_in_a_hurry
from helpers.client import FakeShop, envelope, new_client
from sqlalchemy import URL

from tiktok_shop_async import (
    AsyncTikTokShop,
    ClientClosedError,
    InvalidArgumentError,
    LeaseLostError,
    OutcomeUnknownError,
    RequestOptions,
    TikTokShopError,
)
from tiktok_shop_async.batch import (
    Batch,
    OrderLookup,
    Outcome,
    Progress,
    SQLJournal,
    Unfinished,
    Verdict,
    resolve_cancellation,
    run_batch,
)
from tiktok_shop_async.batch.journal.sql_session import SQLSession

Answer = Callable[[str], httpx.Response]


class Service:
    """Answers by order id, and keeps the requests."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []
        self.answers: dict[str, httpx.Response | Exception] = {}

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        order_id = self.order_id(request)
        await asyncio.sleep(0)
        answer = self.answers.get(order_id, httpx.Response(200, json=envelope({})))
        if isinstance(answer, Exception):
            raise answer
        return answer

    @staticmethod
    def order_id(request: httpx.Request) -> str:
        return str(json.loads(request.content)["order_id"]) if request.content else ""

    @property
    def order_ids(self) -> list[str]:
        return [self.order_id(request) for request in self.sent]

    def refuse(self, order_id: str, code: int, status: int = 200) -> None:
        self.answers[order_id] = httpx.Response(status, json=envelope(code=code, message="no"))


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[AsyncTikTokShop]:
    async with new_client(httpx.MockTransport(service), max_retries=0) as client:
        yield client


def orders(*ids: str) -> list[dict[str, Any]]:
    return [{"order_id": each, "cancel_reason": "sold out"} for each in ids]


def order_id(request: Mapping[str, Any]) -> str:
    return str(request["order_id"])


async def outcomes(batch: Batch[Outcome[Any]]) -> dict[str, Outcome[Any]]:
    async with batch:
        return {outcome.request["order_id"]: outcome async for outcome in batch}


async def test_every_request_has_an_outcome(client: AsyncTikTokShop, service: Service) -> None:
    service.refuse("refused", 25001021)
    service.answers["lost"] = httpx.ReadError("reset")
    service.answers["unreachable"] = httpx.ConnectError("no route")
    service.refuse("throttled", 36009002, 429)
    ids = ("done", "refused", "lost", "unreachable", "throttled")
    told = await outcomes(run_batch(client.return_refund.cancel_order, orders(*ids), key=order_id))
    assert {each: told[each].status for each in ids} == {
        "done": "succeeded",
        "refused": "failed",
        "lost": "unknown",
        "unreachable": "failed",
        "throttled": "failed",
    }
    assert told["done"].response.data is not None
    assert told["done"].succeeded
    assert (told["done"].request_id, told["done"].code) == ("req-2026", 0)
    assert (told["refused"].code, told["refused"].message) == (25001021, "no")
    assert isinstance(told["lost"].error, OutcomeUnknownError)
    assert told["lost"].hint
    assert "search_cancellations" in told["lost"].hint
    assert [told[each].index for each in ids] == list(range(5))
    assert told["done"].key == "done"
    assert told["done"].attempts == 1
    assert not told["done"].resumed


async def test_the_first_page_of_a_paged_call_is_taken(shop: FakeShop) -> None:
    shop.answer({"orders": [{"id": "5"}], "next_page_token": "more"})
    async with (
        new_client(shop) as client,
        run_batch(client.order.get_order_list, [{"page_size": 1}]) as batch,
    ):
        answers = [outcome.response async for outcome in batch]
    assert answers[0] is not None
    assert answers[0].data.orders[0].id == "5"
    assert len(shop.requests) == 1


async def test_any_coroutine_function_will_do() -> None:
    async def double(*, number: int) -> int:
        return 2 * number

    async def numbers() -> AsyncIterator[dict[str, int]]:
        for number in range(50):
            yield {"number": number}

    batch = run_batch(double, numbers(), concurrency=7, ordered=True)
    assert [outcome.response async for outcome in batch] == [2 * n for n in range(50)]


async def test_two_requests_with_one_key_are_not_both_sent(
    client: AsyncTikTokShop, service: Service, tmp_path: Path
) -> None:
    for journal in (None, tmp_path / "journal.db"):
        service.sent.clear()
        batch = run_batch(
            client.return_refund.cancel_order,
            orders("1", "1", "2"),
            key=order_id,
            journal=journal,
            ordered=True,
        )
        first, second, third = [outcome async for outcome in batch]
        assert (first.status, second.status, third.status) == ("succeeded", "failed", "succeeded")
        assert isinstance(second.error, InvalidArgumentError)
        assert second.attempts == 0
        assert sorted(service.order_ids) == ["1", "2"]


async def test_an_error_of_the_caller_is_raised_after_the_outcomes(
    client: AsyncTikTokShop, service: Service
) -> None:
    async def call(*, order_id: str) -> None:
        if order_id == "2":
            raise ZeroDivisionError
        await asyncio.sleep(0)

    batch = run_batch(call, [{"order_id": str(n)} for n in range(100)], concurrency=4, key=order_id)
    told: list[Outcome[None]] = []

    async def take() -> None:
        async for outcome in batch:
            told.append(outcome)  # noqa: PERF401 - those before the error count

    with pytest.raises(ZeroDivisionError):
        await take()
    assert {"0", "1", "3"} <= {outcome.key for outcome in told}
    assert len(told) < 10
    assert [each.key for each in batch.unfinished] == ["2"]

    wrong = run_batch(client.return_refund.cancel_order, [{"oder_id": "1"}])
    with pytest.raises(TypeError, match="oder_id"):
        await anext(wrong)


async def test_a_closed_client_ends_it(service: Service) -> None:
    """All others would fail in the same way."""
    client = new_client(httpx.MockTransport(service))
    await client.aclose()
    batch = run_batch(client.return_refund.cancel_order, orders("1", "2"), concurrency=1)
    with pytest.raises(ClientClosedError):
        await anext(batch)
    assert [each.request["order_id"] for each in batch.unfinished] == ["1"]


async def test_stop_on_starts_no_more(client: AsyncTikTokShop, service: Service) -> None:
    service.refuse("3", 25001021)
    ids = [str(number) for number in range(50)]
    batch = run_batch(
        client.return_refund.cancel_order,
        orders(*ids),
        concurrency=3,
        stop_on=lambda outcome: outcome.status == "failed",
    )
    told = await outcomes(batch)
    assert "3" in told
    assert sorted(told) == sorted(service.order_ids)
    assert len(told) < 10
    assert batch.unfinished == []


async def test_progress_is_told_and_can_be_asked_for(client: AsyncTikTokShop) -> None:
    told: list[Progress] = []
    batch = run_batch(
        client.return_refund.cancel_order,
        orders(*map(str, range(20))),
        concurrency=2,
        progress=told.append,
    )
    assert batch.progress.done == 0
    await outcomes(batch)
    assert batch.progress.counts == {"succeeded": 20}
    assert (told[-1].done, told[-1].total, told[-1].in_flight) == (20, 20, 0)
    assert told[-1].per_second > 0
    assert len(told) < 20


async def test_what_progress_or_stop_on_raise_costs_no_outcome(client: AsyncTikTokShop) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    batch = run_batch(client.return_refund.cancel_order, orders("1"), stop_on=broken)
    assert (await anext(batch)).succeeded
    with pytest.raises(ZeroDivisionError):
        await anext(batch)


async def test_a_cancelled_wait_is_not_taken_for_the_end(client: AsyncTikTokShop) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    batch = run_batch(wait, [{}] * 5, concurrency=2, drain=0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(batch)
    assert len(batch.unfinished) == 2
    with pytest.raises(TikTokShopError, match="closed when the wait"):
        await anext(batch)


async def test_a_resolver_says_what_became_of_a_lost_write(
    client: AsyncTikTokShop, service: Service
) -> None:
    """Done is done, and what was surely not done is sent again, a few times."""
    for each in ("done", "never", "open"):
        service.answers[each] = httpx.ReadError("reset")
    verdicts = {"done": "succeeded", "never": "not_done", "open": "unknown"}

    async def look(request: Mapping[str, Any]) -> Verdict:
        status: Any = verdicts[request["order_id"]]
        return Verdict(status=status, message="looked up")

    told = await outcomes(
        run_batch(client.return_refund.cancel_order, orders(*verdicts), resolve=look)
    )
    assert {each: told[each].status for each in told} == {
        "done": "succeeded",
        "never": "failed",
        "open": "unknown",
    }
    assert sorted(service.order_ids) == ["done", "never", "never", "never", "open"]
    assert told["never"].attempts == 3
    assert told["done"].message == "looked up"
    assert told["done"].error is None


# With a journal -----------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


async def test_a_journal_needs_keys(client: AsyncTikTokShop, journal: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="needs a key"):
        run_batch(client.return_refund.cancel_order, [], journal=journal)


async def test_what_is_final_is_not_sent_again(
    client: AsyncTikTokShop, service: Service, journal: Path
) -> None:
    """Nor what may have happened; but what was not sent, or may succeed later, is."""
    service.refuse("refused", 25001021)
    service.answers["lost"] = httpx.ReadError("reset")
    service.answers["unreachable"] = httpx.ConnectError("no route")
    service.refuse("throttled", 36009002, 429)
    service.refuse("no scope", 105005)
    ids = ("done", "refused", "lost", "unreachable", "throttled", "no scope")

    async def run() -> dict[str, Outcome[Any]]:
        service.sent.clear()
        cancel = client.return_refund.cancel_order
        return await outcomes(run_batch(cancel, orders(*ids), key=order_id, journal=journal))

    before = await run()
    service.answers.clear()
    after = await run()
    assert sorted(service.order_ids) == ["no scope", "throttled", "unreachable"]
    assert {each: (after[each].status, after[each].resumed) for each in ids} == {
        "done": ("succeeded", True),
        "refused": ("failed", True),
        "lost": ("unknown", True),
        "unreachable": ("succeeded", False),
        "throttled": ("succeeded", False),
        "no scope": ("succeeded", False),
    }
    for each in ("done", "refused", "lost"):
        for fact in ("code", "message", "hint", "request_id", "attempts"):
            assert getattr(after[each], fact) == getattr(before[each], fact)
    assert all(outcome.resumed for outcome in (await run()).values())
    assert service.sent == []
    assert journal.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("key", [5, "", "a\0b", "a\ud800b", None])
async def test_what_is_no_key_is_not_sent(
    client: AsyncTikTokShop, service: Service, journal: Path, key: Any
) -> None:
    cancel = client.return_refund.cancel_order
    told = await outcomes(run_batch(cancel, orders("1"), key=lambda _: key, journal=journal))
    assert told["1"].status == "failed"
    assert "must return non-empty text" in told["1"].message
    assert service.sent == []


async def test_an_idempotency_key_is_kept_over_runs(
    client: AsyncTikTokShop, service: Service, journal: Path
) -> None:
    """So that what may have been sent can be sent again: an unknown outcome is not the last."""
    call = client.return_refund.approve_return
    lost = httpx.ReadError("reset")
    service.answers[""] = lost
    requests = [
        {"return_id": "1", "decision": "APPROVE_RETURN"},
        {"return_id": "2", "decision": "APPROVE_RETURN"},
        {
            "return_id": "3",
            "decision": "APPROVE_RETURN",
            "options": RequestOptions(idempotency_key="of my own"),
        },
    ]

    async def run() -> tuple[list[str], dict[str, str]]:
        service.sent.clear()
        service.order_id = lambda _: ""  # type: ignore[method-assign]
        batch = run_batch(
            call, requests, key=lambda each: str(each["return_id"]), journal=journal, ordered=True
        )
        statuses = [outcome.status async for outcome in batch]
        return statuses, {
            request.url.path.split("/")[-2]: request.url.params["idempotency_key"]
            for request in service.sent
        }

    statuses, keys = await run()
    assert statuses == ["unknown"] * 3
    assert len(set(keys.values())) == 3
    assert keys["3"] == "of my own"
    service.answers.clear()
    assert await run() == (["succeeded"] * 3, keys)
    assert await run() == (["succeeded"] * 3, {})


def own_key(place: str, key: str) -> dict[str, Any]:
    """Return the arguments that give an idempotency key in some place."""
    if place == "argument":
        return {"idempotency_key": key}
    if place == "options":
        return {"options": RequestOptions(idempotency_key=key)}
    return {"options": RequestOptions(**{place: {"idempotency_key": key}})}


def key_sent(request: httpx.Request) -> str:
    """Return the one idempotency key of a request; assert that it is nowhere else."""
    body = json.loads(request.content) if request.content else {}
    keys = [*request.url.params.get_list("idempotency_key"), body.get("idempotency_key")]
    (key,) = [each for each in keys if each]
    return str(key)


PRODUCT = {"category_id": "1", "description": "", "main_images": [], "skus": [], "title": "x"}
PLACES = ["argument", "options", "extra_query", "extra_body"]


@pytest.mark.parametrize("first", PLACES)
@pytest.mark.parametrize("later", PLACES)
@pytest.mark.parametrize("operation", ["create_return", "approve_return", "create_product"])
async def test_the_journals_idempotency_key_wins_over_a_new_one(
    client: AsyncTikTokShop, journal: Path, service: Service, operation: str, first: str, later: str
) -> None:
    """Whatever the place, the user's key of the first run is sent again, and no other."""
    call, request = {
        "create_return": (
            client.return_refund.create_return,
            {"order_id": "1", "return_reason": "broken", "return_type": "REFUND"},
        ),
        "approve_return": (
            client.return_refund.approve_return,
            {"return_id": "1", "decision": "APPROVE_RETURN"},
        ),
        "create_product": (client.product.create_product, PRODUCT),
    }[operation]
    service.order_id = lambda _: ""  # type: ignore[method-assign]
    service.answers[""] = httpx.ReadError("reset")

    async def run(place: str) -> list[str]:
        requests = [request | own_key(place, uuid4().hex)]
        batch = run_batch(call, requests, key=lambda _: "the one", journal=journal)
        return [outcome.status async for outcome in batch]

    assert await run(first) == ["unknown"]
    sent = service.sent[0]
    kept = first_key_in(sent)
    service.answers.clear()
    assert await run(later) == ["succeeded"]
    assert len(service.sent) == 2
    assert key_sent(service.sent[1]) == kept


def first_key_in(request: httpx.Request) -> str:
    """Return the key of a request, which may have it in the place that is not used, too."""
    body = json.loads(request.content) if request.content else {}
    found = {*request.url.params.get_list("idempotency_key"), body.get("idempotency_key")}
    (key,) = found - {None}
    return str(key)


async def test_two_keys_in_a_request_are_rejected_and_the_journal_keeps_neither(
    client: AsyncTikTokShop, journal: Path, service: Service
) -> None:
    request = {
        "return_id": "1",
        "decision": "APPROVE_RETURN",
        "idempotency_key": "one",
        "options": RequestOptions(idempotency_key="other"),
    }

    async def run(*requests: dict[str, Any]) -> list[Outcome[Any]]:
        call = client.return_refund.approve_return
        batch = run_batch(call, requests, key=lambda each: each["return_id"], journal=journal)
        return [outcome async for outcome in batch]

    (outcome,) = await run(request)
    assert outcome.status == "failed"
    assert "'one'" in outcome.message
    assert "'other'" in outcome.message
    assert service.sent == []
    service.order_id = lambda _: ""  # type: ignore[method-assign]
    (outcome,) = await run(request | {"options": None, "idempotency_key": "third"})
    assert outcome.succeeded
    assert key_sent(service.sent[0]) == "third"
    (outcome,) = await run(request)  # now it is known what became of it
    assert (outcome.status, outcome.resumed) == ("succeeded", True)


async def test_what_an_earlier_run_sent_without_a_key_is_not_repeated_with_a_new_one(
    client: AsyncTikTokShop, journal: Path, service: Service
) -> None:
    """Its journal has no key, so the first request may have had any."""
    url = URL.create("sqlite", database=str(journal))
    async with SQLJournal(url) as one, one.open() as session:
        await session.claim("1")
        await session.abandon("1")
    batch = run_batch(
        client.return_refund.approve_return,
        [{"return_id": "1", "decision": "APPROVE_RETURN"}],
        key=lambda each: each["return_id"],
        journal=journal,
    )
    assert [outcome.status async for outcome in batch] == ["unknown"]
    assert service.sent == []


async def test_cancelled_at_any_step_the_journal_knows(
    service: Service, client: AsyncTikTokShop, tmp_path: Path
) -> None:
    """Run again after any cancellation, each order was sent once, and has one outcome."""
    step, ended_by_itself = 0, False
    ids = ("1", "2", "3", "4")
    while not ended_by_itself:
        step += 3
        service.sent.clear()
        journal = tmp_path / f"{step}.db"

        async def look(request: Mapping[str, Any]) -> Verdict:
            happened = request["order_id"] in service.order_ids
            return Verdict(status="succeeded" if happened else "not_done")

        def run(resolve: Any = look, journal: Path = journal) -> Any:
            return outcomes(
                run_batch(
                    client.return_refund.cancel_order,
                    orders(*ids),
                    concurrency=2,
                    key=order_id,
                    journal=journal,
                    resolve=resolve,
                    drain=0,
                )
            )

        task = asyncio.create_task(run())
        for _ in range(step):
            if task.done():
                break
            await asyncio.sleep(0.0005)
        ended_by_itself = not task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(20):
            told = await run()
        assert {each: told[each].status for each in told} == dict.fromkeys(ids, "succeeded")
        assert sorted(service.order_ids) == sorted(ids)
    assert step > 10


async def test_a_lease_that_is_over_keeps_a_request_from_being_sent(
    client: AsyncTikTokShop, service: Service, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is checked right before the bytes go out; then the request is claimed anew."""
    looks: list[str] = []
    check = SQLSession.check

    def lost_once(session: SQLSession, key: str) -> None:
        looks.append(key)
        if len(looks) == 1:
            raise LeaseLostError("away for too long")
        check(session, key)

    monkeypatch.setattr(SQLSession, "check", lost_once)
    cancel = client.return_refund.cancel_order
    told = await outcomes(run_batch(cancel, orders("1"), key=order_id, journal=journal))
    assert (told["1"].status, told["1"].attempts) == ("succeeded", 1)
    assert service.order_ids == ["1"]
    assert looks == ["1", "1"]


async def test_outside_of_a_batch_nothing_is_checked(
    client: AsyncTikTokShop, service: Service, journal: Path
) -> None:
    """Not even between two outcomes, when the journal is open."""
    cancel = client.return_refund.cancel_order
    batch = run_batch(cancel, orders("1", "2"), key=order_id, journal=journal, concurrency=1)
    async with batch:
        async for _ in batch:
            await cancel(order_id="3", cancel_reason="sold out")
    assert sorted(service.order_ids) == ["1", "2", "3", "3"]


# What was sent, and what was not ------------------------------------------------------------------


@pytest.mark.parametrize("end", ["aclose", "cancel", "break"])
async def test_what_was_never_sent_is_sent_by_the_next_run(
    service: Service, journal: Path, end: str
) -> None:
    """Closed early, a batch releases what waited for its slot; only what was sent is unknown."""
    gate = asyncio.Event()
    ids = [str(number) for number in range(12)]

    async def answer(request: httpx.Request) -> httpx.Response:
        if service.order_id(request) != "0":
            service.sent.append(request)
            await gate.wait()
        return await service(request)

    async with new_client(httpx.MockTransport(answer), max_in_flight=2) as client:
        cancel = client.return_refund.cancel_order
        batch = run_batch(
            cancel, orders(*ids), concurrency=8, key=order_id, journal=journal, drain=0
        )

        async def take() -> None:
            async with batch:
                async for _ in batch:
                    if end == "break":
                        break

        if end == "aclose":
            await anext(batch)
            await until(lambda: len(service.sent) == 3)
            await batch.aclose()
        else:
            taking = asyncio.create_task(take())
            await until(lambda: len(service.sent) == 3)
            if end == "cancel":
                taking.cancel()
            await asyncio.wait([taking])
        sent = {*service.order_ids}
        begun = {each.key for each in batch.unfinished}
        assert len(sent) == 3
        assert begun >= sent - {"0"}
        assert len(begun) > len(sent)
        gate.set()
        service.sent.clear()
        told = await outcomes(run_batch(cancel, orders(*ids), key=order_id, journal=journal))
    assert {each for each in told if told[each].status == "unknown"} == sent - {"0"}
    assert {*service.order_ids} == {*ids} - sent
    assert all(told[each].succeeded for each in {*ids} - sent | {"0"})


async def test_what_was_refused_and_waits_for_its_retry_is_sent_by_the_next_run(
    service: Service, journal: Path
) -> None:
    """Closed early then, its outcome is not unknown: nothing was processed."""
    service.refuse("1", 36009002, 429)
    waits = asyncio.Event()

    async def sleep(_: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    async with new_client(httpx.MockTransport(service), max_retries=5, sleep=sleep) as client:
        cancel = client.return_refund.cancel_order
        batch = run_batch(cancel, orders("1"), key=order_id, journal=journal, drain=0)
        taking = asyncio.ensure_future(anext(batch))
        await waits.wait()
        taking.cancel()
        await asyncio.wait([taking])
        assert [each.key for each in batch.unfinished] == ["1"]
        service.answers.clear()
        told = await outcomes(run_batch(cancel, orders("1"), key=order_id, journal=journal))
    assert (told["1"].status, told["1"].resumed) == ("succeeded", False)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.001)


async def test_a_function_that_is_cancelled_after_one_of_its_calls_may_have_been_processed(
    client: AsyncTikTokShop, service: Service, journal: Path
) -> None:
    """What its last call knows does not hold for the whole function."""
    waits = asyncio.Event()

    async def two_calls(*, order_id: str) -> None:
        await client.return_refund.cancel_order(order_id=order_id, cancel_reason="sold out")
        waits.set()
        await client.return_refund.cancel_order(
            order_id="other",
            cancel_reason="sold out",
            options=RequestOptions(deadline=9.0, before_sending=stop),
        )

    def stop() -> None:
        raise asyncio.CancelledError

    async def run() -> list[str]:
        batch = run_batch(two_calls, [{"order_id": "1"}], key=order_id, journal=journal)
        return [outcome.status async for outcome in batch]

    with pytest.raises(RuntimeError, match="cancelled"):
        await run()
    assert waits.is_set()
    assert await run() == ["unknown"]
    assert service.order_ids == ["1"]


async def test_another_function_is_not_called_without_its_claim(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And options that its request carries check it again right before each attempt."""
    called: list[RequestOptions | None] = []
    looks: list[str] = []
    check = SQLSession.check

    def lost_once(session: SQLSession, key: str) -> None:
        looks.append(key)
        if len(looks) == 1:
            raise LeaseLostError("away for too long")
        check(session, key)

    async def call(*, order_id: str, options: RequestOptions | None = None) -> None:
        called.append(options)
        if options is not None:
            assert options.before_sending is not None
            options.before_sending()
            own.append(len(looks))

    own: list[int] = []
    monkeypatch.setattr(SQLSession, "check", lost_once)
    options = RequestOptions(max_retries=7, before_sending=lambda: own.append(0))
    requests = [{"order_id": "1"}, {"order_id": "2", "options": options}]
    batch = run_batch(call, requests, key=order_id, journal=journal, concurrency=1)
    assert [outcome.status async for outcome in batch] == ["succeeded", "succeeded"]
    assert looks == ["1", "1", "2", "2"]
    assert called[0] is None
    assert called[1] is not None
    assert called[1].max_retries == 7
    assert own == [0, 4]


async def test_calls_that_a_resolver_shares_are_not_checked_for_one_request(
    journal: Path,
) -> None:
    """A look-up that one order began serves others when that order's claim is over."""
    chance = Random(1)  # noqa: S311 - nothing secret
    async with (
        shop_in_a_hurry(500, pending_share=0.0, latency=lambda: chance.random() * 5) as sandbox,
        sandbox.client() as client,
    ):
        sandbox.faults.add("lost_answer", operation=CANCEL, probability=0.5, seed=1)
        ids = order_ids(sandbox)[:150]
        async with OrderLookup(client) as lookup:

            async def look(request: Mapping[str, Any]) -> Verdict:
                found = await resolve_cancellation(client, request["order_id"], lookup=lookup)
                status: Any = {"confirmed": "succeeded"}.get(found.status, found.status)
                return Verdict(status=status, message=found.evidence)

            requests = [{"order_id": each, "cancel_reason": PAID} for each in ids]
            cancel = client.return_refund.cancel_order
            batch = run_batch(
                cancel, requests, key=order_id, journal=journal, resolve=look, concurrency=50
            )
            told = await outcomes(batch)
        assert {each.status for each in told.values()} == {"succeeded"}
        assert calls(sandbox)[CANCEL] == len(ids)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"call": "order.get_order_detail"}, "call must be callable"),
        ({"requests": {"ids": ["1"]}}, "requests must be an iterable of requests"),
        ({"requests": "1"}, "requests must be an iterable of requests"),
        ({"requests": [["1"]]}, "request 0 must be a mapping of keyword arguments, not a list"),
        ({"journal": 5, "key": str}, "journal must be a path"),
    ],
)
async def test_wrong_arguments_are_rejected_by_name(
    client: AsyncTikTokShop, service: Service, wrong: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {
        "call": client.order.get_order_detail,
        "requests": [{"ids": ["1"]}],
    } | wrong
    with pytest.raises(InvalidArgumentError, match=message):
        _ = [
            outcome
            async for outcome in run_batch(
                arguments.pop("call"), arguments.pop("requests"), **arguments
            )
        ]
    assert not service.sent


def test_what_is_unfinished_shows_no_personal_data() -> None:
    unfinished = Unfinished(key="7", request={"order_id": "7", "content": "Dear Ana"})
    assert "Ana" not in repr(unfinished)
    assert "order_id" in repr(unfinished)
