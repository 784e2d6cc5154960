"""The record of an authorization that is in force in this process, and the events about it."""

from __future__ import annotations

import math
from typing import Any

from .._internal.unpicklable import Unpicklable
from ..errors import ReauthorizationRequiredError
from .events import AuthEvent, ReauthorizationRequired, logger
from .policy import RefreshPolicy
from .record import AuthorizationRecord


class CurrentRecord(Unpicklable):
    """The record in force, which an `Authorization` and its `Refresher` share.

    Both adopt new records and emit events through it, so neither needs to call the other back.
    """

    def __init__(self, open_id: str, policy: RefreshPolicy) -> None:
        self.record: AuthorizationRecord | None = None
        self.fresh_until = -math.inf
        """Unix seconds until which the access token can be used without a refresh."""
        self._open_id = open_id
        self._policy = policy

    def adopt(self, record: AuthorizationRecord) -> None:
        """Put a record in force."""
        self.record = record
        self.fresh_until = -math.inf
        if record.ended is None:
            expires_at = record.token.access_token_expires_at.timestamp()
            self.fresh_until = expires_at - self._policy.margin.total_seconds()

    def emit(self, kind: type[AuthEvent], **facts: Any) -> None:
        """Emit an event about the authorization."""
        name = self.record.token.seller_name if self.record else ""
        self._policy.events.emit(kind(open_id=self._open_id, seller_name=name, **facts))

    def emit_end(self, record: AuthorizationRecord) -> None:
        """Emit the event that the authorization has ended."""
        url = self.authorization_url(record)
        self.emit(ReauthorizationRequired, reason=record.ended, authorization_url=url)

    def reauthorization_required(self, record: AuthorizationRecord) -> ReauthorizationRequiredError:
        """Return the error for calls after the authorization has ended."""
        seller = record.token.seller_name or self._open_id
        url = self.authorization_url(record)
        return ReauthorizationRequiredError(
            f"{seller} must authorize the app again: {record.ended}",
            seller=seller,
            authorization_url=url,
            hint=f"Send {seller} to {url}" if url else None,
        )

    def authorization_url(self, record: AuthorizationRecord) -> str | None:
        """Return the page where the user can authorize the app again, if one is known."""
        try:
            return self._policy.authorization_url(record.token)
        except Exception:  # of the application; it must not replace the event or error
            logger.exception("authorization_url failed for %s", self._open_id)
            return None
