"""The ``state`` of an authorization: signed, expiring, and bound to one browser."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from typing import Any

from ..._internal.secret import Secret
from ..._internal.unpicklable import Unpicklable
from ...errors import InvalidArgumentError, StateError, StateExpiredError

try:
    from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer
except ImportError as error:
    raise ImportError(
        "StateSigner needs a further package: pip install 'tiktok-shop-async[oauth]'",
        name=error.name,
    ) from error

MAX_AGE = 600.0
"""Seconds that a user has for the authorize page; our choice."""
_SALT = "tiktok_shop_async.auth.state"
_MAX_LENGTH = 2000
_START_AGAIN = "Ask the user to start again at your page that leads to the authorize page."


class StateSigner(Unpicklable):
    """A signer and verifier of states.

    A state prevents that an attacker redirects your user's browser to your callback with the code
    of another shop. Nothing is stored: all processes with the same secret accept the same states.
    """

    def __init__(self, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        """Create a signer.

        Args:
            secret: A secret of your own with at least 16 characters, the same in all processes.
            clock: Returns Unix seconds.
        """
        hidden = Secret(secret)
        del secret  # tracebacks can show local variables
        if not isinstance(hidden.value, str) or len(hidden.value) < 16:
            raise InvalidArgumentError(
                "secret must be text of at least 16 characters.",
                argument="secret",
                hint="Create one with: python -c 'import secrets; print(secrets.token_urlsafe())'",
            )

        class Signer(TimestampSigner):
            def get_timestamp(self) -> int:
                return math.floor(clock())

        self._serializer = URLSafeTimedSerializer(
            hidden.value,
            signer=Signer,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def make(self, data: Any = None, *, nonce: str = "") -> str:
        """Return a state.

        Args:
            data: JSON to return with the state, such as the id of your user. The browser can read
                it but not change it.
            nonce: A secret of this browser, from a cookie or session; the state does not reveal it.
                Without a nonce, a state is valid in every browser.
        """
        state = self._serializer.dumps(data, salt=_SALT + nonce)
        text = state.decode() if isinstance(state, bytes) else state
        if len(text) > _MAX_LENGTH:
            raise InvalidArgumentError(
                "data makes the state too long for a URL.",
                argument="data",
                hint="Store the data on your side, and pass its id.",
            )
        return text

    def check(self, state: str | None, *, nonce: str = "", max_age: float = MAX_AGE) -> Any:
        """Return the data of a state.

        A state can be checked repeatedly: delete the nonce to allow it only once.

        Raises:
            StateExpiredError: The state is older than ``max_age`` seconds.
            StateError: The state is missing, forged, or was created for another nonce.
        """
        if not state:
            raise StateError(
                "the redirect has no state.", operation="oauth.check_state", hint=_START_AGAIN
            )
        kind, problem = StateError, "is not valid, or was created for another browser"
        try:
            return self._serializer.loads(
                state[: _MAX_LENGTH + 1], max_age=math.floor(max_age), salt=_SALT + nonce
            )
        except SignatureExpired:
            kind, problem = StateExpiredError, "has expired"
        except (BadData, UnicodeError, RecursionError):
            pass
        raise kind(
            f"the state {problem}.", operation="oauth.check_state", state=state, hint=_START_AGAIN
        )
