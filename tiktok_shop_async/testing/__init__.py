"""For the tests of your own code: a mocked shop, made-up objects, recordings, and the sandbox.

Needs the extra ``tiktok-shop-async[testing]``; the fixtures of the sandbox need ``[sandbox]`` too.
"""

from typing import TYPE_CHECKING

from .._lazy import lazy_exports

if TYPE_CHECKING:
    from ..clock import MovableClock
    from ..sandbox import Sandbox
    from .examples import example_response, make
    from .masking import PERSONAL_FIELDS, SECRET_FIELDS
    from .mock import MockTikTokShop
    from .operation import MockCall, MockOperation, UnexpectedRequestError
    from .recorder import (
        NotRecordedError,
        RecordingTransport,
        ReplayTransport,
        record,
        replay,
    )
    from .token_stores import check_token_store

__all__ = [
    "PERSONAL_FIELDS",
    "SECRET_FIELDS",
    "MockCall",
    "MockOperation",
    "MockTikTokShop",
    "MovableClock",
    "NotRecordedError",
    "RecordingTransport",
    "ReplayTransport",
    "Sandbox",
    "UnexpectedRequestError",
    "check_token_store",
    "example_response",
    "make",
    "record",
    "replay",
]

# pytest loads this package at its start, for the plugin: only what a test uses is loaded then.
_, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "MockCall": "operation",
        "MockOperation": "operation",
        "MockTikTokShop": "mock",
        "MovableClock": ".clock",
        "NotRecordedError": "recorder",
        "PERSONAL_FIELDS": "masking",
        "RecordingTransport": "recorder",
        "ReplayTransport": "recorder",
        "SECRET_FIELDS": "masking",
        "Sandbox": ".sandbox",
        "UnexpectedRequestError": "operation",
        "check_token_store": "token_stores",
        "example_response": "examples",
        "make": "examples",
        "record": "recorder",
        "replay": "recorder",
    },
)
