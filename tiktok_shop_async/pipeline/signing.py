"""Request signatures, by the service's page ``sign-your-api-request``."""

from __future__ import annotations

import hmac
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote

import attrs
import httpx

from .._internal.clock import Clock
from .._internal.httpx_internals import encoded_url
from ..errors import InvalidArgumentError
from .credentials import Credentials
from .operation import Operation
from .request import UnsignedRequest

TOKEN_HEADER = "x-tts-access-token"  # noqa: S105 - the header's name
_SECRET_PARAMETERS = frozenset({"sign", "shop_cipher", "category_asset_cipher"})
UNSIGNED_PARAMETERS = frozenset({"sign", "access_token"})

_CREDENTIAL_HINTS = {
    "access_token": "Exchange an authorization code for one, and set client.auth.access_token.",
    "shop_cipher": (
        "client.for_shop(shop_id=…) looks it up. To set it, pass client.for_shop(shop_cipher=…) or "
        "set client.auth.shop_cipher; authorization.get_authorized_shops() lists all ciphers."
    ),
    "category_asset_cipher": (
        "Set client.auth.category_asset_cipher; "
        "authorization.get_authorized_category_assets() lists the ciphers of a partner."
    ),
}


def string_to_sign(
    app_secret: str, path: str, query: Iterable[tuple[str, str]], body: bytes = b""
) -> bytes:
    """Return the bytes whose HMAC is the signature.

    Args:
        app_secret: The secret that encloses the text.
        path: Decoded.
        query: Decoded.
        body: Exactly the bytes sent; empty for a multipart body.
    """
    pairs = sorted([pair for pair in query if pair[0] not in UNSIGNED_PARAMETERS])
    text = path + "".join([name + value for name, value in pairs])
    secret = app_secret.encode()
    return b"".join((secret, text.encode(), body, secret))


def signature(
    app_secret: str, path: str, query: Iterable[tuple[str, str]], body: bytes = b""
) -> str:
    """Return the ``sign`` parameter of a request: lowercase hex of an HMAC-SHA256."""
    message = string_to_sign(app_secret, path, query, body)
    return hmac.digest(app_secret.encode(), message, "sha256").hex()


@attrs.frozen(kw_only=True)
class AppCredentials:
    """The credentials of the app."""

    app_key: str
    app_secret: str = attrs.field(repr=False)


class AttemptSecrets:
    """The secrets that errors of an attempt must not show; its repr does not show them.

    Iterating yields the current values and those that were sent, since the caller may have set
    others in the meantime.
    """

    __slots__ = ("_app", "_credentials", "request")

    def __init__(self, app: AppCredentials, credentials: Credentials) -> None:
        self._app = app
        self._credentials = credentials
        self.request: httpx.Request | None = None

    def __iter__(self) -> Iterator[str]:
        yield self._app.app_secret
        yield from self._credentials.secrets()
        if self.request is not None:
            yield self.request.headers.get(TOKEN_HEADER, "")
            query = self.request.url.raw_path.partition(b"?")[2]
            for name, value in parse_qsl(query.decode("ascii", "replace")):
                if name in _SECRET_PARAMETERS:
                    yield value


@attrs.frozen(kw_only=True)
class SigningAuth(httpx.Auth):
    """The signing of one request, right when it is sent, with the credentials current then."""

    base_url: httpx.URL
    unsigned: UnsignedRequest = attrs.field(repr=False)
    operation: Operation
    app: AppCredentials
    credentials: Credentials
    clock: Clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Set the signed URL and the token header of ``request``."""
        request.url = encoded_url(self.base_url, self.signed_target())
        request.headers[TOKEN_HEADER] = self._credential("access_token")
        yield request

    def signed_target(self) -> str:
        """Return path and query with app key, timestamp, cipher and signature."""
        unsigned, cipher = self.unsigned, self.operation.cipher
        added = [("app_key", self.app.app_key), ("timestamp", str(int(self.clock.time())))]
        if cipher and not any(name == cipher for name, _ in unsigned.query):
            added.append((cipher, self._credential(cipher)))
        query = (*unsigned.query, *added)
        sign = signature(self.app.app_secret, unsigned.path, query, unsigned.signed_body)
        encoded = "&".join([f"{name}={quote(value, safe='')}" for name, value in added])
        return f"{unsigned.target}{encoded}&sign={sign}"

    def _credential(self, name: str) -> str:
        value: str | None = getattr(self.credentials, name)
        if value:
            return value
        raise InvalidArgumentError(
            f"{name} is required.",
            argument=name,
            operation=self.operation.id,
            hint=_CREDENTIAL_HINTS[name],
        )


class APIRequest(httpx.Request):
    """A request whose repr masks its query, with cipher and signature, and its token.

    Transports get the real values; only the repr, which tracebacks and logs show, is masked.
    """

    def __init__(
        self,
        method: str,
        url: httpx.URL,
        headers: Sequence[tuple[bytes, bytes]],
        stream: httpx.AsyncByteStream | httpx.SyncByteStream,
        extensions: Mapping[str, Any],
    ) -> None:
        # httpx's own __init__ would only take longer.
        self.method = method
        self.url = url
        self.headers = _MaskedHeaders(headers)
        self.stream = stream
        self.extensions = dict(extensions)

    def __repr__(self) -> str:
        path = self.url.raw_path.partition(b"?")[0].decode("ascii", "replace")
        return f"<{type(self).__name__}({self.method!r}, '{self.url.host}{path}')>"


class _MaskedHeaders(httpx.Headers):
    """Headers whose repr shows only the names."""

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self.keys())}>"
