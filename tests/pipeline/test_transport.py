"""Transport failures become this package's errors, which tell whether anything was sent."""

from __future__ import annotations

import httpx
import pytest
from support import FakeShop, new_client

from tiktok_shop_async import (
    AsyncTikTokShop,
    ConnectError,
    OutcomeUnknownError,
    RequestTimeoutError,
    TikTokShopError,
    TransportError,
)

PROTOCOL_ERRORS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)


def subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def new_error(kind: type[Exception]) -> Exception:
    if issubclass(kind, httpx.HTTPStatusError):
        request = httpx.Request("GET", "https://shop.example")
        return kind("broken", request=request, response=httpx.Response(500))
    if issubclass(kind, httpx.StreamError) and kind is not httpx.StreamError:
        return kind()
    return kind("broken")


@pytest.mark.parametrize(
    "kind",
    sorted(
        subclasses(httpx.HTTPError) | subclasses(httpx.StreamError) | {httpx.InvalidURL},
        key=lambda kind: kind.__name__,
    ),
)
async def test_no_httpx_exception_escapes(
    client: AsyncTikTokShop, shop: FakeShop, kind: type[Exception]
) -> None:
    shop.fail(new_error(kind))
    for call in (
        client.order.get_order_detail(ids=["1"]),
        client.return_refund.cancel_order(order_id="1", cancel_reason="x"),
    ):
        with pytest.raises(TikTokShopError) as caught:
            await call
        assert caught.value.operation in ("order.get_order_detail", "return_refund.cancel_order")
        ours: BaseException = caught.value
        while isinstance(ours.__cause__, TikTokShopError):
            ours = ours.__cause__
        # Errors about the request itself quote it, so they are not chained.
        assert (ours.__cause__ is None) == issubclass(kind, PROTOCOL_ERRORS)
        assert ours.__context__ is None
        assert ours.__suppress_context__


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (httpx.ConnectError("refused"), ConnectError),
        (httpx.ProxyError("407"), ConnectError),
        (httpx.ConnectTimeout("slow"), RequestTimeoutError),
        (httpx.PoolTimeout("full"), RequestTimeoutError),
    ],
)
async def test_a_write_that_was_never_sent_did_not_happen(
    client: AsyncTikTokShop, shop: FakeShop, failure: Exception, error: type[TransportError]
) -> None:
    shop.fail(failure)
    with pytest.raises(error) as caught:
        await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    assert not caught.value.maybe_sent


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (httpx.ReadTimeout("slow"), RequestTimeoutError),
        (httpx.WriteTimeout("slow"), RequestTimeoutError),
        (httpx.ReadError("reset"), TransportError),
        (httpx.WriteError("reset"), TransportError),
        (httpx.RemoteProtocolError("half an answer"), TransportError),
    ],
)
async def test_a_write_that_may_have_been_sent_has_an_unknown_outcome(
    client: AsyncTikTokShop, shop: FakeShop, failure: Exception, cause: type[TransportError]
) -> None:
    shop.fail(failure)
    with pytest.raises(OutcomeUnknownError) as caught:
        await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    assert type(caught.value.__cause__) is cause


async def test_a_transport_we_do_not_know_is_not_trusted_about_connect_errors(
    shop: FakeShop,
) -> None:
    shop.fail(httpx.ConnectError("disconnected, perhaps after sending"))
    async with new_client(transport=shop) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
        with pytest.raises(ConnectError):
            await client.order.get_order_detail(ids=["1"])


async def test_a_borrowed_client_is_judged_by_its_own_transport(shop: FakeShop) -> None:
    shop.fail(httpx.ConnectError("refused"))
    known = httpx.AsyncClient(transport=httpx.MockTransport(shop.handle_async_request))
    unknown = httpx.AsyncClient(transport=shop)
    async with known, unknown:
        with pytest.raises(ConnectError):
            await new_client(http_client=known).return_refund.cancel_order(
                order_id="1", cancel_reason="x"
            )
        with pytest.raises(OutcomeUnknownError):
            await new_client(http_client=unknown).return_refund.cancel_order(
                order_id="1", cancel_reason="x"
            )


async def test_redirects_are_not_followed(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer_raw(b"", 307, location="https://elsewhere.example/")
    with pytest.raises(TikTokShopError, match="redirect"):
        await client.order.get_order_detail(ids=["1"])
    assert len(shop.requests) == 1


async def test_causes_are_chained_as_copies_without_request_and_frames(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    """Their types, texts and numbers stay, so that programs can go on looking at them."""
    refused = ConnectionRefusedError(111, "refused")

    def fail(request: httpx.Request) -> httpx.Response:
        try:
            raise ExceptionGroup("all addresses failed", [refused]) from refused
        except ExceptionGroup as group:
            raise httpx.ConnectError("no address", request=request) from group

    shop.answers.append(fail)
    with pytest.raises(ConnectError) as caught:
        await client.order.get_order_detail(ids=["1"])
    first = caught.value.__cause__
    assert type(first) is httpx.ConnectError
    assert str(first) == "no address"
    assert first.__traceback__ is None
    with pytest.raises(RuntimeError, match="request"):
        _ = first.request
    second = first.__cause__
    assert second is not None
    assert "all addresses failed" in str(second)
    assert second.__cause__ is refused
    assert refused.errno == 111
