"""The console as a browser without JavaScript uses it: pages are read, forms are sent."""

from __future__ import annotations

import html
import json
import re
from typing import Any
from urllib.parse import urlsplit

import httpx
from helpers.sandbox.wire import Wire

CONSOLE = "/_sandbox"
HOOK = "http://receiver.example/hook"


class Receiver:
    """Responds to webhooks as a test sets it to."""

    def __init__(self) -> None:
        self.response = httpx.Response(200, json={"ok": True})
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content))
        return self.response


class Console:
    """Reads pages, and sends the forms that they have."""

    def __init__(self, wire: Wire) -> None:
        self._http = wire.http
        self._shop_id = wire.shop.id

    async def get(self, path: str = "/") -> httpx.Response:
        return await self._http.get(f"{CONSOLE}{path}", follow_redirects=True)

    async def page(self, path: str = "/") -> str:
        response = await self.get(path)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/html")
        return response.text

    def order_path(self, order_id: str) -> str:
        return f"/console/orders/{self._shop_id}/{order_id}"

    async def send(self, path: str, **fields: Any) -> str:
        """Send a form, follow its redirect, and return the page."""
        response = await self._http.post(f"{CONSOLE}{path}", data=fields)
        assert response.status_code == 303
        shown = await self._http.get(response.headers["location"])
        assert shown.status_code == 200
        assert urlsplit(response.headers["location"]).query
        return shown.text

    async def submit(self, path: str, label: str, **fields: Any) -> str:
        """Send the form of a page that has this label, filled in, and return the page that follows.

        Its hidden fields are sent as they are, its selects with their first option.
        """
        form = form_of(await self.page(path), label)
        values = {name: value for name, value in _inputs(form) if 'type="hidden"' in value[1]}
        sent: dict[str, Any] = {name: value[0] for name, value in values.items()}
        for select in re.findall(r"<select name=\"([^\"]+)\">(.*?)</select>", form, re.DOTALL):
            option = re.search(r'<option(?: value="([^"]*)")?[^>]*>([^<]*)', select[1])
            assert option
            sent[select[0]] = html.unescape(option[2] if option[1] is None else option[1])
        sent["line"] = re.findall(r'type="checkbox" name="line" value="([^"]+)" checked', form)
        action = re.search(r'action="([^"#]+)', form)
        assert action
        return await self.send(action[1].removeprefix(CONSOLE), **{**sent, **fields})


def form_of(page: str, label: str) -> str:
    """Return the HTML of a form."""
    found = re.search(
        rf'<form [^>]*aria-label="{re.escape(html.escape(label))}".*?</form>', page, re.DOTALL
    )
    assert found, f"the page has no form {label!r}"
    return found[0]


def labels(page: str) -> list[str]:
    """Return the labels of all forms that change something."""
    forms = re.findall(r'<form method="post"[^>]*aria-label="([^"]+)"', page)
    return [html.unescape(label) for label in forms]


def notice(page: str) -> tuple[str, str]:
    """Return what a page tells of an action: ``done`` or ``failed``, and the text."""
    found = re.search(r'<p class="notice (\w+)" id="notice"[^>]*>(.*?)</p>', page, re.DOTALL)
    assert found, "the page shows no result"
    return found[1], html.unescape(found[2])


def text_of(page: str) -> str:
    """Return a page's text without its tags."""
    return " ".join(html.unescape(re.sub(r"<wbr>|<[^>]+>", " ", page.replace("<wbr>", ""))).split())


def _inputs(form: str) -> list[tuple[str, tuple[str, str]]]:
    found = []
    for tag in re.findall(r"<input [^>]+>", form):
        name = re.search(r'name="([^"]+)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name:
            found.append((name[1], (html.unescape(value[1]) if value else "", tag)))
    return found
