"""A local TikTok Shop: strict as the gateway is, with orders that can be cancelled.

``python -m tiktok_shop_async.sandbox`` serves it; `run_sandbox` does so inside a test or a demo,
and `create_app` gives the bare ASGI application. Needs the extra ``tiktok-shop-async[sandbox]``.
"""

try:
    import jinja2
    import starlette
    import uvicorn
except ImportError as error:
    raise ImportError(
        "the sandbox needs further packages: pip install 'tiktok-shop-async[sandbox]'",
        name=error.name,
    ) from error

from ..pipeline.admission.limiter import EndpointClass
from .control.state_file import StateFile, StateFileError
from .demo import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_CREATOR_TOKEN,
    DEMO_EXPIRED_TOKEN,
    DEMO_ORDERS_ONLY_TOKEN,
    DEMO_REDIRECT_URL,
    DEMO_REFRESH_TOKEN,
    DEMO_SECOND_SHOP_CIPHER,
    DEMO_SERVICE_ID,
    DEMO_SHOP_CIPHER,
    demo_market,
)
from .domain.events import Event
from .domain.market import AccessToken, App, Market, TokenRules, UserType
from .domain.orders.time_spans import Spans
from .domain.shop import Shop
from .error_responses import Refusal
from .faults.rate_limits import Limits, LimitSettings, Rate
from .faults.rules import FaultKind, FaultRule, Faults
from .http.app import create_app
from .server import Sandbox, run_sandbox
from .webhook_delivery import Delivery, Webhooks

del jinja2, starlette, uvicorn

__all__ = [
    "DEMO_ACCESS_TOKEN",
    "DEMO_APP_KEY",
    "DEMO_APP_SECRET",
    "DEMO_CREATOR_TOKEN",
    "DEMO_EXPIRED_TOKEN",
    "DEMO_ORDERS_ONLY_TOKEN",
    "DEMO_REDIRECT_URL",
    "DEMO_REFRESH_TOKEN",
    "DEMO_SECOND_SHOP_CIPHER",
    "DEMO_SERVICE_ID",
    "DEMO_SHOP_CIPHER",
    "AccessToken",
    "App",
    "Delivery",
    "EndpointClass",
    "Event",
    "FaultKind",
    "FaultRule",
    "Faults",
    "LimitSettings",
    "Limits",
    "Market",
    "Rate",
    "Refusal",
    "Sandbox",
    "Shop",
    "Spans",
    "StateFile",
    "StateFileError",
    "TokenRules",
    "UserType",
    "Webhooks",
    "create_app",
    "demo_market",
    "run_sandbox",
]
