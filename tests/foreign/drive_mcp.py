"""Makes the calls that stand on stdin as JSON, to the MCP server of tiktok-shop-mcp over stdio.

Runs in an environment of its own, with the reference client of the protocol.
"""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

SERVER = StdioServerParameters(
    command=sys.executable,
    args=[str(Path(__file__).with_name("serve_mcp.py"))],
    env={name: os.environ[name] for name in ("SHOP_ORIGIN", "TIKTOK_SHOP_CONFIG")},
)


async def call_tool(session: ClientSession, call: dict[str, Any]) -> dict[str, Any]:
    result = await session.call_tool(call["tool"], call["arguments"])
    (content,) = result.content
    answer = json.loads(content.text)
    return {"message": answer["message"]} if answer.get("error") else {"answer": answer}


async def main() -> None:
    calls = json.load(sys.stdin)["calls"]
    with Path(os.devnull).open("w") as server_log:
        async with (
            stdio_client(SERVER, errlog=server_log) as streams,
            ClientSession(*streams) as session,
        ):
            await session.initialize()
            tools = [tool.name for tool in (await session.list_tools()).tools]
            print(json.dumps([{"answer": tools}, *[await call_tool(session, c) for c in calls]]))


# The server greets on stdout, where the protocol allows messages alone; its client skips that.
logging.getLogger("mcp.client.stdio").setLevel(logging.CRITICAL)
asyncio.run(main())
