"""The ``state`` of an authorization: signed, expiring, and good for one browser."""

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
        "states are signed by a further package: pip install 'tiktok-shop-async[oauth]'",
        name=error.name,
    ) from error

MAX_AGE = 600.0
"""Seconds that a user has for the authorize page; our choice."""
_SALT = "tiktok_shop_async.auth.state"
_MOST = 2000
_BEGIN_AGAIN = "Have the user begin again, at your own page that leads to the authorize page."


class StateSigner(Unpicklable):
    """Makes states, and tells its own from all others.

    Without it, somebody could lead your user's browser to your redirect route with a code of their
    own shop. Nothing is stored, so all processes with one secret know each other's states.
    """

    def __init__(self, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        """Make a signer.

        Args:
            secret: Yours, at least 16 characters, alike in all processes.
            clock: Returns Unix seconds.
        """
        hidden = Secret(secret)
        del secret  # tracebacks can show local variables
        if not isinstance(hidden.value, str) or len(hidden.value) < 16:
            raise InvalidArgumentError(
                "the secret must be text of at least 16 characters.",
                argument="secret",
                hint="python -c 'import secrets; print(secrets.token_urlsafe())' makes one.",
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
            data: JSON that comes back with it, such as the id of your user. The browser can read
                it, and cannot change it.
            nonce: What only this browser has, in a cookie or session; it cannot be read from the
                state. Without one, a state is good for every browser.
        """
        state = self._serializer.dumps(data, salt=_SALT + nonce)
        text = state.decode() if isinstance(state, bytes) else state
        if len(text) > _MOST:
            raise InvalidArgumentError(
                "the data makes the state too long for a URL.",
                argument="data",
                hint="Keep it on your side, and give its id.",
            )
        return text

    def check(self, state: str | None, *, nonce: str = "", max_age: float = MAX_AGE) -> Any:
        """Return the data of a state that was made here, for the same nonce, not too long ago.

        `StateExpiredError` if it is older than ``max_age`` seconds; `StateError` if it is missing,
        forged, or made for another nonce. A state can be checked again and again: forget the nonce
        to have it used once.
        """
        if not state:
            raise StateError(
                "no state came back.", operation="oauth.check_state", hint=_BEGIN_AGAIN
            )
        kind, problem = StateError, "was not made here, or for another browser"
        try:
            return self._serializer.loads(
                state[: _MOST + 1], max_age=math.floor(max_age), salt=_SALT + nonce
            )
        except SignatureExpired:
            kind, problem = StateExpiredError, "is too old"
        except (BadData, UnicodeError, RecursionError):
            pass
        raise kind(
            f"the state {problem}.", operation="oauth.check_state", state=state, hint=_BEGIN_AGAIN
        )
