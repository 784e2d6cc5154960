"""The layout of the console at the widths of a phone and of desktops, in a real browser."""

from __future__ import annotations

import pytest
from helpers.sandbox.browser import DESKTOP, PHONE, needs_browser, resize
from helpers.sandbox.console_page import CLIPPED, UNLABELLED, UNREADABLE, Page, busy_pages
from selenium.webdriver import Chrome

from tiktok_shop_async.sandbox import Sandbox

WIDE = (1920, 1080)

pytestmark = needs_browser


@pytest.mark.parametrize("size", [PHONE, DESKTOP, WIDE], ids=str)
async def test_no_page_is_clipped_or_scrolls_sideways(
    browser: Chrome, console_sandbox: Sandbox, size: tuple[int, int]
) -> None:
    """With everything unfolded; texts have contrast in both colour schemes, fields have labels."""
    page = Page(browser, console_sandbox)
    for path in await busy_pages(console_sandbox):
        await page.open(path, size)
        await page.do(
            lambda b: b.execute_script(
                "document.querySelectorAll('details').forEach((each) => each.open = true)"
            )
        )
        assert await page.do(lambda b: b.execute_script(CLIPPED)) == [], path
        assert await page.do(lambda b: b.execute_script(UNLABELLED)) == [], path
        for scheme in ("light", "dark"):
            await page.do(lambda b, scheme=scheme: resize(b, size, scheme))
            assert await page.do(lambda b: b.execute_script(UNREADABLE)) == [], (path, scheme)
        assert [error for error in await page.errors() if "404" not in error] == []


async def test_no_column_of_a_table_is_empty(browser: Chrome, console_sandbox: Sandbox) -> None:
    page = Page(browser, console_sandbox)
    script = """
    return [...document.querySelectorAll("table")].flatMap((table) => {
      const rows = [...table.tBodies[0].rows].filter((row) => !row.matches(".detail"));
      return [...table.tHead.rows[0].cells].filter((head, index) =>
        rows.every((row) => !row.cells[index].innerText.trim()
          && !row.cells[index].querySelector("input, button"))
        || head.getBoundingClientRect().width < 30);
    }).map((head) => head.outerHTML);
    """
    for path in await busy_pages(console_sandbox):
        await page.open(path)
        assert await page.do(lambda b: b.execute_script(script)) == [], path
