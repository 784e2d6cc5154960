"""The last requests: what was asked and answered, and why a signature fitted or did not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from ..redaction import MASK
from ..verification import NOT_SIGNED
from .faults import FaultRule
from .json_input import encodable

MASKED_PARAMETERS = frozenset({"shop_cipher", "category_asset_cipher", "access_token"})
SHOWN_OF_BODY = 2000
"""Bytes of a body that the log keeps."""


@attrs.frozen(kw_only=True)
class SignatureCheck:
    """What was signed, and both signatures; the secret and the ciphers are masked."""

    string_to_sign: str
    expected: str | None
    """None where the app is unknown, so that there is no secret to sign with."""
    received: str | None

    @property
    def fits(self) -> bool:
        """Whether the signature is right."""
        return self.expected is not None and self.expected == self.received


@attrs.define(kw_only=True)
class LoggedRequest:
    """One request, filled in as it goes its way."""

    number: int
    time: float
    method: str = attrs.field(converter=encodable)
    path: str = attrs.field(converter=encodable)
    operation: str | None = None
    status: int | None = None
    """None where no answer was sent."""
    code: int | None = None
    """None where the answer had no envelope, or there was none."""
    message: str = attrs.field(default="", converter=encodable)
    remarks: list[str] = attrs.field(factory=list)
    """What was accepted although it is not right."""
    milliseconds: float = 0.0
    fault: str | None = None
    processed: bool = False
    query_pairs: list[tuple[str, str]] = attrs.field(factory=list, repr=False)
    signed_body: bytes = attrs.field(default=b"", repr=False)
    signed_body_size: int = 0
    expected_signature: str | None = None

    def note_request(
        self, query_pairs: list[tuple[str, str]], signed_body: bytes, expected: str | None
    ) -> None:
        """Keep what the signature was made of, and what it should have been."""
        self.query_pairs = [(encodable(name), encodable(value)) for name, value in query_pairs]
        self.signed_body = signed_body[:SHOWN_OF_BODY]
        self.signed_body_size = len(signed_body)
        self.expected_signature = expected

    def note_answer(self, code: int, message: str) -> None:
        """Keep what the envelope says."""
        self.code = code
        self.message = message

    def note_delivery(self, status: int, rule: FaultRule | None) -> None:
        """Keep what goes out, as far as a fault lets it."""
        self.fault = None if rule is None else rule.kind
        self.status = status
        if rule is not None and not rule.answered:
            self.status = self.code = None
            self.message = ""

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded query, with secrets masked."""
        return [
            (name, MASK if name in MASKED_PARAMETERS else value) for name, value in self.query_pairs
        ]

    @property
    def signature(self) -> SignatureCheck | None:
        """The check explained; None where the request was refused unread."""
        if not self.query_pairs:
            return None
        text = "".join(name + value for name, value in sorted(self.query) if name not in NOT_SIGNED)
        body = self.signed_body.decode("utf-8", "replace")
        if self.signed_body_size > len(self.signed_body):
            body += f"… ({self.signed_body_size} bytes)"
        return SignatureCheck(
            string_to_sign=f"{MASK}{self.path}{text}{body}{MASK}",
            expected=self.expected_signature,
            received=dict(self.query_pairs).get("sign"),
        )

    def as_json(self) -> dict[str, Any]:
        """Return what the control endpoint shows."""
        check = self.signature
        return {
            "number": self.number,
            "time": self.time,
            "method": self.method,
            "path": self.path,
            "query": [list(pair) for pair in self.query],
            "operation": self.operation,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "remarks": self.remarks,
            "milliseconds": round(self.milliseconds, 3),
            "fault": self.fault,
            "processed": self.processed,
            "signature": check and {**attrs.asdict(check), "fits": check.fits},
        }


class RequestLog:
    """The last requests, oldest first."""

    def __init__(self, size: int = 200) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=size)
        self._last_number = 0

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def open(self, method: str, path: str, now: float) -> LoggedRequest:
        """Begin the entry of a request."""
        self._last_number += 1
        entry = LoggedRequest(number=self._last_number, time=now, method=method, path=path)
        self._entries.append(entry)
        return entry

    def after(self, number: int) -> Iterable[LoggedRequest]:
        """Return the requests that came after one of this number."""
        return [entry for entry in self._entries if entry.number > number]

    def clear(self) -> None:
        """Forget all requests; numbers go on, so that who follows the log misses none."""
        self._entries.clear()
