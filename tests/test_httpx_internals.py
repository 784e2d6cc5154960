"""Private attributes of httpx: their use works, and so does each fallback."""

from __future__ import annotations

from string import ascii_letters, digits
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_shop_async._internal import httpx_internals
from tiktok_shop_async.transport.sending import connect_errors_are_presend

PARTS = st.text(alphabet=ascii_letters + digits + "-._~ /%é&=", max_size=20)


@given(st.lists(PARTS, min_size=1, max_size=4), st.dictionaries(PARTS, PARTS, max_size=4))
def test_a_url_that_is_parsed_late_equals_one_that_is_parsed_at_once(
    segments: list[str], query: dict[str, str]
) -> None:
    base_url = httpx.URL("https://host.example:8443/base")
    path = "".join(f"/{quote(each, safe='')}" for each in segments)
    pairs = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in query.items())
    late = httpx_internals.encoded_url(base_url, f"{path}?{pairs}")
    parsed = httpx_internals._parsed(base_url, f"{path}?{pairs}")
    assert (late.scheme, late.host, late.port) == (parsed.scheme, parsed.host, parsed.port)
    assert late.params == parsed.params
    assert (str(late), late.path, late.query) == (str(parsed), parsed.path, parsed.query)


def test_with_this_httpx_urls_are_parsed_late() -> None:
    assert httpx_internals.encoded_url is httpx_internals._EncodedURL


def test_an_httpx_whose_urls_have_other_attributes_parses_them_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise AttributeError("_uri_reference")

    monkeypatch.setattr(httpx_internals._EncodedURL, "__getattr__", fail)
    assert not httpx_internals._can_delay_parsing()


async def test_a_client_whose_transports_cannot_be_found_is_not_trusted() -> None:
    async with httpx.AsyncClient() as client:
        assert connect_errors_are_presend(client)
        assert httpx_internals.direct_transport_chooser(client) is not None
    hidden: Any = SimpleNamespace(send=httpx.AsyncClient.send, event_hooks={})
    assert not connect_errors_are_presend(hidden)
    assert httpx_internals.transport_chooser(hidden) is None
    assert httpx_internals.direct_transport_chooser(hidden) is None


async def test_a_send_that_is_overridden_or_wrapped_is_not_bypassed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Own(httpx.AsyncClient):
        async def send(self, *arguments: object, **options: object) -> httpx.Response:
            return await super().send(*arguments, **options)  # type: ignore[arg-type]

    async with Own() as own, httpx.AsyncClient() as client:
        assert httpx_internals.direct_transport_chooser(own) is None
        original = httpx.AsyncClient.send

        async def traced(*arguments: object, **options: object) -> httpx.Response:
            return await original(*arguments, **options)  # type: ignore[arg-type]

        traced.__module__, traced.__wrapped__ = original.__module__, original  # type: ignore[attr-defined]
        monkeypatch.setattr(httpx.AsyncClient, "send", traced)
        assert httpx_internals.direct_transport_chooser(client) is None


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ReadTimeout, httpx.HTTPError])
def test_a_request_is_removed_from_an_error(kind: type[httpx.HTTPError]) -> None:
    bare = kind.__new__(kind)
    httpx_internals.forget_request(bare)
    with pytest.raises(RuntimeError):
        _ = bare.request
