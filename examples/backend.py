"""A backend that many sellers authorize: FastAPI, several workers, tokens in one database.

python backend.py                      create the tables, at each deployment
uvicorn backend:app --workers 4        serve requests
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse

from tiktok_shop_async import (
    AsyncTikTokShop,
    ReauthorizationRequiredError,
    TikTokShopError,
    TikTokShopOAuth,
    Token,
)
from tiktok_shop_async.auth import (
    AuthEvent,
    AuthorizationExpiring,
    Authorizations,
    EncryptedTokenStore,
    ReauthorizationRequired,
    SQLTokenStore,
    StateSigner,
)
from tiktok_shop_async.auth.web import Authorized, OAuthRoutes
from tiktok_shop_async.webhooks import SQLWebhookStore, WebhookReceiver, Webhooks

APP_KEY = os.environ["TIKTOK_APP_KEY"]
APP_SECRET = os.environ["TIKTOK_APP_SECRET"]
PUBLIC_URL = os.environ["PUBLIC_URL"]  # https://your.host

logger = logging.getLogger("backend")


def authorization_page(token: Token) -> str:
    """Return our own start page: the platform's page alone would return without a cookie."""
    region = "us" if token.seller_base_region == "US" else "row"
    return f"{PUBLIC_URL}/tiktok/start?region={region}"


async def on_event(event: AuthEvent) -> None:
    if isinstance(event, (ReauthorizationRequired, AuthorizationExpiring)):
        # Send a mail to this seller's contact here.
        logger.error("%s must authorize again: %s", event.seller_name, event.authorization_url)


database = SQLTokenStore(os.environ["TOKEN_STORE_URL"])
store = EncryptedTokenStore(database, os.environ["TOKEN_STORE_KEYS"].split(","))
oauth = TikTokShopOAuth(
    APP_KEY,
    APP_SECRET,
    service_id=os.environ["TIKTOK_SERVICE_ID"],
    base_url=os.environ.get("TIKTOK_BASE_URL"),  # a sandbox; by default the platform
)
authorizations = Authorizations(
    oauth, store, on_event=on_event, authorization_url=authorization_page
)
events = SQLWebhookStore(os.environ["TOKEN_STORE_URL"])  # waiting events survive a crash
receiver = WebhookReceiver(
    Webhooks(APP_KEY, APP_SECRET), store=events, authorizations=authorizations
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, AsyncTikTokShop]]:
    # Closed in reverse order, so that a refresh in progress can still use the store.
    async with (
        database,
        events,
        oauth,
        authorizations,
        receiver,
        AsyncTikTokShop.from_env() as client,
    ):
        yield {"client": client}


async def welcome(request: Request, authorized: Authorized) -> HTMLResponse:
    view = request.state.client.for_shop(auth=authorized.auth)
    shops = (await view.authorization.get_authorized_shops()).data.shops
    for shop in shops:
        await authorizations.link_shop(shop.id, authorized.token.open_id)
    return HTMLResponse(f"<p>Connected: {escape(', '.join(shop.name for shop in shops))}</p>")


app = FastAPI(lifespan=lifespan)
app.mount("/tiktok", OAuthRoutes(authorizations, StateSigner(os.environ["STATE_SECRET"]), welcome))
app.mount("/webhooks", receiver)  # subscribe with an address that ends in /webhooks/


@app.get("/shops/{shop_id}/orders")
async def orders(shop_id: str, request: Request) -> dict[str, str | None]:
    # Check here whether your user may see this shop.
    auth = await authorizations.auth_of_shop(shop_id)
    if auth is None:
        raise HTTPException(404, f"Shop {shop_id} is not connected.")
    shop = request.state.client.for_shop(auth=auth, shop_id=shop_id)
    page = await shop.order.get_order_list(page_size=10)
    return {order.id: order.status for order in page.data.orders}


@app.exception_handler(ReauthorizationRequiredError)
async def must_authorize_again(
    request: Request, error: ReauthorizationRequiredError
) -> JSONResponse:
    return JSONResponse({"error": error.message, "authorize_at": error.authorization_url}, 409)


@app.exception_handler(TikTokShopError)
async def call_failed(request: Request, error: TikTokShopError) -> JSONResponse:
    logger.warning("%s", error)
    return JSONResponse({"error": str(error)}, 502)


async def deploy() -> None:
    async with database, events:
        await database.create_schema()
        await events.create_schema()


if __name__ == "__main__":
    asyncio.run(deploy())
