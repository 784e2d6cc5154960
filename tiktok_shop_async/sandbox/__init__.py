"""A local TikTok Shop, as strict as the platform's gateway, with orders that change.

``python -m tiktok_shop_async.sandbox`` serves it. `run_sandbox` serves it inside a test or a
program. `create_app` returns the ASGI application. Requires the extra
``tiktok-shop-async[sandbox]``.
"""

try:
    import jinja2
    import starlette
    import uvicorn
except ImportError as error:
    raise ImportError(
        "the sandbox requires an extra: pip install 'tiktok-shop-async[sandbox]'",
        name=error.name,
    ) from error

from ..pipeline.admission.limiter import EndpointClass
from .app import create_app
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
from .domain.market import AccessToken, App, Market, TokenRules, UserType
from .domain.orders.shop_settings import Spans
from .domain.shop import Shop
from .domain.shop_events import Event
from .error_responses import Refusal
from .faults.rate_limits import Limits, LimitSettings, Rate
from .faults.rules import FaultKind, FaultRule, Faults
from .server import Sandbox, run_sandbox
from .state.state_file import StateFile, StateFileError
from .webhook_delivery import Webhooks
from .webhook_sender import Delivery

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
