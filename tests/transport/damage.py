"""A shop that damages responses at random, and its record of each request."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise

from raw_shop import RawPeer

DAMAGE = (
    "flip",
    "insert",
    "remove",
    "duplicate bytes",
    "truncate",
    "double",
    "add another response",
    "add a late copy before",
    "add bytes after",
    "close early",
)
_INSERTED = (b"\r\n", b"\n", b"\0", b"0\r\n\r\n", b"{}", b"HTTP/1.1 200 OK\r\n", b"\xff\xfe", b" ")
_AFTER = (
    *_INSERTED,
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n",
    b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
)


def confirmation(identity: str) -> str:
    """Return the text that only the response to the request ``identity`` has."""
    return f"{identity}.{sha256(identity.encode()).hexdigest()[:20]}"


def confirmed(text: str | None) -> str | None:
    """Return which request ``text`` belongs to; None if it was damaged."""
    identity = (text or "").partition(".")[0]
    return identity if text == confirmation(identity) else None


@dataclass
class Record:
    """The requests that the shop received, and its responses."""

    processed: Counter[str] = field(default_factory=Counter)
    sent: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)
    """The kind of damage and the bytes of each response, by request."""

    def has_damaged_body(self, identity: str) -> bool:
        """Return whether the content of a response to this request was changed."""
        return any(kind.startswith("body") for kind, _ in self.sent.get(identity, ()))


class DamagingShop:
    """A shop that processes each request, and damages some of the responses."""

    def __init__(self, rng: random.Random, share: float = 0.4) -> None:
        self._rng = rng
        self._share = share
        self.record = Record()

    async def serve(self, peer: RawPeer) -> None:
        last = b""
        while head := await peer.head():
            identity = await _identity(peer, head)
            response, body_at = self._response(identity)
            kind, sent = "none", response
            if self._rng.random() < self._share:
                kind, sent = self._damaged(response, body_at, last)
            self.record.processed[identity] += 1
            self.record.sent.setdefault(identity, []).append((kind, sent))
            last = response
            await peer.write(*self._segments(kind, sent))
            if kind == "close early" or (kind != "none" and self._rng.random() < 0.5):
                peer.writer.transport.abort() if self._rng.random() < 0.5 else peer.writer.close()
                return

    def _response(self, identity: str) -> tuple[bytes, int]:
        """Return an undamaged response, and the position of its body."""
        said = confirmation(identity)
        data = {
            "cancel_id": said,
            "orders": [{"id": said}],
            "padding": "x" * self._rng.choice((0, 900)),
        }
        body = json.dumps(
            {"code": 0, "message": "Success", "request_id": said, "data": data}
        ).encode()
        fields = b"content-type: application/json\r\nserver: shop\r\n"
        if self._rng.random() < 0.2:
            body = gzip.compress(body, 1)
            fields += b"content-encoding: gzip\r\n"
        if self._rng.random() < 0.3:
            fields += b"transfer-encoding: chunked\r\n"
            cut = self._rng.randrange(1, len(body))
            body = b"".join(
                b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:cut], body[cut:])
            )
            body += b"0\r\n\r\n"
        else:
            fields += b"content-length: %d\r\n" % len(body)
        head = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"
        return head + body, len(head)

    def _damaged(self, response: bytes, body_at: int, last: bytes) -> tuple[str, bytes]:
        rng = self._rng
        kind = rng.choice(DAMAGE)
        match kind:
            case "double":
                return kind, response * 2
            case "add another response":
                return kind, response + self._response(f"other{rng.randrange(10**6)}")[0]
            case "add a late copy before":
                # On a new connection, or alone, nobody could tell it from the response.
                return kind, last + response
            case "add bytes after":
                return kind, response + rng.choice(_AFTER)
            case "close early":
                return kind, response[: rng.randrange(len(response))]
            case "truncate":
                return kind, response[: rng.randrange(1, len(response))]
        at = rng.randrange(len(response)) if rng.random() < 0.3 else rng.randrange(body_at)
        until = at + rng.randrange(1, 9)
        where = "head" if until <= body_at else "body"
        return f"{where} {kind}", response[:at] + self._changed(
            kind, response[at:until]
        ) + response[until:]

    def _changed(self, kind: str, part: bytes) -> bytes:
        match kind:
            case "flip":
                return bytes([part[0] ^ (1 << self._rng.randrange(8))]) + part[1:]
            case "insert":
                return self._rng.choice(_INSERTED) + part
            case "duplicate bytes":
                return part * 2
            case _:
                return b""

    def _segments(self, kind: str, sent: bytes) -> list[bytes]:
        # What follows a response in a later segment may arrive when the next request was written,
        # and then nobody can tell; so several responses are sent as one segment.
        whole = sent.count(b"HTTP/1.") > 1 or self._rng.random() < 0.5
        cuts = [] if whole else sorted(self._rng.randrange(len(sent) + 1) for _ in range(3))
        edges = [0, *cuts, len(sent)]
        return [sent[a:b] for a, b in pairwise(edges) if a < b]


async def _identity(peer: RawPeer, head: bytes) -> str:
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    body = await peer.body(int(fields.get(b"content-length", b"0")))
    if head.startswith(b"GET "):
        return head.partition(b"ids=")[2].partition(b"&")[0].partition(b" ")[0].decode()
    return str(json.loads(body)["order_id"])
