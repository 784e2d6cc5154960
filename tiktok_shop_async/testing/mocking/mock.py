"""Mocked TikTok Shop: a respx router whose routes are the operations of the API."""

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
from .operation_server import OperationServer

try:
    from .router import ShopRouter, ShopTransport
except ImportError as error:
    raise ImportError(
        "MockTikTokShop requires more packages: pip install 'tiktok-shop-async[testing]'",
        name=error.name,
    ) from error

MOCK_APP_KEY = "mock-app-key"
MOCK_APP_SECRET = "mock-app-secret"  # noqa: S105 - not a real secret
MOCK_ACCESS_TOKEN = "mock-access-token"  # noqa: S105
MOCK_SHOP_CIPHER = "mock-shop-cipher"
MOCK_CATEGORY_ASSET_CIPHER = "mock-category-asset-cipher"


class MockTikTokShop:
    """A shop with stub responses: ``mock.return_refund.cancel_order.respond(data={...})``.

    As a context manager or decorator it replaces the network for all of httpx, as respx does. At
    the end it fails the test for unexpected calls, and for mocked operations that were not called.
    `transport` and `client` connect one client only.
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
        """Initialize a shop without stub responses.

        Args:
            app_secret: The secret that your client signs with.
            base_url: The address of the shop. Unless given, the shop accepts requests to the
                address of the service, and those that clients of this SDK send to any address.
            check_requests: Whether a request that the service would reject fails the test: a wrong
                signature, a missing token, a missing or unexpected cipher, a malformed query or
                body.
            check_responses: Whether a field of a stub response that the catalogue lacks is an
                error.
            assert_all_called: Whether a mocked operation or a route of `router` that was never
                called fails the test at the end of the block.
            patch_httpx: Whether the block replaces the network for all of httpx. Otherwise only
                `client` and `transport` connect to the shop.
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
        """The respx router; add routes for other services and other paths."""
        self.router.server = self._server
        self.transport = ShopTransport(self.router, self._server)
        """The transport for one client: ``AsyncTikTokShop(..., transport=mock.transport)``."""

    @property
    def app_secret(self) -> str:
        """The secret that requests must be signed with, for the settings of your code."""
        return self._server.app_secret

    @app_secret.setter
    def app_secret(self, value: str) -> None:
        self._server.app_secret = Secret(value).required("app_secret")

    def __getattr__(self, name: str) -> _MockGroup:
        if name not in GROUPS:
            raise AttributeError(
                f"MockTikTokShop has no group {name!r}.{did_you_mean(name, GROUPS)}"
            )
        return self._groups.setdefault(name, _MockGroup(name, self._server))

    def client(self, **options: Any) -> AsyncTikTokShop:
        """Return a client of this shop with mock credentials; ``options`` take precedence.

        It retries calls like any client, but without waiting.
        """
        defaults: dict[str, Any] = {
            "app_key": MOCK_APP_KEY,
            "app_secret": self.app_secret,
            "transport": self.transport,
            "sleep": _skip_sleep,
        }
        if self._base_url is not None:
            defaults["base_url"] = self._base_url
        if "auth" not in options:
            defaults |= {
                "access_token": MOCK_ACCESS_TOKEN,
                "shop_cipher": MOCK_SHOP_CIPHER,
                "category_asset_cipher": MOCK_CATEGORY_ASSET_CIPHER,
            }
        return AsyncTikTokShop(**(defaults | options))

    def assert_all_called(self) -> None:
        """Fail if a mocked operation, or a route of `router`, was never called."""
        uncalled = [
            *self._server.uncalled(),
            *(repr(route) for route in self.router.routes if not route.called),
        ]
        if uncalled:
            raise AssertionError(f"mocked, but never called: {', '.join(uncalled)}")

    def assert_all_mocked(self) -> None:
        """Raise the first `UnexpectedRequestError`, even if the code under test caught it."""
        if self._server.unexpected:
            raise self._server.unexpected[0]

    def reset(self) -> None:
        """Remove the responses and calls of all operations; `router` keeps its routes."""
        self._server.reset()

    def __enter__(self) -> Self:
        if self._server.in_block:
            raise RuntimeError(
                "this MockTikTokShop is already in use: its block must end before it is entered "
                "again. For nested blocks, create another MockTikTokShop."
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
        """Decorate a function to run in this shop, passed as ``mock`` if it has this parameter."""
        if not _is_decoratable(function):
            raise TypeError(
                f"MockTikTokShop decorates functions and coroutine functions, not {function!r}: "
                "use `with MockTikTokShop() as mock:` inside of it."
            )
        signature = inspect.signature(function)
        added = {"mock": self} if "mock" in signature.parameters else {}

        def run(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **(kwargs | added))

        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **(kwargs | added))

        is_async = inspect.iscoroutinefunction(function)
        decorated: Any = functools.wraps(function)(run_async if is_async else run)
        # Without the parameter, or pytest looks for a fixture called mock.
        parameters = [each for each in signature.parameters.values() if each.name != "mock"]
        decorated.__signature__ = signature.replace(parameters=parameters)
        return cast("Callable[..., Any]", decorated)


async def _skip_sleep(_: float) -> None:
    """Return without waiting."""


def _is_decoratable(function: object) -> bool:
    """Return whether a function runs as long as its call.

    A generator runs later. A decorated class would be a function, whose tests pytest ignores.
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
