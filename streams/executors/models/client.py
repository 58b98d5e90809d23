"""One model behind an OpenAI-compatible endpoint."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, stop_after_delay

from schemas.models.model_provider import ModelProvider, ModelSettings
from streams.executors.models.assembly import Assembly
from streams.executors.models.completion import Completion
from streams.executors.models.errors import InvokeConnectionError, InvokeError
from streams.executors.models.messages import ChatRequest
from streams.executors.models.refusals import explained, refusal
from streams.executors.models.stream import END, EventDecoder
from streams.executors.models.usage import Usage, priced
from streams.executors.models.wire import chat_body, completion_body
from transport.bounded import ReplyTooLong, pieces, whole
from transport.egress import EgressRefused
from transport.model_endpoint import ModelEndpoint, wait_s

Mode = Literal["chat", "completion"]

_PATHS: Mapping[Mode, tuple[str, ...]] = {"chat": ("chat", "completions"), "completion": ("completions",)}
_MAX_REPLY_BYTES = 32 << 20


@dataclass(frozen=True, kw_only=True)
class ChatModel:
    """A model of a tenant, ready to be asked; any number of requests may be under way."""

    provider: ModelProvider
    name: str
    """As nodes call it."""
    mode: Mode
    settings: ModelSettings
    api_key: str | None
    session: aiohttp.ClientSession
    """The guarded one."""

    async def chat(self, request: ChatRequest) -> Completion:
        """The whole reply. Raises `InvokeError` once the provider's retries are used up, or of no use."""
        began = time.monotonic()
        body = await self._body(request)
        attempts = AsyncRetrying(
            stop=stop_after_attempt(self.provider.max_retries + 1)
            | stop_after_delay(self.provider.timeout_s),
            wait=self._wait_s,
            retry=retry_if_exception(self._may_pass),
            reraise=True,
        )
        reply: Assembly
        first_at: float | None
        reply, first_at = await attempts(self._attempt, body, request.idempotency_key)
        return Completion(
            text=reply.text,
            reasoning=reply.reasoning,
            reasoning_content=reply.reasoning_content,
            tool_calls=reply.tool_calls(sum(len(message.tool_calls) for message in request.messages)),
            images=reply.images,
            finish_reason=reply.finish_reason,
            usage=self._usage(reply, began, first_at),
        )

    def _usage(self, reply: Assembly, began: float, first_at: float | None) -> Usage:
        ended = time.monotonic()
        counted = Usage(
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            total_tokens=reply.total_tokens or reply.prompt_tokens + reply.completion_tokens,
            latency=ended - began,
            time_to_first_token=None if first_at is None else first_at - began,
            time_to_generate=None if first_at is None else ended - first_at,
        )
        return priced(counted, self.settings.pricing)

    async def _body(self, request: ChatRequest) -> bytes:
        build = chat_body if self.mode == "chat" else completion_body
        arguments = (request, self.name, self.settings, self.provider)
        if any(message.has_media for message in request.messages):
            # Megabytes in base64 take long enough to hold up whatever else runs on the loop.
            return await asyncio.to_thread(build, *arguments)
        return build(*arguments)

    async def _attempt(self, body: bytes, idempotency_key: str | None) -> tuple[Assembly, float | None]:
        """The reply, and the time of its first piece where it was streamed."""
        try:
            async with self.session.post(
                self._endpoint.url(*_PATHS[self.mode]),
                data=body,
                headers=self._headers(idempotency_key),
                timeout=self._timeout(),
                allow_redirects=False,  # another host must not get the key
            ) as response:
                if response.status != 200:
                    told = self._endpoint.without_key(await whole(response, _MAX_REPLY_BYTES))
                    where = self._endpoint.without_key_in(response.headers.get("Location", "elsewhere"))
                    raise refusal(response.status, response.headers, told, self._who, where)
                if response.content_type == "text/event-stream":
                    return await self._streamed(response)
                return self._whole(await whole(response, _MAX_REPLY_BYTES)), None
        except EgressRefused as error:
            raise InvokeConnectionError(f"{self._who}: {error}") from error
        except ReplyTooLong as error:
            raise InvokeError(f"{self._who}: {error}") from error
        except TimeoutError as error:
            raise InvokeConnectionError(f"{self._who} did not answer in time", passing=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = self._endpoint.without_key_in(str(error))
            raise InvokeConnectionError(f"{self._who} cannot be reached: {why}", passing=True) from error

    async def _streamed(self, response: aiohttp.ClientResponse) -> tuple[Assembly, float | None]:
        reply, first, ended, last = Assembly(), None, False, b""
        try:
            async for payload in _events(response):
                if payload == END:
                    ended = True
                    break
                last = payload.encode()
                reply.add(self._chunk(last))
                if first is None and reply.begun:
                    first = time.monotonic()
        except (aiohttp.ClientError, OSError):  # TimeoutError is one
            if reply.finish_reason is None:  # else there is nothing left to say but the tokens
                raise
        if not ended and reply.finish_reason is None:
            raise InvokeConnectionError(f"{self._who} ended its reply in the middle", passing=True)
        if not reply.answered:
            raise InvokeError(f"{self._who} answered without a reply: {self._explained(last)}", passing=True)
        return reply, first

    def _whole(self, body: bytes) -> Assembly:
        reply = Assembly()
        chunk = self._chunk(body)
        if not chunk.get("choices"):
            raise InvokeError(
                f"{self._who} answered without a reply: {self._explained(body)}. Is base_url right?"
            )
        reply.add(chunk)
        return reply

    def _chunk(self, payload: bytes) -> Mapping[str, Any]:
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise InvokeError(
                f"{self._who} answered what is not JSON: {self._explained(payload)}. Is base_url right?"
            ) from error
        if not isinstance(chunk, dict):
            raise InvokeError(f"{self._who} answered what is no object: {self._explained(payload)}")
        if chunk.get("error"):
            raise InvokeError(f"{self._who} gave up: {self._explained(payload)}", passing=True)
        return chunk

    def _explained(self, payload: bytes) -> str:
        return explained(self._endpoint.without_key(payload))[0]

    @property
    def _endpoint(self) -> ModelEndpoint:
        return ModelEndpoint(self.provider, self.api_key, self.session)

    @property
    def _who(self) -> str:
        return f"model provider {self.provider.name!r} (model {self.name})"

    def _headers(self, idempotency_key: str | None) -> dict[str, str]:
        return self._endpoint.headers(idempotency_key)

    def _timeout(self) -> aiohttp.ClientTimeout:
        provider = self.provider
        return aiohttp.ClientTimeout(
            total=provider.timeout_s, connect=provider.connect_timeout_s, sock_read=provider.read_timeout_s
        )

    def _may_pass(self, error: BaseException) -> bool:
        if not isinstance(error, InvokeError) or not error.passing:
            return False
        return (error.retry_after_s or 0) <= self.provider.max_retry_wait_s

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return wait_s(self.provider, state, error.retry_after_s if isinstance(error, InvokeError) else None)


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    decoder = EventDecoder()
    async for piece in pieces(response, _MAX_REPLY_BYTES):
        for payload in decoder.feed(piece):
            yield payload
    for payload in decoder.close():
        yield payload
