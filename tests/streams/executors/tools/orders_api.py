"""A real HTTP API for the tests, with its OpenAPI document: it records what it gets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

PNG = b"\x89PNG\r\n\x1a\n\x00"

_STRING = {"type": "string"}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": "1"},
    "servers": [{"url": "http://orders.invalid"}],
    "paths": {
        "/orders/{id}": {
            "get": {
                "operationId": "getOrder",
                "summary": "One order by its number",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                    {"name": "fields", "in": "query", "schema": {"type": "array", "items": _STRING}},
                    {"name": "tags", "in": "query", "explode": False, "schema": {"type": "array"}},
                    {"name": "filter", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
                    {"name": "lang", "in": "query", "schema": {"enum": ["de", "en"], "default": "en"}},
                    {"name": "X-Trace", "in": "header", "schema": _STRING},
                    {"name": "seen", "in": "cookie", "schema": {"type": "boolean"}},
                ],
            }
        },
        "/orders": {
            "post": {
                "operationId": "addOrder",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["item"],
                                "properties": {
                                    "item": _STRING,
                                    "count": {"type": "integer", "default": 1},
                                    "note": {"type": "object"},
                                },
                            }
                        }
                    },
                },
            },
            "put": {
                "operationId": "uploadOrder",
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "properties": {"scan": {"type": "string", "format": "binary"}, "by": _STRING}
                            }
                        }
                    }
                },
            },
            "patch": {
                "operationId": "formOrder",
                "requestBody": {
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": {"properties": {"a": _STRING, "b": {"type": "array"}}}
                        }
                    }
                },
            },
        },
        "/fails": {"get": {"operationId": "fails"}},
        "/picture": {"get": {"operationId": "picture"}},
        "/large": {"get": {"operationId": "large"}},
        "/slow": {"get": {"operationId": "slow"}},
        "/away": {
            "get": {
                "operationId": "away",
                "parameters": [{"name": "to", "in": "query", "schema": _STRING}],
            }
        },
    },
}


class OrdersApi:
    """`received`: method, path with query, headers by small names, body. `most_at_once`: of all requests."""

    def __init__(self) -> None:
        self.port = 0
        self._at_once = self.most_at_once = 0
        self.received: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._answer(request)
        finally:
            self._at_once -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append((request.method, request.path_qs, headers, await request.read()))
        match request.path:
            case "/fails":
                return web.Response(status=418, text=f"no: {headers.get('authorization')}")
            case "/picture":
                disposition = {"Content-Disposition": 'attachment; filename="dot.png"'}
                return web.Response(body=PNG, content_type="image/png", headers=disposition)
            case "/large":
                return web.Response(text="x" * 5000)
            case "/slow":
                return await self._never(request)
            case "/orders/99":
                await asyncio.sleep(0.05)
            case "/away":
                raise web.HTTPFound(request.query["to"])
        answer = {"path": request.path, "told": headers.get("authorization")}
        return web.Response(text=json.dumps(answer), content_type="application/json")

    async def _never(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while request.transport is not None:
            await response.write(b".")
            await asyncio.sleep(0.01)
        return response


@asynccontextmanager
async def orders_api() -> AsyncIterator[OrdersApi]:
    """Serves on a free port for as long as the block lasts."""
    api = OrdersApi()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        api.port = runner.addresses[0][1]
        yield api
    finally:
        await runner.cleanup()
