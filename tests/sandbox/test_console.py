"""The console in a real browser: Debian's Chromium, driven by selenium."""

from __future__ import annotations

import pytest
from sandbox.browser import DESKTOP, PHONE, needs_browser
from sandbox.console_page import Page, busy_pages, client_of, order_of
from sandbox.wire import PAID
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tiktok_shop_async import RateLimitError, SignatureError
from tiktok_shop_async.sandbox import FaultRule, Faults, Sandbox, run_sandbox

pytestmark = needs_browser


async def test_calls_and_their_effects_are_shown_as_they_come(browser: Chrome) -> None:
    """Orders and the log of requests, which change without a reload."""
    async with run_sandbox(orders=120, pending_share=0.0) as sandbox, client_of(sandbox) as client:
        page = Page(browser, sandbox)
        await page.open("/console/requests")
        assert "No requests yet" in page.text("#requests")
        order = order_of(sandbox, "AWAITING_SHIPMENT")

        # A call shows without a reload, and so does its effect.
        await client.return_refund.cancel_order(order_id=order.id, cancel_reason=PAID)
        await page.text_comes("#requests tbody tr:first-child", "/return_refund/")
        await page.open("/console/orders")
        row = f"[data-order='{order.id}']"
        assert "CANCELLED" in page.text(row)
        other = order_of(sandbox, "UNPAID")
        await page.open("/console/orders?status=UNPAID")
        sandbox.shop.pay(other.id)
        await page.until(lambda _: page.text(f"[data-order='{other.id}']") == "")

        # A wrong signature is explained.
        await page.open("/console/requests")
        async with client_of(sandbox, "wrong") as stranger:
            with pytest.raises(SignatureError):
                await stranger.authorization.get_authorized_shops()
        await page.text_comes("#requests tbody tr:first-child", "106001")
        await page.click("#requests tbody a")
        await page.text_comes("tr.detail", "Signature mismatch")
        explained = page.text("tr.detail pre")
        assert explained.startswith("***/authorization/")
        assert sandbox.app_secret not in page.browser.page_source
        assert await page.errors() == []


async def test_faults_events_time_and_reset(browser: Chrome) -> None:
    async with run_sandbox(orders=60, pending_share=0.0) as sandbox, client_of(sandbox) as client:
        page = Page(browser, sandbox)
        order = order_of(sandbox, "AWAITING_SHIPMENT")
        await client.return_refund.cancel_order(order_id=order.id, cancel_reason=PAID)

        # A fault is added, strikes, and is removed.
        await page.open("/console/faults")
        await page.submit("Add fault", kind="throttled", operation="order.*", retry_after="3")
        await page.result("Fault added: Throttled on order.*.")
        await page.text_comes("#faults", "Throttled on order.*")
        with pytest.raises(RateLimitError) as caught:
            await client.order.get_order_list(page_size=1)
        assert caught.value.retry_after == 3
        await page.text_comes("#faults", "Applied to 1 of 1 call")
        await page.click("#faults button")
        await page.result("Fault removed.")
        await page.text_comes("#faults", "No faults")
        await client.order.get_order_list(page_size=1)

        # A mistake is told, and what was entered is still there.
        await page.submit("Add fault", nth="1", every="2")
        await page.result("cannot be combined")
        field = await page.do(lambda b: page.find(b, "[name=every]").get_attribute("value"))
        assert field == "2"

        # Each of the 44 events can be chosen, and the result of one is told.
        await page.open("/console/webhooks")
        events = await page.do(lambda b: b.find_elements(By.CSS_SELECTOR, "[name=type] option"))
        assert len(events) == 44
        await page.submit("Fire event", type="1")
        await page.result("This event has no receiver")

        # Time moves, and reset brings the beginning back.
        await page.open("/")
        await page.submit("Advance clock by a preset", "[value='3600']")
        await page.result("Clock advanced by 1 h.")
        await page.click("#reset-confirmation summary")
        await page.submit("Reset")
        await page.result("The sandbox is in its initial state.")
        assert "No requests yet" in page.text("#latest-requests")
        assert sandbox.shop.orders[order.id].status == "AWAITING_SHIPMENT"
        assert await page.errors() == []


