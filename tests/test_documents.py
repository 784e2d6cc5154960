"""Each Python snippet of the README and the docs runs unchanged."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import respx
from auth.consent import DOCUMENT
from auth.databases import REDIS_URL, postgresql_database, redis_prefix
from starlette.requests import Request

from catalogue import example, operations
from tiktok_shop_async import AuthState, ConnectError, FailedAttempt, TikTokShopOAuth, Token
from tiktok_shop_async.auth import Authorizations, MemoryTokenStore
from tiktok_shop_async.auth.web import Authorized
from tiktok_shop_async.resources.order import GET_ORDER_DETAIL
from tiktok_shop_async.testing import signed_webhook
from tiktok_shop_async.testing.sandboxes import create_sandbox
from tiktok_shop_async.webhooks import MemoryWebhookStore, OrderStatusChange, Webhooks
from tiktok_shop_async.webhooks.events import CLASS_OF

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent
APP = {"app_key": "x", "app_secret": "x"}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = [path.read_text() for path in (ROOT / "examples").glob("*.py")]
SNIPPETS = [
    pytest.param(match[1], id=f"{page.stem}-{number}")
    for page in PAGES
    if page.name != "testing.md"  # it runs in a pytest, as its reader's files do
    for number, match in enumerate(
        re.finditer(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    )
    if match[1] not in EXAMPLES  # which have tests of their own
]


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as the catalogue's example does, on one page."""
    for operation in operations().values():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation["path"]))
        if request.method == operation["method"] and re.fullmatch(pattern, request.url.path):
            fields = {"type": "object", "fields": operation["response"]}
            data = example(fields, operation["versions"][-1]) if operation["response"] else {}
            data.pop("next_page_token", None)
            return httpx.Response(200, json={"code": 0, "request_id": "1", "data": data})
    raise AssertionError(f"no operation at {request.url.path}")


@pytest.fixture
async def databases(snippet: str) -> AsyncIterator[dict[str, str]]:
    """The databases that a snippet asks for; it leaves nothing in Redis."""
    async with AsyncExitStack() as opened:
        urls = {}
        if "postgresql_url" in snippet:
            urls["postgresql_url"] = await opened.enter_async_context(postgresql_database())
        if "redis_url" in snippet:
            await opened.enter_async_context(redis_prefix())
            urls["redis_url"] = REDIS_URL
        yield urls


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, databases: dict[str, str]
) -> dict[str, Any]:
    """What a snippet's functions may ask for, by parameter name."""
    for name in ("APP_KEY", "APP_SECRET", "ACCESS_TOKEN", "SHOP_CIPHER"):
        monkeypatch.setenv(f"TIKTOK_{name}", "x")
    monkeypatch.delenv("TIKTOK_BASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    picture = tmp_path / "shirt.png"
    picture.write_bytes(b"a picture")
    oauth = TikTokShopOAuth("x", "x", service_id="x")
    return {
        "app": None,
        "batch": "friday",
        "body": b"{}",
        "event": Webhooks("x", "x").parse(signed_webhook(OrderStatusChange, **APP).body),
        "signature": "x",
        "store": MemoryWebhookStore(),
        "authorizations": Authorizations(oauth, MemoryTokenStore()),
        "authorized": Authorized(
            token=Token.from_document(DOCUMENT), auth=AuthState(access_token="x"), data=None
        ),
        "failed": FailedAttempt(
            operation=GET_ORDER_DETAIL, error=ConnectError("x"), attempt=1, elapsed=0.1
        ),
        "folder": tmp_path,
        "nonce": "1",
        "oauth": oauth,
        "picture": picture,
        "redirect": "https://me.example/callback?error=auth_denied&state=x",
        "order_id": "1",
        "order_ids": ["1", "2"],
        "task_id": "7",
        "sandbox": create_sandbox(),
        "shop_id": "7000714532876273420",  # of the catalogue's example
        "token": Token.from_document(DOCUMENT | {"access_token_expire_in": 4_000_000_000}),
        **databases,
    }


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_runs(
    snippet: str, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)
    names = vars(module)
    brings_its_shop = re.search(r"import .*\b(respx|run_sandbox|MockTikTokShop)", snippet)
    router = respx.mock(assert_all_called=False)
    router.route().mock(side_effect=answer)
    monkeypatch.setattr(logging.getLogger("tiktok_shop_async"), "setLevel", lambda _: None)
    with nullcontext() if brings_its_shop else router:
        exec(compile(snippet, "snippet", "exec"), names)  # noqa: S102 - our own page
        for function in list(names.values()):
            if inspect.isfunction(function) and function.__module__ == "snippet":
                asyncio.run(called(function, world))


async def called(function: Any, world: dict[str, Any]) -> None:
    from tiktok_shop_async import AsyncTikTokShop

    client = AsyncTikTokShop("key", "secret", access_token="token", shop_cipher="cipher")
    request = Request({"type": "http", "state": {"client": client}})
    known = world | {"client": client, "request": request}
    arguments = {
        each.name: known[each.name]
        for each in inspect.signature(function).parameters.values()
        if each.default is each.empty or each.name == "client"  # a task's is injected
    }
    result = function(**arguments)
    async with client:
        if inspect.isawaitable(result):
            await result
        elif hasattr(result, "__aenter__"):
            async with result:
                pass


def test_the_page_on_testing_gives_its_reader_passing_tests(pytester: pytest.Pytester) -> None:
    """Each block that begins with a file's name is that file."""
    page = (ROOT / "docs" / "testing.md").read_text()
    blocks = re.findall(r"^```(?:python|ini)\n# (\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == len(re.findall(r"^```(?:python|ini)$", page, re.MULTILINE))
    for name, text in blocks:
        (pytester.path / name).write_text(text)
    result = pytester.runpytest_subprocess("-p", "no:randomly")
    tests = sum(len(re.findall(r"^(?:async )?def test_", text, re.MULTILINE)) for _, text in blocks)
    result.assert_outcomes(passed=tests)


def test_the_page_on_tokens_shows_the_example_as_it_is() -> None:
    """`auth/test_backend.py` runs it."""
    example = (ROOT / "examples" / "backend.py").read_text()
    assert f"```python\n{example}```" in (ROOT / "docs" / "tokens.md").read_text()


def test_all_pages_are_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme] == []


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_counts_what_the_catalogue_has() -> None:
    counts = json.loads((ROOT / "catalogue" / "index.json").read_text())
    readme = (ROOT / "README.md").read_text()
    assert f"{counts['operations']} operations in 26 groups" in readme
    assert f"{counts['endpoints']} versions" in readme


def test_the_page_on_webhooks_has_all_events() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.MULTILINE)
    assert {int(number): name for number, name in rows} == CLASS_OF
