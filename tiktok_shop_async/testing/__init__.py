"""Test kit: a mocked shop, example objects, recordings, and fixtures of the sandbox.

Requires the extra ``tiktok-shop-async[testing]``; the sandbox fixtures require ``[sandbox]`` too.
"""

from typing import TYPE_CHECKING

from .._internal.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .._internal.movable_clock import MovableClock
    from ..sandbox import Sandbox
    from .deliveries import SignedWebhook, signed_webhook
    from .example_models import example_response, make
    from .mocking.call_log import MockCall
    from .mocking.mock import MockTikTokShop
    from .mocking.mock_operation import MockOperation
    from .mocking.request_checks import UnexpectedRequestError
    from .recording.masking import PERSONAL_FIELDS, SECRET_FIELDS
    from .recording.recorder import RecordingTransport, record
    from .recording.replayer import NotRecordedError, ReplayTransport, replay
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
        "SignedWebhook",
        "UnexpectedRequestError",
        "check_token_store",
        "example_response",
        "make",
        "record",
        "replay",
        "signed_webhook",
    ]

# pytest imports this package for the plugin: the rest is imported when a test uses it.
_, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "MockCall": "mocking.call_log",
        "MockOperation": "mocking.mock_operation",
        "MockTikTokShop": "mocking.mock",
        "MovableClock": "._internal.movable_clock",
        "NotRecordedError": "recording.replayer",
        "PERSONAL_FIELDS": "recording.masking",
        "RecordingTransport": "recording.recorder",
        "ReplayTransport": "recording.replayer",
        "SECRET_FIELDS": "recording.masking",
        "Sandbox": ".sandbox",
        "SignedWebhook": "deliveries",
        "UnexpectedRequestError": "mocking.request_checks",
        "check_token_store": "token_stores",
        "example_response": "example_models",
        "make": "example_models",
        "record": "recording.recorder",
        "replay": "recording.replayer",
        "signed_webhook": "deliveries",
    },
)
