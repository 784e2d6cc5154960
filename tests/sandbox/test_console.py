"""The console page in a real browser: Debian's Chromium, driven by selenium."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sandbox.wire import PAID
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import Select, WebDriverWait

from tiktok_shop_async import AsyncTikTokShop, RateLimitError, SignatureError
from tiktok_shop_async.sandbox import Sandbox, run_sandbox

T = TypeVar("T")

CHROMIUM = Path("/usr/bin/chromium")
DRIVER = Path("/usr/bin/chromedriver")
MISSING = [str(path) for path in (CHROMIUM, DRIVER) if not path.exists()]
PATIENCE = 20
"""Seconds to wait for the page, which asks for news each second."""

pytestmark = pytest.mark.skipif(
    bool(MISSING) and os.environ.get("CI") != "true",
    reason=f"no {' and no '.join(MISSING)}: install Debian's chromium and chromium-driver",
)


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebDriver]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--no-proxy-server",
        "--window-size=1280,1250",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The page as its user sees it; each step off the event loop, where the sandbox is served."""

    def __init__(self, browser: WebDriver, sandbox: Sandbox) -> None:
        self.browser = browser
        self._url = f"{sandbox.base_url}/_sandbox/"

    async def open(self) -> None:
        await asyncio.to_thread(self.browser.get, self._url)

    async def until(self, look: Callable[[WebDriver], T]) -> T:
        """Return what there is to see, as soon as it is there."""
        wait: Any = WebDriverWait(self.browser, PATIENCE, poll_frequency=0.1)
        found: T = await asyncio.to_thread(wait.until, look)
        return found

    async def do(self, step: Callable[[WebDriver], T]) -> T:
        return await asyncio.to_thread(step, self.browser)

    async def submit(self, form: str, **values: str) -> None:
        """Fill a form in, the one with this label, and press its button."""

        def step(browser: WebDriver) -> None:
            element = browser.find_element(By.CSS_SELECTOR, f"form[aria-label='{form}']")
            for name, value in values.items():
                field = element.find_element(By.NAME, name)
                if field.tag_name == "select":
                    Select(field).select_by_value(value)
                else:
                    field.clear()
                    field.send_keys(value)
            element.find_element(By.TAG_NAME, "button").click()

        await self.do(step)

    async def text_comes(self, selector: str, text: str) -> None:
        await self.until(lambda _: text in self.text(selector))

    def text(self, selector: str) -> str:
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        text: str = self.browser.execute_script(script, selector)
        return text

    def row_of(self, order_id: str) -> dict[str, str]:
        """Return an order's cells by their column's head; none where it is not shown."""
        for row in self.text("#orders tbody").splitlines():
            cells = row.split()
            if cells[0] == order_id:
                return dict(zip(("Order", "Status", "Items", "Cancelled"), cells, strict=False))
        return {}


def client_of(sandbox: Sandbox, secret: str | None = None) -> AsyncTikTokShop:
    return AsyncTikTokShop(
        sandbox.app_key,
        secret or sandbox.app_secret,
        access_token=sandbox.access_token,
        shop_cipher=sandbox.shop_cipher,
        base_url=sandbox.base_url,
        max_retries=0,
    )


async def test_the_console_shows_the_shop_and_works_on_it(browser: WebDriver) -> None:
    """One visit: orders, the live log with its signatures, faults, events, reset."""
    async with run_sandbox(orders=120, pending_share=0.0) as sandbox, client_of(sandbox) as client:
        page = Page(browser, sandbox)
        await page.open()
        assert "No request yet" in await page.do(
            lambda browser: browser.execute_script(
                "return getComputedStyle(document.getElementById('requests'), '::after').content"
            )
        )
        order = next(o for o in sandbox.shop.orders.values() if o.status == "AWAITING_SHIPMENT")

        # A call shows without a reload, and so does its effect.
        await client.return_refund.cancel_order(order_id=order.id, cancel_reason=PAID)
        await page.text_comes("#requests li:first-child summary", "/return_refund/")
        await page.until(lambda _: page.row_of(order.id).get("Status") == "CANCELLED")

        # A wrong signature is explained.
        async with client_of(sandbox, "wrong") as stranger:
            with pytest.raises(SignatureError):
                await stranger.authorization.get_authorized_shops()
        await page.text_comes("#requests li:first-child summary", "code 106001")
        await page.do(lambda b: b.find_element(By.CSS_SELECTOR, "#requests summary").click())
        await page.text_comes("#requests li:first-child dl", "does not fit")
        explained = page.text("#requests li:first-child pre")
        assert explained.startswith("***/authorization/")
        assert sandbox.app_secret not in page.browser.page_source

        # A fault is switched on, strikes, and is switched off.
        await page.submit(
            "Switch a fault on", kind="throttled", operation="order.*", retry_after="3"
        )
        await page.text_comes("#faults", "throttled on order.*")
        with pytest.raises(RateLimitError) as caught:
            await client.order.get_order_list(page_size=1)
        assert caught.value.retry_after == 3
        await page.text_comes("#faults", "struck 1 of 1")
        await page.text_comes("#requests li:first-child summary", "throttled")
        await page.do(lambda b: b.find_element(By.CSS_SELECTOR, "[data-delete]").click())
        await page.text_comes("#faults", "None")
        await client.order.get_order_list(page_size=1)

        # A mistake is told.
        await page.submit("Switch a fault on", nth="1", every="2")
        await page.text_comes("#said", "not both")

        # Each of the 44 events can be chosen, and what became of one is told.
        events = await page.do(lambda b: b.find_elements(By.CSS_SELECTOR, "[name=type] option"))
        assert len(events) == 44
        await page.submit("Fire an event", type="1")
        await page.until(lambda _: "not both" not in page.text("#said"))
        assert page.text("#said")

        # Time moves, and reset brings the beginning back.
        await page.submit("Clock", advance="3600")
        await page.text_comes("#said", "Done: POST clock")
        await page.submit("Reset")
        await page.text_comes("#said", "Done: POST reset")
        assert page.text("#requests") == ""
        assert sandbox.shop.orders[order.id].status == "AWAITING_SHIPMENT"
        await page.until(lambda _: page.row_of(order.id).get("Status") != "CANCELLED")
        log = await page.do(lambda browser: browser.get_log("browser"))
    errors = [entry for entry in log if entry["level"] == "SEVERE"]
    unexpected = [entry for entry in errors if "400" not in entry["message"]]
    assert [entry for entry in unexpected if "/events" not in entry["message"]] == []


async def test_limits_are_set_strike_and_are_lifted(browser: WebDriver) -> None:
    async with run_sandbox(orders=5) as sandbox, client_of(sandbox) as client:
        page = Page(browser, sandbox)
        await page.open()
        assert "None" in page.text("#limits")
        await page.submit(
            "Set limits",
            **{"rates.read.per_second": "0.5", "rates.read.burst": "2", "retry_after": "seconds"},
            hourly_quota="100",
        )
        for said in ("reads: 0.5 a second, 2 at once", "100 calls an hour", "Retry-After as"):
            await page.text_comes("#limits", said)
        for _ in range(2):
            await client.order.get_order_list(page_size=1)
        with pytest.raises(RateLimitError) as caught:
            await client.order.get_order_list(page_size=1)
        assert caught.value.retry_after in (1, 2)
        await page.submit("Set limits", **{"rates.read.per_second": "", "rates.read.burst": "3"})
        await page.text_comes("#said", "per_second")
        await page.do(lambda b: b.find_element(By.CSS_SELECTOR, "[data-delete=limits]").click())
        await page.text_comes("#limits", "None")
        await client.order.get_order_list(page_size=1)
