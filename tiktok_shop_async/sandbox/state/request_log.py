"""A log of the latest requests with their responses and signature checks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from ..._internal.redaction import MASK, MAX_SECRET_BYTES, redact, redact_start
from ...spec.signature_verifier import NOT_SIGNED
from ..faults.rules import FaultRule
from ..inputs.json_input import encodable

MASKED_PARAMETERS = frozenset({"shop_cipher", "category_asset_cipher", "access_token"})
MASKED_HEADERS = frozenset({"x-tts-access-token", "authorization", "cookie", "proxy-authorization"})
SHOWN_OF_BODY = 2000
"""Bytes of a body that the log shows in the string to sign."""
MAX_BODY = 64 * 1024
"""Bytes of a request's or response's body that the log shows."""


@attrs.frozen
class LoggedBody:
    """The start of a body, and the size of the whole body."""

    start: bytes = attrs.field(default=b"", repr=False)
    """More bytes than are shown, so that a secret at the cut is still found and masked."""
    size: int = 0

    @classmethod
    def of(cls, body: bytes) -> LoggedBody:
        """Return the logged part of a body."""
        return cls(body[: MAX_BODY + MAX_SECRET_BYTES], len(body)) if body else NO_BODY

    @property
    def shown_size(self) -> int:
        """Number of bytes that the log shows."""
        return min(self.size, MAX_BODY)

    @property
    def cut(self) -> bool:
        """Whether the log shows only a part of the body."""
        return self.shown_size < self.size


NO_BODY = LoggedBody()


@attrs.frozen(kw_only=True)
class SignatureCheck:
    """The string to sign and both signatures, with secrets masked."""

    string_to_sign: str
    expected: str | None
    """None if the app is unknown, so that its secret is too."""
    received: str | None

    @property
    def matches(self) -> bool:
        """Whether the signatures match."""
        return self.expected is not None and self.expected == self.received


@attrs.define(kw_only=True, on_setattr=attrs.setters.NO_OP)  # converting each change is slow
class LoggedRequest:
    """A logged request, completed step by step while it is handled."""

    number: int
    time: float
    method: str = attrs.field(converter=encodable)
    path: str = attrs.field(converter=encodable)
    operation: str | None = None
    status: int | None = None
    """None if no response was sent."""
    code: int | None = None
    """None if no response was sent, or one without an envelope."""
    message: str = attrs.field(default="", converter=encodable)
    remarks: list[str] = attrs.field(factory=list)
    """Remarks about input that is wrong but accepted."""
    milliseconds: float = 0.0
    fault: str | None = None
    processed: bool = False
    header_pairs: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    query_pairs: list[tuple[str, str]] = attrs.field(factory=list, repr=False)
    """As received; they are made encodable only when shown, because that is slow."""
    body: LoggedBody = attrs.field(default=NO_BODY, repr=False)
    """The signed body; empty for an upload."""
    response_body: LoggedBody = attrs.field(default=NO_BODY, repr=False)
    expected_signature: str | None = None
    secrets: Callable[[], Iterable[str]] = attrs.field(default=tuple, repr=False)
    """Returns the secrets to mask anywhere in a request."""

    def log_request(
        self, query_pairs: list[tuple[str, str]], signed_body: bytes, expected: str | None
    ) -> None:
        """Log the signed parts of a request and the expected signature."""
        self.query_pairs = query_pairs
        self.body = LoggedBody.of(signed_body)
        self.expected_signature = expected

    def log_response(self, code: int, message: str) -> None:
        """Log the code and message of a response."""
        self.code = code
        self.message = encodable(message)

    def log_delivery(self, status: int, body: bytes, rule: FaultRule | None) -> None:
        """Log what is sent; nothing if a fault leaves no response."""
        self.fault = None if rule is None else rule.kind
        self.status = status
        self.response_body = LoggedBody.of(body)
        if rule is not None and not rule.has_response:
            self.status = self.code = None
            self.message = ""
            self.response_body = NO_BODY

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers with secrets masked."""
        return [
            (name, MASK if name in MASKED_HEADERS else value)
            for name, value in self.header_pairs.items()
        ]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded query with secrets masked."""
        return [
            (encodable(name), MASK if name in MASKED_PARAMETERS else encodable(value))
            for name, value in self.query_pairs
        ]

    @property
    def signature_mismatch(self) -> bool:
        """Whether the signature was checked and does not match."""
        received = self._received_signature
        return bool(self.query_pairs) and (received is None or received != self.expected_signature)

    @property
    def signature(self) -> SignatureCheck | None:
        """Details of the signature check; None if the request was refused before it."""
        if not self.query_pairs:
            return None
        text = "".join(name + value for name, value in sorted(self.query) if name not in NOT_SIGNED)
        body = redact_start(self.body.start, SHOWN_OF_BODY, self.secrets())
        if self.body.size > SHOWN_OF_BODY:
            body += f"… ({self.body.size} bytes)"
        return SignatureCheck(
            string_to_sign=f"{MASK}{self._masked(self.path + text)}{body}{MASK}",
            expected=self.expected_signature,
            received=self._received_signature,
        )

    @property
    def _received_signature(self) -> str | None:
        return dict(self.query).get("sign")

    def as_json(self) -> dict[str, Any]:
        """Return the request as the control endpoint shows it."""
        check = self.signature
        return {
            "number": self.number,
            "time": self.time,
            "method": self.method,
            "path": self._masked(self.path),
            "query": [[self._masked(name), self._masked(value)] for name, value in self.query],
            "operation": self.operation,
            "status": self.status,
            "code": self.code,
            "message": self._masked(self.message),
            "remarks": [self._masked(remark) for remark in self.remarks],
            "milliseconds": round(self.milliseconds, 3),
            "fault": self.fault,
            "processed": self.processed,
            "signature": check and {**attrs.asdict(check), "matches": check.matches},
        }

    def _masked(self, text: str) -> str:
        return redact(text, self.secrets())


class RequestLog:
    """The latest requests, oldest first."""

    def __init__(self, size: int = 200, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        self._secrets = secrets
        self._entries: deque[LoggedRequest] = deque(maxlen=size)
        self._last_number = 0

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def open(self, method: str, path: str, now: float) -> LoggedRequest:
        """Add and return the entry of a new request."""
        self._last_number += 1
        entry = LoggedRequest(
            number=self._last_number, time=now, method=method, path=path, secrets=self._secrets
        )
        self._entries.append(entry)
        return entry

    def after(self, number: int) -> Iterable[LoggedRequest]:
        """Return the requests with a higher number."""
        return [entry for entry in self._entries if entry.number > number]

    def clear(self) -> None:
        """Remove all requests; numbering continues, so that readers of the log miss none."""
        self._entries.clear()
