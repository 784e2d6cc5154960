"""Take the documentation's screenshots: ``PYTHONPATH=tests python -m sandbox.screenshots``.

Needs the dependency group ``test``, and Debian's packages chromium and chromium-driver.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import tempfile
from pathlib import Path

from helpers.sandbox.browser import PHONE, open_browser, resize
from helpers.sandbox.wire import PAID
from selenium.webdriver import Chrome

from tiktok_shop_async import TikTokShopError
from tiktok_shop_async.sandbox import Sandbox, run_sandbox

IMAGES = Path(__file__).parents[3] / "docs" / "images"


async def main() -> None:
    """Serve a sandbox, use it, and take the pictures."""
    with tempfile.TemporaryDirectory() as profile, open_browser(Path(profile)) as browser:
        async with run_sandbox(orders=120, pending_share=0) as sandbox:
            mismatch, order_path = await use(sandbox)
            base = f"{sandbox.base_url}/_sandbox"
            browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
            resize(browser, (1280, 900))
            requests = f"{base}/console/requests?selected={mismatch}"
            await asyncio.to_thread(shoot, browser, requests, "console.png")
            resize(browser, PHONE, "dark")
            await asyncio.to_thread(shoot, browser, f"{base}{order_path}", "console-phone.png")


async def use(sandbox: Sandbox) -> tuple[int, str]:
    """Make requests; return the number of one with a wrong signature, and the path of an order."""
    orders = [o for o in sandbox.shop.orders.values() if o.status == "AWAITING_SHIPMENT"]
    order = next(o for o in orders if len(o.lines) > 1)
    sandbox.faults.add("throttled", operation="order.get_order_list", nth=2, retry_after=2)
    sandbox.faults.add("lost_answer", operation="return_refund.cancel_order", nth=2)
    wrong = sandbox.client(app_secret="wrong-secret", max_retries=0)
    async with sandbox.client(max_retries=0) as client, wrong:
        await client.authorization.get_authorized_shops()
        for _ in range(2):
            with contextlib.suppress(TikTokShopError):
                await client.order.get_order_list(page_size=10)
        for each in orders[-2:]:
            with contextlib.suppress(TikTokShopError):
                await client.return_refund.cancel_order(order_id=each.id, cancel_reason=PAID)
        with contextlib.suppress(TikTokShopError):
            await wrong.return_refund.cancel_order(order_id=order.id, cancel_reason=PAID)
        await client.fulfillment.search_packages(page_size=1)
    mismatch = next(entry.number for entry in sandbox.requests if entry.signature_mismatch)
    sandbox.shop.request_cancellation(
        order.id, "ecom_order_to_ship_canceled_reason_no_longer_needed", [order.lines[0].id]
    )
    return mismatch, f"/console/orders/{sandbox.shop.id}/{order.id}"


def shoot(browser: Chrome, url: str, name: str) -> None:
    """Take a picture of what a page shows without scrolling."""
    browser.get(url)
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    (IMAGES / name).write_bytes(base64.b64decode(picture["data"]))


if __name__ == "__main__":
    asyncio.run(main())
