"""The world outside of both engines: one local server, which models and HTTP services are reached at."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.graphs import Json

_ANY: Json = {"text": "A short text about nothing much."}
"""The reply of a model that the job says nothing about."""


class World:
    """`/v1` is an OpenAI-compatible endpoint, `/tools/<name>` are tools, with the replies of the job at hand.

    Any other path answers as its query says (`status`, `type`, `body`, or `base64` for one that is no text),
    by default with what was sent, as JSON.
    """

    def __init__(self) -> None:
        self.models: Mapping[str, Json] = {}
        self.tools: Mapping[str, Json] = {}
        self.asked: list[Json] = []
        self.called: list[Json] = []
        self.url = ""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/v1/rerank", self._rerank)
        app.router.add_post("/retrieval", self._retrieve)
        app.router.add_post("/tools/{name}", self._call)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start(self) -> None:
        """Listens on a free port of 127.0.0.1."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Hangs up."""
        await self._runner.cleanup()

    def begin(self, models: Mapping[str, Json], tools: Mapping[str, Json]) -> None:
        """Another job."""
        self.models, self.tools = models, tools
        self.asked, self.called = [], []

    async def _answer(self, request: web.Request) -> web.Response:
        query = request.query
        sent = {
            "method": request.method,
            "path": request.path,
            "query": list(query.items()),
            "type": request.headers.get("Content-Type", "").partition(";")[0],
            "named": {name: value for name, value in request.headers.items() if name.startswith("X-")},
            "authorization": request.headers.get("Authorization"),
            "body": await self._body(request),
        }
        text = query.get("body", json.dumps(sent, sort_keys=True))
        return web.Response(
            body=base64.b64decode(query["base64"]) if "base64" in query else text.encode(),
            status=int(query.get("status", "200")),
            content_type=query.get("type", "application/json"),
            charset=None if "base64" in query else "utf-8",
            # Clocks and ports are no part of what is compared.
            headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"},
        )

    @staticmethod
    async def _body(request: web.Request) -> Any:
        if request.content_type == "multipart/form-data":
            return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        text = await request.text()
        return json.loads(text) if text and request.content_type == "application/json" else text

    async def _call(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.tools:
            return await self._answer(request)
        reply, body = self.tools[name], await request.read()
        self.called.append({"tool": name, "arguments": json.loads(body or b"{}")})
        return web.Response(text=reply["body"], status=reply.get("status", 200), content_type=reply["type"])

    async def _rerank(self, request: web.Request) -> web.Response:
        documents = (await request.json())["documents"]
        return web.json_response(
            {"results": [{"index": i, "relevance_score": 0.5} for i in range(len(documents))]}
        )

    async def _retrieve(self, _: web.Request) -> web.Response:
        passage = {"content": "a passage", "score": 0.9, "title": "a document", "metadata": {}}
        return web.json_response({"records": [passage]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        messages = [{"role": one["role"], "content": _text(one["content"])} for one in asked["messages"]]
        self.asked.append({"model": asked["model"], "messages": messages})
        reply = self.models.get(asked["model"], _ANY)
        if reply.get("error"):
            return web.json_response({"error": {"message": reply["error"]}}, status=400)
        message = _message(reply, messages[-1]["content"])
        usage = {
            "prompt_tokens": reply.get("prompt_tokens", 7),
            "completion_tokens": reply.get("completion_tokens", 3),
        }
        usage["total_tokens"] = sum(usage.values())
        body = {"id": "c", "object": "chat.completion", "created": 0, "model": asked["model"], "usage": usage}
        if not asked.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response({**body, "choices": [choice]})
        return await _stream(request, body, message)


async def _stream(request: web.Request, body: Json, message: Json) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    calls = [{"index": i, **call} for i, call in enumerate(message.get("tool_calls") or ())]
    delta = {**message, "tool_calls": calls} if calls else message
    body = {**body, "object": "chat.completion.chunk"}
    usage = body.pop("usage")
    for chunk in (
        {**body, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**body, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**body, "choices": [], "usage": usage},
    ):
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


def _message(reply: Json, last: str) -> Json:
    message: Json = {"role": "assistant", "content": reply["text"].replace("{last}", last)}
    if calls := reply.get("tool_calls"):
        message["tool_calls"] = [
            {
                "id": f"call{i}",
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
            }
            for i, call in enumerate(calls)
        ]
    return message


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())