async def test_limits_are_set_strike_and_are_removed(browser: Chrome) -> None:
    async with run_sandbox(orders=5) as sandbox, client_of(sandbox) as client:
        page = Page(browser, sandbox)
        await page.open("/console/faults")
        assert "No rate limits" in page.text("#current-limits")
        await page.submit(
            "Rate limits",
            "button.primary",
            **{"read.per_second": "0.5", "read.burst": "2", "retry_after": "seconds"},
            hourly_quota="100",
        )
        for text in ("Reads: 0.5 per second, burst of 2", "100 calls per hour", "Retry-After as"):
            await page.text_comes("#current-limits", text)
        await page.result("Rate limits set.")
        for _ in range(2):
            await client.order.get_order_list(page_size=1)
        with pytest.raises(RateLimitError) as caught:
            await client.order.get_order_list(page_size=1)
        assert caught.value.retry_after in (1, 2)
        await page.submit(
            "Rate limits", "button.primary", **{"read.per_second": "", "read.burst": "3"}
        )
        await page.result("a burst requires")
        await page.click("#current-limits button")
        await page.text_comes("#current-limits", "No rate limits")
        await client.order.get_order_list(page_size=1)


async def test_requests_are_filtered_by_the_form(browser: Chrome, console_sandbox: Sandbox) -> None:
    page = Page(browser, console_sandbox)
    await busy_pages(console_sandbox)
    await page.open("/console/requests")
    await page.submit("Filter requests", outcome="signature")
    await page.until(lambda b: "outcome=signature" in b.current_url)
    rows = await page.do(lambda b: b.find_elements(By.CSS_SELECTOR, "#requests tbody tr"))
    assert len(rows) == 1
    # The filter stays while a request is opened, and while the page is updated.
    await page.click("#requests tbody a")
    await page.text_comes("tr.detail", "Signature mismatch")
    assert "outcome=signature" in await page.do(lambda b: b.current_url)
    async with client_of(console_sandbox) as client:
        await client.order.get_order_list(page_size=1)
    await page.text_comes("#requests", "1 of 5 requests")
    await page.do(lambda b: b.back())
    await page.until(lambda b: not b.find_elements(By.CSS_SELECTOR, "tr.detail"))


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=str)
async def test_the_result_of_every_action_is_in_view(
    browser: Chrome, console_sandbox: Sandbox, size: tuple[int, int]
) -> None:
    """Where one clicked, on a phone too; the page does not jump."""
    page = Page(browser, console_sandbox)
    order = order_of(console_sandbox, "AWAITING_SHIPMENT", lines=2)
    await page.open_order(order.id, size)
    await page.submit("Ship")
    await page.result(f"Package {order.packages[0].id}: Processing.")
    assert order.status == "AWAITING_COLLECTION"
    await page.text_comes("#summary", "AWAITING_COLLECTION")
    await page.submit("Hand over to carrier")
    await page.result("The order is IN_TRANSIT.")
    await page.submit("Deliver")
    await page.result("The order is DELIVERED.")
    await page.click("#request-refund-details summary")
    await page.submit("Request refund", "button.primary")
    await page.result("Return or refund request pending")
    assert len(order.requests) == 1
    assert [line.request for line in order.lines] == order.requests * len(order.lines)

    await page.open("/console/faults", size)
    await page.submit("Add fault", kind="html_page", operation="order.*")
    await page.result("Fault added: HTML page on order.*.")
    await page.submit("Add fault", probability="7")
    await page.result("Probability must be a number from 0 to 1")

    await page.open("/console/webhooks", size)
    for _ in range(2):
        await page.submit("Fire event", data='{"order_id": "1"}')
        await page.result("sent to 1 receiver")
    await console_sandbox.webhooks.drain()
    failed = next(each for each in console_sandbox.webhooks.deliveries if each.state == "waiting")
    row = f"#delivery-{failed.notification_id}"
    await page.text_comes(row, "waiting")
    await page.click(f"{row} a")
    await page.text_comes("tr.detail", "Traceback (most recent call last)")
    await page.click(f"{row}-resend")
    await page.result("started")
    await page.until(lambda _: len(failed.attempts) == 2)
    await page.until(lambda b: len(b.find_elements(By.CSS_SELECTOR, "tr.detail tbody tr")) == 2)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=str)
