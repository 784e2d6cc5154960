"""Makes the calls that stand on stdin as JSON, with the PyPI package tiktok-shop-api as it is.

Runs in an environment of its own, which has neither our SDK nor our tests.
"""

import asyncio
import base64
import io
import json
import os
import sys
from importlib import import_module
from typing import Any

import tiktok_shop_api
from tiktok_shop_api.generated.types import File


def model(name: str, fields: dict[str, Any]) -> Any:
    module = import_module(f"tiktok_shop_api.generated.models.{name}")
    made = getattr(module, "".join(part.title() for part in name.split("_")))
    if "file" not in fields:
        return made.from_dict(fields)
    content = io.BytesIO(base64.b64decode(fields["file"]))
    return made(data=File(payload=content, file_name="shirt.png", mime_type="image/png"))


async def outcome(client: Any, call: dict[str, Any]) -> dict[str, Any]:
    arguments = dict(call["arguments"])
    if "body" in arguments:
        arguments["body"] = model(call["model"], arguments["body"])
    try:
        answer = await getattr(getattr(client, call["group"]), call["method"])(**arguments)
    except tiktok_shop_api.TikTokShopError as error:
        return {"code": error.code, "message": error.message}
    return {"answer": answer.to_dict()}


async def main() -> None:
    task = json.load(sys.stdin)
    base_url = os.environ["SHOP_ORIGIN"]
    async with tiktok_shop_api.AsyncTikTokShop(**task["credentials"], base_url=base_url) as client:
        print(json.dumps([await outcome(client, call) for call in task["calls"]]))


asyncio.run(main())
