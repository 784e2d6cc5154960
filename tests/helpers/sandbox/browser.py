"""Debian's Chromium without a window, driven by selenium, at the width of a phone or a desktop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from selenium import webdriver

CHROMIUM = Path("/usr/bin/chromium")
DRIVER = Path("/usr/bin/chromedriver")
MISSING = [str(path) for path in (CHROMIUM, DRIVER) if not path.exists()]

needs_browser = pytest.mark.skipif(
    bool(MISSING) and os.environ.get("CI") != "true",
    reason=f"no {' and no '.join(MISSING)}: install Debian's chromium and chromium-driver",
)

PHONE = (390, 844)
DESKTOP = (1440, 900)


@contextmanager
def open_browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """Start a browser with its profile in a folder, and end it with the block."""
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
        "--window-size=1440,900",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with without_proxies():
        driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def without_proxies() -> Iterator[None]:
    """Take the environment's proxies away, through which the driver would be sought."""
    names = [
        name for name in os.environ if name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    ]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(kept)


def resize(
    browser: webdriver.Chrome, size: tuple[int, int], scheme: Literal["light", "dark"] = "light"
) -> None:
    """Give pages this many CSS pixels, and prefer light or dark colours."""
    width, height = size
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