async def test_everything_works_without_javascript(
    browser: Chrome, console_sandbox: Sandbox, size: tuple[int, int]
) -> None:
    page = Page(browser, console_sandbox)

    async def open_without_scripts(path: str) -> None:
        await page.open(path, size)
        await page.do(
            lambda b: b.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        )
        await page.do(lambda b: b.refresh())

    def in_view(browser: Chrome, text: str) -> bool:
        found = browser.find_elements(By.ID, "notice")
        if not found or text not in found[0].text:
            return False
        metrics = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssVisualViewport"]
        top = found[0].rect["y"] - metrics["pageY"]
        return bool(0 <= top <= size[1] - found[0].rect["height"])

    order = order_of(console_sandbox, "UNPAID")
    try:
        await open_without_scripts(f"/console/orders/{console_sandbox.shop.id}/{order.id}")
        await page.do(
            lambda b: b.find_element(By.CSS_SELECTOR, "form[aria-label='Pay'] button").click()
        )
        await page.until(lambda b: in_view(b, "The order is ON_HOLD."))
        assert order.status == "ON_HOLD"
        await open_without_scripts("/console/faults")
        await page.do(lambda b: b.find_element(By.CSS_SELECTOR, "[value=lost_answer]").click())
        await page.do(lambda b: b.find_element(By.CSS_SELECTOR, "#add-fault button").click())
        await page.until(lambda b: in_view(b, "Fault added: Lost response on *."))
        await open_without_scripts("/")
        reset = "form[aria-label='Reset'] button"
        assert not await page.do(lambda b: b.find_element(By.CSS_SELECTOR, reset).is_displayed())
        await page.do(lambda b: b.find_element(By.CSS_SELECTOR, "#reset summary").click())
        await page.do(lambda b: b.find_element(By.CSS_SELECTOR, reset).click())
        await page.until(lambda b: in_view(b, "The sandbox is in its initial state."))
        assert len(console_sandbox.faults) == 0
    finally:
        await page.do(
            lambda b: b.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        )


async def test_updates_leave_what_a_user_is_doing_alone(
    browser: Chrome, console_sandbox: Sandbox
) -> None:
    """An open form keeps what was entered, and focus stays where it was."""
    page = Page(browser, console_sandbox)
    order = order_of(console_sandbox, "AWAITING_SHIPMENT", lines=2)
    await page.open_order(order.id)
    await page.click("#cancel-details summary")
    await page.click("#cancel-details [name=line]")
    console_sandbox.shop.ship(order.id)
    await page.text_comes("#summary", "AWAITING_COLLECTION")
    box = await page.do(lambda b: page.find(b, "#cancel-details [name=line]"))
    assert not await page.do(lambda _: box.is_selected())

    async with client_of(console_sandbox) as client:
        await client.order.get_order_list(page_size=1)
        await page.open("/console/requests")
        await page.do(
            lambda b: b.execute_script("document.getElementById('request-link-1').focus()")
        )
        await client.order.get_order_list(page_size=1)
        await page.text_comes("#requests", "2 requests")
    focused = await page.do(lambda b: b.execute_script("return document.activeElement.id"))
    assert focused == "request-link-1"


async def test_faults_of_the_start_are_shown(browser: Chrome) -> None:
    faults = Faults([FaultRule("internal_error", every=3, after_processing=True)])
    async with run_sandbox(orders=5, faults=faults) as sandbox:
        page = Page(browser, sandbox)
        await page.open("/console/faults")
        assert "every 3 calls; after processing" in page.text("#faults")
