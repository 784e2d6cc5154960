"""The sandbox on a real port, through the SDK and as a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter

import pytest

import tiktok_shop_async.sandbox.__main__ as command
from tiktok_shop_async import (
    AccessTokenExpiredError,
    AsyncTikTokShop,
    OutcomeUnknownError,
    SignatureError,
    TikTokAPIError,
)
from tiktok_shop_async.sandbox import DEMO_EXPIRED_TOKEN, Sandbox, create_app, run_sandbox
from tiktok_shop_async.sandbox.server import base_url, listening, server_config
from tiktok_shop_async.transport.connection_stack import KEEPALIVE_EXPIRY

PAID = "seller_cancel_reason_out_of_stock"


def client_of(sandbox: Sandbox, **arguments: str) -> AsyncTikTokShop:
    credentials = {
        "app_key": sandbox.app_key,
        "app_secret": sandbox.app_secret,
        "access_token": sandbox.access_token,
        "shop_cipher": sandbox.shop_cipher,
        "base_url": sandbox.base_url,
        **arguments,
    }
    return AsyncTikTokShop(**credentials)  # type: ignore[arg-type]


async def test_orders_are_listed_cancelled_and_read_back_through_the_sdk() -> None:
    """The main job, over real HTTP."""
    async with run_sandbox(orders=120, seed=2, pending_share=0.0) as sandbox:
        async with client_of(sandbox) as client:
            pager = client.order.get_order_list(page_size=25, order_status="AWAITING_SHIPMENT")
            ids = [order.id async for order in pager if order.id]
            answers = await asyncio.gather(
                *(
                    client.return_refund.cancel_order(order_id=order_id, cancel_reason=PAID)
                    for order_id in ids
                )
            )
            details = await client.order.get_order_detail(ids=ids[:50])
        assert {answer.data.cancel_status for answer in answers} == {"CANCELLATION_REQUEST_SUCCESS"}
        assert {order.status for order in details.data.orders} == {"CANCELLED"}
        assert not answers[0].issues
        assert not details.issues
        assert Counter(sandbox.shop.times_cancelled.values()).keys() == {0, 1}
        assert len(sandbox.shop.cancellations.by_id) >= len(ids)


async def test_refusals_become_the_sdks_errors() -> None:
    async with run_sandbox(orders=20) as sandbox:
        async with client_of(sandbox, app_secret="wrong") as client:
            with pytest.raises(SignatureError):
                await client.authorization.get_authorized_shops()
        async with client_of(sandbox, access_token=DEMO_EXPIRED_TOKEN) as client:
            with pytest.raises(AccessTokenExpiredError):
                await client.authorization.get_authorized_shops()
        async with client_of(sandbox) as client:
            with pytest.raises(TikTokAPIError, match="does not exist") as caught:
                await client.return_refund.get_aftersale_eligibility(order_id="1")
            assert caught.value.code == 25001002


async def test_an_answer_held_back_comes_after_the_effect() -> None:
    """A client that gives up meanwhile must not believe that nothing happened."""
    async with run_sandbox(orders=50, latency=lambda: 0.5) as sandbox:
        order = next(o for o in sandbox.shop.orders.values() if o.status == "AWAITING_SHIPMENT")
        async with AsyncTikTokShop(
            sandbox.app_key,
            sandbox.app_secret,
            access_token=sandbox.access_token,
            shop_cipher=sandbox.shop_cipher,
            base_url=sandbox.base_url,
            timeout=0.1,
        ) as client:
            with pytest.raises(OutcomeUnknownError):
                await client.return_refund.cancel_order(order_id=order.id, cancel_reason=PAID)
        assert len(order.cancellations) == 1


async def test_a_picture_is_uploaded_through_the_sdk() -> None:
    async with run_sandbox(orders=0) as sandbox, client_of(sandbox) as client:
        response = await client.product.upload_product_image(
            data=b"\xff\xd8\xff a picture", use_case="MAIN_IMAGE"
        )
        assert response.data.uri


async def test_an_embedded_sandbox_leaves_no_trace() -> None:
    """No task, no signal handler, no listening port."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    tasks = asyncio.all_tasks()
    async with run_sandbox(orders=1) as sandbox:
        inside = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        assert inside == handlers
        assert sandbox.app_secret not in repr(sandbox)
        assert sandbox.access_token not in repr(sandbox)
    assert asyncio.all_tasks() == tasks
    host, _, port = sandbox.base_url.removeprefix("http://").partition(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


async def test_several_sandboxes_run_side_by_side() -> None:
    """Each has its own orders."""
    async with run_sandbox(orders=3) as one, run_sandbox(orders=5) as other:
        assert one.base_url != other.base_url
        for sandbox, count in ((one, 3), (other, 5)):
            async with client_of(sandbox) as client:
                page = await client.order.get_order_list(page_size=10)
                assert page.data.total_count == count


def test_idle_connections_are_kept_for_longer_than_clients_keep_them() -> None:
    """A call on one that ends meanwhile would have an unknown outcome."""
    assert server_config(create_app()).timeout_keep_alive > KEEPALIVE_EXPIRY


async def test_a_port_that_is_taken_is_an_error_at_once() -> None:
    with listening() as listener, pytest.raises(OSError, match="in use"):
        async with run_sandbox(port=listener.getsockname()[1]):
            raise AssertionError


async def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block is not entered, and the port is free again."""

    async def no_startup(self: object, sockets: object) -> None:
        raise OSError("no luck")

    monkeypatch.setattr("uvicorn.Server.startup", no_startup)
    with pytest.raises(OSError, match="no luck"):
        async with run_sandbox(orders=0):
            raise AssertionError


def test_an_ipv6_address_is_written_with_brackets() -> None:
    try:
        with listening(host="::1") as listener:
            assert base_url(listener).startswith("http://[::1]:")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


def test_the_command_prints_how_to_call_the_shop_and_stops_on_ctrl_c() -> None:
    """Its lines are those that ``AsyncTikTokShop.from_env()`` reads."""
    arguments = [sys.executable, "-m", "tiktok_shop_async.sandbox", "--port", "0", "--orders", "7"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        settings = itertools.takewhile(lambda line: line.startswith("export "), lines)
        environment = dict(line.split()[1].split("=", 1) for line in settings)

        async def count() -> int | None:
            client = AsyncTikTokShop.from_env(
                base_url=environment["TIKTOK_BASE_URL"],
                app_key=environment["TIKTOK_APP_KEY"],
                app_secret=environment["TIKTOK_APP_SECRET"],
                access_token=environment["TIKTOK_ACCESS_TOKEN"],
                shop_cipher=environment["TIKTOK_SHOP_CIPHER"],
            )
            async with client:
                return (await client.order.get_order_list(page_size=1)).data.total_count

        assert asyncio.run(count()) == 7
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


def test_the_command_serves_what_its_options_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, with the server's loop left out."""
    served: list[socket.socket] = []
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: served.extend(sockets))
    command.main(["--orders", "3"])
    printed = capsys.readouterr().out
    assert "Serving 3 orders" in printed
    assert "export TIKTOK_BASE_URL=http://127.0.0.1:" in printed
    assert "/_sandbox/" in printed
    assert len(served) == 1


def test_without_its_packages_the_sandbox_names_the_extra() -> None:
    code = (
        "import sys, json\n"
        "sys.modules['starlette'] = None\n"
        "try:\n"
        "    import tiktok_shop_async.sandbox\n"
        "except ImportError as error:\n"
        "    print(json.dumps(str(error)))\n"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert "tiktok-shop-async[sandbox]" in json.loads(done.stdout)
