"""The console as a user of a browser sees it, and a sandbox with much to show there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import pytest
from helpers.sandbox.browser import DESKTOP, resize
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from tiktok_shop_async import AsyncTikTokShop, SignatureError
from tiktok_shop_async.sandbox import Sandbox

T = TypeVar("T")

LONG_PATTERN = "".join(f"[{letter}]" for letter in "return_refund") + "*" * 40
PATIENCE = 20
"""Seconds to wait for the page, which asks for news every other second."""


class Page:
    """The console as its user sees it; each step runs off the sandbox's event loop."""

    def __init__(self, browser: Chrome, sandbox: Sandbox) -> None:
        self.browser = browser
        self._sandbox = sandbox

    async def open(self, path: str = "/", size: tuple[int, int] = DESKTOP) -> None:
        def step(browser: Chrome) -> None:
            browser.get_log("browser")
            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
            resize(browser, size)
            browser.get(f"{self._sandbox.base_url}/_sandbox{path}")

        await self.do(step)

    async def open_order(self, order_id: str, size: tuple[int, int] = DESKTOP) -> None:
        await self.open(f"/console/orders/{self._sandbox.shop.id}/{order_id}", size)

    async def until(self, look: Callable[[Chrome], T]) -> T:
        """Return what there is to see, as soon as it is there."""
        # An update may replace an element between the moments when it is found and used.
        wait: Any = WebDriverWait(
            self.browser, PATIENCE, 0.1, ignored_exceptions=(StaleElementReferenceException,)
        )
        found: T = await asyncio.to_thread(wait.until, look)
        return found

    async def do(self, step: Callable[[Chrome], T]) -> T:
        return await asyncio.to_thread(step, self.browser)

    async def click(self, selector: str) -> None:
        def step(browser: Chrome) -> bool:
            self.find(browser, selector).click()
            return True

        await self.until(step)

    async def submit(self, form: str, button: str = "button", **values: str) -> None:
        """Fill a form in, the one with this label, and press its button."""

        def step(browser: Chrome) -> bool:
            element = browser.find_element(By.CSS_SELECTOR, f"form[aria-label='{form}']")
            for name, value in values.items():
                fill(element, name, value)
            pressed = element.find_element(By.CSS_SELECTOR, button)
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", pressed)
            pressed.click()
            return True

        await self.until(step)

    async def result(self, text: str) -> None:
        """Wait for the result of an action, which must be in the visible part of the page."""

        def shown(browser: Chrome) -> bool:
            return text in self.text("#notice")

        await self.until(shown)
        await self.until(lambda browser: browser.execute_script(IN_VIEW, "#notice"))

    async def text_comes(self, selector: str, text: str) -> None:
        await self.until(lambda _: text in self.text(selector))

    def text(self, selector: str) -> str:
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        text: str = self.browser.execute_script(script, selector)
        return text

    async def errors(self) -> list[str]:
        """Return what the browser reports, such as violations of the page's policy."""
        log = await self.do(lambda browser: browser.get_log("browser"))
        found = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
        # Not those of the sandbox before, whose page may still have asked for news.
        return [message for message in found if self._sandbox.base_url in message]

    @staticmethod
    def find(browser: Chrome, selector: str) -> WebElement:
        return browser.find_element(By.CSS_SELECTOR, selector)


def fill(form: WebElement, name: str, value: str) -> None:
    fields = form.find_elements(By.NAME, name)
    if fields[0].tag_name == "select":
        Select(fields[0]).select_by_value(value)
    elif fields[0].get_attribute("type") == "radio":
        next(each for each in fields if each.get_attribute("value") == value).click()
    else:
        fields[0].clear()
        fields[0].send_keys(value)


