"""The client: its lifetime, its shared connections, and views for single shops."""

from __future__ import annotations

import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import httpx

from ._internal.clock import Clock, TimeSource, clock_of
from ._internal.closing import ClosedOnExit, warn_unclosed
from ._internal.secret import Secret
from ._internal.threads import in_thread
from ._internal.unpicklable import Unpicklable
from .client_arguments import (
    HiddenArguments,
    check_auth,
    check_parts,
    check_versions,
    checked_observers,
    checked_shop_name,
    reject_combinations,
)
from .client_options import (
    DEFAULT_BASE_URL,
    DEFAULT_MAX_RESPONSE_BYTES,
    DEFAULT_TIMEOUT,
    ClientOptions,
    from_environment,
)
from .errors import InvalidArgumentError
from .pipeline.session import Session
from .resources._groups import ResourceGroups
from .transport.connection_stack import new_transport
from .transport.environment import check_network_settings

if TYPE_CHECKING:
    from .auth import AuthState
    from .events import Observer
    from .options import RequestOptions, Timeout
    from .pipeline.admission.limiter import Limiter
    from .pipeline.arguments.files import FileInput
    from .pipeline.retry import RetryPolicy
    from .response import APIResponse


class AsyncTikTokShop(ClosedOnExit, Unpicklable, ResourceGroups):
    """A client for TikTok Shop's Open API, for all operations, shops and tasks of an event loop.

    The groups of operations are attributes: ``await client.order.get_order_detail(ids=[…])``.
    Use it as an async context manager, or call `aclose` when done.
    """

    def __init__(
        self,
        app_key: str,
        app_secret: str,
        *,
        access_token: str | None = None,
        shop_cipher: str | None = None,
        category_asset_cipher: str | None = None,
        auth: AuthState | None = None,
        http_client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        base_url: str = DEFAULT_BASE_URL,
        timeout: Timeout | None = DEFAULT_TIMEOUT,
        deadline: float | None = None,
        max_retries: int = 2,
        retry_policy: RetryPolicy | None = None,
        limiter: Limiter | None = None,
        max_in_flight: int = 100,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        api_versions: Mapping[str, str] | None = None,
        proxy: str | httpx.Proxy | None = None,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        observers: Sequence[Observer] = (),
        clock: TimeSource = time.time,
        sleep: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        """Create a client; it connects with the first call.

        Args:
            access_token: Initial value of the auth state, like the two ciphers; not with ``auth``.
            auth: An auth state to share with other clients.
            http_client: Borrowed and never closed; its own limits, proxies and hooks apply. Unlike
                our connections, httpx keeps bytes that follow a response and reads them as the
                response to the next request on that connection. To prevent that, create it with
                ``httpx.Limits(max_keepalive_connections=0)``.
            transport: Sends requests in place of our connections; closed with the client.
            timeout: Seconds for each of connecting, sending and waiting for bytes; None waits
                without limit. A borrowed ``http_client`` keeps its own timeout unless one is given.
            deadline: Seconds that a whole call may take, including all attempts and waits.
            max_retries: The most retries of one call, where a retry is safe; 0 disables them.
            retry_policy: Decides when to retry; `ExponentialBackoff` by default.
            limiter: A rate limiter such as `LearningLimiter`; clients can share one.
            max_in_flight: The most calls that run at once; the rest queue before any work is done.
            max_response_bytes: The largest accepted response, before and after decompression.
            api_versions: Version by operation, ``{"return_refund.cancel_order": "202309"}``.
            proxy: A proxy as httpx accepts it; the environment's proxies by default.
            verify: False disables certificate checks.
            trust_env: Whether to use proxies and certificates from the environment.
            observers: Called with call, attempt and wait events; see `events`.
            clock: A `Clock`, or a function that returns Unix seconds.
            sleep: Waits before a retry in place of the clock; tests can pass one that does not.
        """
        secret = Secret(app_secret)
        credentials = {
            "access_token": Secret(access_token),
            "shop_cipher": Secret(shop_cipher),
            "category_asset_cipher": Secret(category_asset_cipher),
        }
        del app_secret, access_token, shop_cipher, category_asset_cipher  # tracebacks show locals
        given = [name for name, each in credentials.items() if each.is_given]
        reject_combinations("auth", auth, **dict.fromkeys(given, True))
        reject_combinations("http_client", http_client, transport=transport, proxy=proxy)
        reject_combinations("transport", transport, proxy=proxy)
        check_parts(
            http_client=http_client,
            transport=transport,
            retry_policy=retry_policy,
            limiter=limiter,
            clock=clock,
            sleep=sleep,
        )
        observers = checked_observers(observers)
        check_network_settings(verify, trust_env)
        check_auth(auth)
        options = ClientOptions(
            app_key=app_key,
            app_secret=secret,
            base_url=base_url,
            timeout=timeout,
            deadline=deadline,
            max_retries=max_retries,
            max_in_flight=max_in_flight,
            max_response_bytes=max_response_bytes,
            api_versions=api_versions,
            is_borrowed=http_client is not None,
        )
        if api_versions:
            check_versions(api_versions)
        self._given_auth: AuthState | dict[str, Any] = auth or {
            name: each.optional(name) for name, each in credentials.items()
        }
        self._owns_http_client = http_client is None
        if http_client is None:
            if transport is None:
                transport = new_transport(
                    options.base_url, proxy=proxy, verify=verify, trust_env=trust_env
                )
            http_client = httpx.AsyncClient(transport=transport)
        self._is_view = False
        self._session = Session(
            http_client,
            options,
            clock=clock_of(clock, sleep),
            retry_policy=retry_policy,
            limiter=limiter,
            observers=observers,
        )

    @classmethod
    def from_env(cls, **arguments: Any) -> Self:
        """Create a client from ``TIKTOK_APP_KEY``, ``TIKTOK_APP_SECRET`` and other variables.

        Also read: ``TIKTOK_ACCESS_TOKEN`` (or ``TIKTOK_APP_ACCESS_KEY``), ``TIKTOK_SHOP_CIPHER``,
        ``TIKTOK_BASE_URL``. Arguments passed here take precedence.
        """
        names, given = frozenset(arguments), HiddenArguments(arguments)
        del arguments  # tracebacks can show local variables
        return cls(**HiddenArguments({**from_environment(skip=names), **given}))

    @cached_property
    def _auth(self) -> AuthState:
        # Importing attrs takes longer than the rest, and a program may start without it.
        from .auth import AuthState

        given = self._given_auth
        return given if isinstance(given, AuthState) else AuthState(**given)

    @property
    def auth(self) -> AuthState:
        """The auth state in use; its attributes can be set at any time."""
        return self._auth

    @property
    def app_key(self) -> str:
        """The key of the app that signs the calls."""
        return self._session.options.app_key

    @property
    def base_url(self) -> str:
        """The URL of the service, without a trailing slash."""
        return self._session.options.base_url

    @property
    def clock(self) -> Clock:
        """The clock that timestamps, durations and waits come from."""
        return self._session.clock

    def check_usable(self) -> None:
        """Raise `ClientClosedError` unless calls can be made from here and now."""
        self._session.check_usable()

    def for_shop(
        self,
        *,
        shop_cipher: str | None = None,
        shop_id: str | None = None,
        shop_code: str | None = None,
        access_token: str | None = None,
        auth: AuthState | None = None,
    ) -> Self:
        """Return a view with its own auth state, over the same connections.

        Without a token or state of its own, the view uses this client's access token. A view
        needs no closing, and stops working when its client is closed.

        Args:
            shop_cipher: The cipher that `authorization.get_authorized_shops` returns for the shop.
            shop_id: The id of the shop. Its cipher is looked up with the first call that needs it,
                and kept in the store of the authorization if there is one.
            shop_code: The code by which the seller knows the shop; looked up like an id.
            access_token: The token of another authorization.
            auth: The state of another authorization; can be combined with ``shop_id`` or
                ``shop_code``.
        """
        cipher, token = Secret(shop_cipher), Secret(access_token)
        del shop_cipher, access_token  # tracebacks can show local variables
        has_cipher, has_token = cipher.is_given or None, token.is_given or None
        reject_combinations("auth", auth, shop_cipher=has_cipher, access_token=has_token)
        reject_combinations("shop_id", shop_id, shop_cipher=has_cipher, shop_code=shop_code)
        reject_combinations("shop_code", shop_code, shop_cipher=has_cipher)
        if all(each is None for each in (auth, has_cipher, shop_id, shop_code, has_token)):
            raise InvalidArgumentError(
                "for_shop requires a shop, an access_token or an auth state.", argument="shop_id"
            )
        check_auth(auth)
        view = self._new_view()
        if has_token:
            from .auth import AuthState

            # Another token belongs to another authorization, which has other ciphers.
            auth = AuthState(
                access_token=token.optional("access_token"),
                shop_cipher=cipher.optional("shop_cipher"),
            )
        elif has_cipher:
            auth = self._auth.for_shop(cipher.optional("shop_cipher"))
        if shop_id is not None:
            name = checked_shop_name(shop_id, "shop_id")
            auth = self._named_shop(auth or self._auth, "id", name)
        elif shop_code is not None:
            auth = self._named_shop(
                auth or self._auth, "code", checked_shop_name(shop_code, "shop_code")
            )
        assert auth is not None, "one of the arguments led to a state"
        view._given_auth = auth
        return view

    def _new_view(self) -> Self:
        """Return a copy without an auth state and without cached properties.

        It is not created by ``__init__``: a subclass may have other arguments and attributes.
        """
        kind = type(self)
        view = object.__new__(kind)
        vars(view).update(
            (name, value)
            for name, value in vars(self).items()
            if not isinstance(getattr(kind, name, None), cached_property)
        )
        view._owns_http_client = False
        view._is_view = True
        view._pipeline = self._pipeline
        return view

    def _named_shop(self, auth: AuthState, field: Literal["id", "code"], value: str) -> AuthState:
        """Return the state of a shop whose cipher is looked up with the first call."""
        from .auth.record import AuthorizedShop
        from .auth.shops import ShopReference, usable_shops

        asking = self._new_view()
        asking._given_auth = auth

        async def fetch() -> list[AuthorizedShop]:
            # Not by a local variable, which tracebacks can show.
            return usable_shops((await asking.authorization.get_authorized_shops()).data.shops)

        return auth.for_shop(shop=ShopReference(field, value, auth, fetch))

    async def request(
        self,
        method: Literal["GET", "POST", "PUT", "DELETE"],
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        files: Mapping[str, FileInput] | None = None,
        cipher: Literal["auto", "shop_cipher", "category_asset_cipher", "none"] = "auto",
        options: RequestOptions | None = None,
    ) -> APIResponse[Any]:
        """Send a signed request to any path; ``data`` of the response is plain JSON values.

        Args:
            path: The path with its version, not percent-encoded:
                ``/return_refund/202309/cancellations``.
            files: Sent as a multipart form, with ``body`` as its other fields.
            cipher: The cipher to send. ``"auto"`` sends the one that the catalogue names; for a
                path that is not in the catalogue, the shop's cipher if there is one.
        """
        from attrs import evolve

        from ._internal.argument_checks import check_mapping
        from .options import RequestOptions, validate_options
        from .pipeline.call import Call
        from .raw import raw_operation

        for name, value in (("query", query), ("body", body), ("files", files)):
            check_mapping(value, name)
        operation = raw_operation(
            method,
            path,
            has_body=body is not None,
            files=tuple(files or ()),
            cipher=cipher,
            has_shop=self._auth.names_shop,
        )
        options = RequestOptions() if options is None else validate_options(options)
        # Arguments of a raw call are sent as given: an explicit None becomes null.
        extra = {**(body or {}), **(options.extra_body or {})}
        call = Call(
            operation=operation,
            query=query or {},
            body=files or {},
            options=evolve(options, extra_body=extra),
        )
        del query, body, files, extra  # tracebacks can show locals, and a cipher may be in these
        return await self._pipeline.run(call, None, self._auth)

    async def aclose(self) -> None:
        """Close the client and its own connections; a borrowed ``http_client`` stays open."""
        if self._is_view:
            return
        self._session.close()
        try:
            if "_auth" in vars(self) and self._auth.authorization is not None:
                await self._auth.authorization.settle()
        finally:  # also when the wait for a refresh is cancelled
            if self._owns_http_client:
                await self._session.close_connections()

    async def __aenter__(self) -> Self:
        self._session.check_usable()
        await in_thread(getattr, self, "_pipeline")  # what calls need, off the event loop
        return self

    def __del__(self) -> None:
        session: Session | None = vars(self).get("_session")  # none if __init__ raised
        if session is not None and self._owns_http_client and session.is_left_open:
            warn_unclosed(self)

    def __repr__(self) -> str:
        if "_session" not in vars(self):  # as tracebacks see a client with a rejected argument
            return f"<{type(self).__name__}>"
        state = "closed" if self._session.closed else "open"
        kind = "view of " if self._is_view else ""
        return f"<{kind}{type(self).__name__} app_key={self._session.options.app_key!r} {state}>"
