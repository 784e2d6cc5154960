"""A mocked TikTok Shop: a respx router whose routes are the operations of the API."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, cast

import httpx

from ..._internal.argument_checks import check_bool
from ..._internal.secret import Secret
from ...client import AsyncTikTokShop
from ...client_options import checked_base_url
from ...errors import InvalidArgumentError
from ...registry import did_you_mean
from ...resources._groups import GROUPS
from .mock_operation import MockOperation
from .serving import OperationServer

try:
    from .router import ShopRouter, ShopTransport
except ImportError as error:
    raise ImportError(
        "the test kit needs further packages: pip install 'tiktok-shop-async[testing]'",
        name=error.name,
    ) from error

MOCK_APP_KEY = "mock-app-key"
MOCK_APP_SECRET = "mock-app-secret"  # noqa: S105 - of no use anywhere else
MOCK_ACCESS_TOKEN = "mock-access-token"  # noqa: S105
MOCK_SHOP_CIPHER = "mock-shop-cipher"
MOCK_CATEGORY_ASSET_CIPHER = "mock-category-asset-cipher"


class MockTikTokShop:
    """Responds as a test says: ``mock.return_refund.cancel_order.respond(data={...})``.

    As a context manager or decorator it replaces the network for all of httpx, as respx does, and
    fails the test at its end for calls that were not expected or not made; `transport` and `client`
    lead to it from one client.
    """

    # Without a __dict__, so that a misspelt attribute cannot be set.
    __slots__ = (
        "__weakref__",
        "_assert_all_called",
        "_base_url",
        "_groups",
        "_server",
        "router",
        "transport",
    )

    def __init__(
        self,
        *,
        app_secret: str = MOCK_APP_SECRET,
        base_url: str | None = None,
        check_requests: bool = True,
        check_responses: bool = True,
        assert_all_called: bool = True,
        patch_httpx: bool = True,
    ) -> None:
        """Make a shop in which nothing is mocked yet.

        Args:
            app_secret: The secret that your client signs with.
            base_url: The address of the shop. Unless given, the shop takes what goes to the address
                of the service, and what clients of this SDK send to any other.
            check_requests: Whether a request that the service would reject fails the test: a wrong
                signature, a missing token, a missing or unwanted cipher, a malformed query or body.
            check_responses: Whether a field of a stub response that the catalogue does not have is
                an error.
            assert_all_called: Whether a mocked operation or a route of `router` that was never
                called fails the test at the end of the block.
            patch_httpx: Whether the block replaces the network for all of httpx. Otherwise only
                `client` and `transport` lead to the shop.
        """
        for name, value in {
            "check_requests": check_requests,
            "check_responses": check_responses,
            "assert_all_called": assert_all_called,
            "patch_httpx": patch_httpx,
        }.items():
            check_bool(value, name)
        self._assert_all_called = assert_all_called
        self._base_url = None if base_url is None else checked_base_url(base_url)
        self._groups: dict[str, _MockGroup] = {}
        self._server = OperationServer(
            app_secret=Secret(app_secret).required("app_secret"),
            base_url=None if self._base_url is None else httpx.URL(self._base_url),
            check_requests=check_requests,
            check_responses=check_responses,
        )
        using: dict[str, Any] = {} if patch_httpx else {"using": None}
        self.router = ShopRouter(assert_all_called=False, **using)
        """The respx router: add routes to it for other services and other paths."""
        self.router.server = self._server
        self.transport = ShopTransport(self.router, self._server)
        """For one client: ``AsyncTikTokShop(..., transport=mock.transport)``."""

    @property
    def app_secret(self) -> str:
        """The secret that requests must be signed with; your code's settings need it."""
        return self._server.app_secret

    @app_secret.setter
    def app_secret(self, value: str) -> None:
        self._server.app_secret = Secret(value).required("app_secret")

    def __getattr__(self, name: str) -> _MockGroup:
        if name not in GROUPS:
            raise AttributeError(f"there is no group {name!r}.{did_you_mean(name, GROUPS)}")
        return self._groups.setdefault(name, _MockGroup(name, self._server))

    def client(self, **options: Any) -> AsyncTikTokShop:
        """Return a client of this shop, with credentials that need not be given; options win.

        It retries calls as any client does, but does not wait before.
        """
        known: dict[str, Any] = {
            "app_key": MOCK_APP_KEY,
            "app_secret": self.app_secret,
            "transport": self.transport,
            "sleep": _at_once,
        }
        if self._base_url is not None:
            known["base_url"] = self._base_url
        if "auth" not in options:
            known |= {
                "access_token": MOCK_ACCESS_TOKEN,
                "shop_cipher": MOCK_SHOP_CIPHER,
                "category_asset_cipher": MOCK_CATEGORY_ASSET_CIPHER,
            }
        return AsyncTikTokShop(**(known | options))

    def assert_all_called(self) -> None:
        """Fail if a mocked operation, or a route of `router`, was never called."""
        idle = [
            *self._server.idle(),
            *(repr(route) for route in self.router.routes if not route.called),
        ]
        if idle:
            raise AssertionError(f"mocked, but never called: {', '.join(idle)}")

    def assert_all_mocked(self) -> None:
        """Raise the first `UnexpectedRequestError`, also if the code under test caught it."""
        if self._server.unexpected:
            raise self._server.unexpected[0]

    def reset(self) -> None:
        """Remove the responses and calls of all operations; `router` keeps its routes."""
        self._server.reset()

    def __enter__(self) -> Self:
        if self._server.in_block:
            raise RuntimeError(
                "this MockTikTokShop is in use: its block must end before it is entered again. "
                "For a block within a block, make another MockTikTokShop."
            )
        self._server.enter_block()
        self.router.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if exc_type is None:
                self.assert_all_mocked()
                if self._assert_all_called:
                    self.assert_all_called()
        finally:
            self._server.leave_block()
            self.router.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc_value, traceback)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Run ``function`` in this shop, which it gets as ``mock`` if it has such a parameter."""
        if not _is_decoratable(function):
            raise TypeError(
                f"MockTikTokShop decorates functions and coroutine functions, not {function!r}: "
                "write a block, `with MockTikTokShop() as mock:`, inside of it."
            )
        signature = inspect.signature(function)
        wanted = "mock" in signature.parameters

        def given(arguments: dict[str, Any]) -> dict[str, Any]:
            return {**arguments, "mock": self} if wanted else arguments

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **given(kwargs))

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **given(kwargs))

        made: Any = awaited if inspect.iscoroutinefunction(function) else wrapped
        # pytest would look for a fixture called mock.
        parameters = [each for each in signature.parameters.values() if each.name != "mock"]
        made.__signature__ = signature.replace(parameters=parameters)
        return cast("Callable[..., Any]", made)


async def _at_once(_: float) -> None:
    """Wait no time."""


def _is_decoratable(function: object) -> bool:
    """Whether a block around the call of a function lasts as long as the function runs.

    A generator runs later; a decorated class would be a function, whose tests pytest ignores.
    """
    return (
        callable(function)
        and not inspect.isclass(function)
        and not inspect.isgeneratorfunction(function)
        and not inspect.isasyncgenfunction(function)
    )


class _MockGroup:
    """The mocked operations of one group, by their names."""

    __slots__ = ("_name", "_server")

    def __init__(self, name: str, server: OperationServer) -> None:
        self._name = name
        self._server = server

    def __getattr__(self, name: str) -> MockOperation:
        try:
            return self._server.operation(f"{self._name}.{name}")
        except InvalidArgumentError as error:
            raise AttributeError(str(error)) from None