IN_VIEW = """
const box = document.querySelector(arguments[0])?.getBoundingClientRect();
return Boolean(box) && box.top >= 0 && box.bottom <= innerHeight
  && box.left >= 0 && box.right <= innerWidth;
"""
CLIPPED = """
const clipped = [];
for (const each of document.querySelectorAll("body *")) {
  const style = getComputedStyle(each), box = each.getBoundingClientRect();
  if (box.width === 0 || each.closest(".hidden, .skip") || style.display === "inline") continue;
  const outside = box.right > innerWidth + 1 || box.left < -1;
  const over = each.scrollWidth > each.clientWidth + 1 && !each.matches("select, input, textarea");
  if (outside || over) clipped.push(each.outerHTML.slice(0, 200));
}
if (document.documentElement.scrollWidth > innerWidth) clipped.push("the page scrolls sideways");
return clipped;
"""
UNREADABLE = """
// Texts whose contrast with what lies behind them is below 4.5 (WCAG 2.1, level AA).
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function rgb(colour) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return a === 255 ? [r, g, b] : null;
}
function behind(element) {
  for (let each = element; each; each = each.parentElement) {
    const found = rgb(getComputedStyle(each).backgroundColor);
    if (found) return found;
  }
  return [255, 255, 255];
}
function luminance(colour) {
  const [r, g, b] = colour.map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const unreadable = [];
for (const each of document.querySelectorAll("body *")) {
  const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !each.getClientRects().length || each.closest(":disabled, .off, option")) continue;
  const [light, dark] = [luminance(rgb(getComputedStyle(each).color)), luminance(behind(each))]
    .sort((one, other) => other - one);
  if ((light + 0.05) / (dark + 0.05) < 4.5) unreadable.push(each.outerHTML.slice(0, 200));
}
return unreadable;
"""
UNLABELLED = """
const fields = "input:not([type=hidden]), select, textarea, button, a, summary";
return [...document.querySelectorAll(fields)]
  .filter((each) => !(each.labels?.length || each.ariaLabel || each.textContent.trim()))
  .map((each) => each.outerHTML);
"""


class FlakyReceiver:
    """Accepts every second webhook."""

    def __init__(self) -> None:
        self._received = 0

    def __call__(self, _: httpx.Request) -> httpx.Response:
        self._received += 1
        if self._received % 2:
            return httpx.Response(500, text="Traceback (most recent call last): " + "x" * 200)
        return httpx.Response(200, json={"ok": True})


def client_of(sandbox: Sandbox, secret: str | None = None) -> AsyncTikTokShop:
    return AsyncTikTokShop(
        sandbox.app_key,
        secret or sandbox.app_secret,
        access_token=sandbox.access_token,
        shop_cipher=sandbox.shop_cipher,
        base_url=sandbox.base_url,
        max_retries=0,
    )


def order_of(sandbox: Sandbox, status: str, *, lines: int = 1) -> Any:
    orders = sandbox.shop.orders.values()
    return next(o for o in orders if o.status == status and len(o.lines) >= lines)


async def busy_pages(sandbox: Sandbox) -> list[str]:
    """Use the sandbox, so that every page has much to show, and return the pages' paths."""
    async with client_of(sandbox) as client, client_of(sandbox, "wrong-secret") as stranger:
        await client.order.get_order_list(page_size=5)
        await client.event.update_shop_webhook(
            event_type="ORDER_STATUS_CHANGE", address="https://hooks.example/" + "a" * 150
        )
        order = order_of(sandbox, "AWAITING_SHIPMENT", lines=2)
        reason = "ecom_order_to_ship_canceled_reason_no_longer_needed"
        sandbox.shop.request_cancellation(order.id, reason, [order.lines[0].id])
        delivered = order_of(sandbox, "DELIVERED")
        sandbox.shop.request_return(delivered.id, "ecom_order_delivered_refund_reason_damaged")
        with pytest.raises(SignatureError):
            await stranger.authorization.get_authorized_shops()
        sandbox.faults.add("throttled", operation=LONG_PATTERN, retry_after=2)
        sandbox.faults.add("slow_body", seconds=0.001, probability=0.25, times=3)
        async with httpx.AsyncClient(base_url=sandbox.base_url) as http:
            await http.get("/order/" + "long" * 50, params={"x" * 60: "y" * 300})
    sandbox.fire("ORDER_STATUS_CHANGE")
    await sandbox.webhooks.drain()
    delivery = sandbox.webhooks.deliveries[0]
    shop_id = sandbox.shop.id
    return [
        "/",
        "/console/credentials",
        "/console/requests?selected=1",
        "/console/requests?selected=3",
        "/console/requests?selected=4",
        "/console/requests?q=nothing",
        "/console/orders",
        "/console/orders?q=nothing",
        f"/console/orders/{shop_id}/{order.id}",
        f"/console/orders/{shop_id}/{delivered.id}",
        f"/console/orders/{shop_id}/1",
        f"/console/webhooks?selected={delivery.notification_id}",
        "/console/webhooks?state=dropped",
        "/console/faults",
    ]
