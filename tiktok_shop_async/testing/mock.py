"""A mocked TikTok Shop: a respx router whose routes are the operations of the API."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, cast

import httpx

from ..client import AsyncTikTokShop
from ..errors import InvalidArgumentError, TikTokShopError
from ..pipeline.delivery import delivery_of
from ..pipeline.operation import Operation
from ..resources._groups import GROUPS
from ..resources._lookup import did_you_mean, operation, operation_at, version_in
from ..verification import SignatureVerifier
from .arguments import read_arguments
from .operation import MockCall, MockOperation, UnexpectedRequestError

try:
    import respx
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

_CIPHERS = ("shop_cipher", "category_asset_cipher")


class MockTikTokShop:
    """Answers as told: ``mock.return_refund.cancel_order.respond(data={...})``.

    As a context manager or decorator it takes the place of the network for all of httpx, as respx
    does; `transport` and `client` do so for one client, without touching any other.
    """

    def __init__(
        self,
        *,
        app_secret: str = MOCK_APP_SECRET,
        check_requests: bool = True,
        assert_all_called: bool = True,
    ) -> None:
        """Make a shop in which nothing is mocked yet.

        Args:
            app_secret: The one that your client signs with.
            check_requests: Whether a wrong signature, a missing token, or a missing or unwanted
                cipher fails the test, as the service would refuse it.
            assert_all_called: Whether a mocked operation that was never called fails the test at
                the end of the block.
        """
        self.app_secret = app_secret
        """What requests must be signed with; the environment or settings of your code need it."""
        self._check_requests = check_requests
        self._assert_all_called = assert_all_called
        self._groups: dict[str, _MockGroup] = {}
        self._unexpected: list[UnexpectedRequestError] = []
        self.router = respx.MockRouter(assert_all_called=False)
        """The respx router: add routes to it for what is no operation, as of other services."""
        self.router.route().mock(side_effect=self._answer)
        self.transport = httpx.MockTransport(self.router.async_handler)
        """For one client: ``AsyncTikTokShop(..., transport=mock.transport)``."""

    def __getattr__(self, name: str) -> _MockGroup:
        if name not in GROUPS:
            raise AttributeError(f"there is no group {name!r}.{did_you_mean(name, GROUPS)}")
        return self._groups.setdefault(name, _MockGroup(name))

    def client(self, **options: Any) -> AsyncTikTokShop:
        """Return a client of this shop, with credentials that need not be given; options win.

        It repeats calls as any client does, but does not wait before.
        """
        known: dict[str, Any] = {
            "app_key": MOCK_APP_KEY,
            "app_secret": self.app_secret,
            "transport": self.transport,
            "sleep": _at_once,
        }
        if "auth" not in options:
            known |= {
                "access_token": MOCK_ACCESS_TOKEN,
                "shop_cipher": MOCK_SHOP_CIPHER,
                "category_asset_cipher": MOCK_CATEGORY_ASSET_CIPHER,
            }
        return AsyncTikTokShop(**(known | options))

    def assert_all_called(self) -> None:
        """Fail if a mocked operation was never called."""
        idle = [
            f"{name}.{each}"
            for name, group in self._groups.items()
            for each, mocked in group.operations.items()
            if mocked.is_mocked and not mocked.called
        ]
        if idle:
            raise AssertionError(f"mocked, but never called: {', '.join(idle)}")

    def reset(self) -> None:
        """Forget all answers and calls."""
        self._groups.clear()
        self._unexpected.clear()

    def __enter__(self) -> Self:
        self.router.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.router.__exit__(exc_type, exc_value, traceback)
        if exc_type is not None:
            return
        if self._unexpected:  # the code under test kept it to itself
            raise self._unexpected[0]
        if self._assert_all_called:
            self.assert_all_called()

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
        signature = inspect.signature(function)
        wanted = "mock" in signature.parameters

        def given(arguments: dict[str, Any]) -> dict[str, Any]:
            return {**arguments, "mock": self} if wanted else arguments

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.reset()
            with self:
                return function(*args, **given(kwargs))

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            self.reset()
            with self:
                return await function(*args, **given(kwargs))

        made: Any = awaited if inspect.iscoroutinefunction(function) else wrapped
        # pytest would look for a fixture called mock.
        parameters = [each for each in signature.parameters.values() if each.name != "mock"]
        made.__signature__ = signature.replace(parameters=parameters)
        return cast("Callable[..., Any]", made)

    async def _answer(self, request: httpx.Request) -> httpx.Response | None:
        called = operation_at(request.method, request.url.path)
        try:
            if called is not None:
                return await self._answer_call(called, request)
            if len(self.router.routes) > 1:
                return None  # respx tries its next route
            raise UnexpectedRequestError(
                f"{request.method} {request.url.path} is no operation of the API, in no version: "
                "mock.router takes routes for what else is called."
            )
        except UnexpectedRequestError as error:
            self._unexpected.append(error)
            raise
        except (httpx.HTTPError, TikTokShopError):
            raise  # what the test wants the call to meet
        except Exception:
            # A mistake of the test, to be shown as it is: no write was processed.
            delivery_of(request).maybe_sent = False
            raise

    async def _answer_call(self, called: Operation, request: httpx.Request) -> httpx.Response:
        group, _, name = called.id.partition(".")
        mocked: MockOperation = getattr(getattr(self, group), name)
        if not mocked.is_mocked:
            raise UnexpectedRequestError(
                f"{called.id} was called, and is not mocked: mock.{called.id}.respond(...)"
            )
        await request.aread()
        call = MockCall(
            arguments=read_arguments(called, request),
            version=version_in(request.url.path),
            request=request,
        )
        mocked.calls.append(call)
        if self._check_requests:
            self._check(called, request)
        return await mocked.answer(call)

    def _check(self, called: Operation, request: httpx.Request) -> None:
        """Fail for the first thing that the service would refuse, in the sandbox's order."""
        params = request.url.params
        form = request.headers.get("content-type", "").startswith("multipart/")
        signed = SignatureVerifier(self.app_secret).fits(
            params.get("sign", ""),
            request.url.path,
            params.multi_items(),
            b"" if form else request.content,
        )
        badly_signed = (
            "its signature is wrong. Is the app_secret of your client the mock's? Give yours as "
            "MockTikTokShop(app_secret=...), or take mock.app_secret"
        )
        faults = [
            (36009004, "it has no access token", not request.headers.get("x-tts-access-token")),
            (106001, badly_signed, not signed),
        ]
        faults += [
            (36009004, f"it must not have the {cipher}", cipher in params)
            for cipher in _CIPHERS
            if cipher != called.cipher
        ]
        if called.cipher:
            missing = not params.get(called.cipher)
            faults.append((106013, f"it lacks the {called.cipher}", missing))
        for code, fault, there in faults:
            if there:
                raise UnexpectedRequestError(
                    f"{called.id}: the service would refuse it with {code}, {fault}.", code=code
                )


async def _at_once(_: float) -> None:
    """Wait no time."""


class _MockGroup:
    """The mocked operations of one group, by their names."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.operations: dict[str, MockOperation] = {}

    def __getattr__(self, name: str) -> MockOperation:
        if name not in self.operations:
            try:
                found = operation(f"{self._name}.{name}")
            except InvalidArgumentError as error:
                raise AttributeError(str(error)) from None
            self.operations[name] = MockOperation(found)
        return self.operations[name]
