"""Handlers of operations: functions from a call to the ``data`` of its response."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain.market import Market
from .aftersales.cancellation_handlers import CANCELLATION_HANDLERS
from .aftersales.eligibility_handlers import ELIGIBILITY_HANDLERS
from .aftersales.return_handlers import RETURN_HANDLERS
from .call import AdmittedCall, Data, Handler
from .order_handlers import ORDER_HANDLERS
from .package_handlers import PACKAGE_HANDLERS
from .products.images import IMAGE_HANDLERS
from .products.listing_handlers import LISTING_HANDLERS
from .products.product_handlers import PRODUCT_HANDLERS
from .stub_responses import stub_response
from .webhook_handlers import WEBHOOK_HANDLERS


def handle(call: AdmittedCall, market: Market) -> Data:
    """Carry out a call and return the ``data`` of its response."""
    handler = HANDLERS.get(call.operation.id)
    return handler(call, market) if handler else stub_response(call, market.seed)


def get_authorized_shops(call: AdmittedCall, market: Market) -> Data:
    """Return the shops that the token gives access to."""
    return {
        "shops": [
            {
                "id": shop.id,
                "name": shop.name,
                "region": shop.settings.region,
                "seller_type": shop.seller_type,
                "cipher": shop.cipher,
                "code": shop.code,
            }
            for shop in market.shops_of(call.token)
        ]
    }


HANDLERS: Mapping[str, Handler] = {
    "authorization.get_authorized_shops": get_authorized_shops,
    **ORDER_HANDLERS,
    **PACKAGE_HANDLERS,
    **PRODUCT_HANDLERS,
    **LISTING_HANDLERS,
    **IMAGE_HANDLERS,
    **CANCELLATION_HANDLERS,
    **RETURN_HANDLERS,
    **ELIGIBILITY_HANDLERS,
    **WEBHOOK_HANDLERS,
}
"""Operation -> its handler."""
