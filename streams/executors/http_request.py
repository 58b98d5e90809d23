"""The http-request node: one request, through the egress guard, under the node's own execution id."""

import mimetypes
from collections.abc import Mapping
from functools import partial
from typing import Any

import aiohttp

from streams.executors.files import Files
from streams.executors.http_errors import HttpRequestNodeError, ToolSSRFError
from streams.executors.http_prepare import PreparedRequest, prepare
from streams.executors.http_response import ReadResponse, read_response
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.settings import HttpSettings
from transport.egress import EgressRefused
from transport.guarded_session import EgressGuard, withhold
from transport.masking import Secrets, concealed_file, secrets_in
from transport.retry_after import retry_after_s

_MAX_REDIRECTS = 20
_SHOWN_BODY_CHARS = 10_000


class HttpRequestExecutor:
    """A `NodeExecutor`. Whatever goes wrong on the way to the peer and back is the node's failure."""

    def __init__(
        self, session: aiohttp.ClientSession, guard: EgressGuard, settings: HttpSettings, files: Files
    ) -> None:
        """The session is the guard's and belongs to the caller."""
        self._files = files
        self._session = session
        self._guard = guard
        self._settings = settings

    async def __call__(self, call: NodeCall) -> Outcome:
        """`config` has its variables put in, files as their values."""
        try:
            request = await prepare(call.config, call.execution_id, partial(self._read, call.tenant_id))
        except HttpRequestNodeError as error:
            return _failed(error, {})
        hide = secrets_in([*call.secrets, request.encoded_pair])
        return (await self._outcome(request, call, hide)).without(hide)

    async def _outcome(self, request: PreparedRequest, call: NodeCall, hide: Secrets | None) -> Outcome:
        process_data = {"request": _shown(request)}
        try:
            response = await self._send(request, call)
        except HttpRequestNodeError as error:
            return _failed(error, process_data)
        files = await self._files_of(response, request, call, hide)
        return _outcome(response, files, call.config, process_data)

    async def _read(self, tenant_id: str, file: Mapping[str, Any]) -> bytes:
        return await self._files.read_file(file, tenant_id)

    async def _files_of(
        self, response: ReadResponse, request: PreparedRequest, call: NodeCall, hide: Secrets | None
    ) -> list[dict[str, Any]]:
        """A response that is a file is stored, and its value handed on."""
        if not response.is_file:
            return []
        named = response.filename
        kind = (mimetypes.guess_type(named)[0] if named else None) or response.content_type
        stored = await self._files.save_file(
            call.tenant_id,
            concealed_file(response.content, hide),
            identity=f"{call.execution_id}/0",
            filename=named or request.url.name,
            mime_type=kind or None,
        )
        return [stored]

    async def _send(self, request: PreparedRequest, call: NodeCall) -> ReadResponse:
        config = call.config
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body or None,
                timeout=self._timeout(config.get("timeout") or {}),
                ssl=self._verifies(config),
                max_redirects=_MAX_REDIRECTS,
                allow_redirects=True,
                middlewares=(self._guard.middleware, withhold(request.url, _secret_headers(request, call))),
            ) as response:
                return await read_response(response, self._settings)
        except EgressRefused as error:
            raise ToolSSRFError(str(error)) from error
        except aiohttp.TooManyRedirects as error:
            raise HttpRequestNodeError(f"Exceeded {_MAX_REDIRECTS} redirects at {request.url}") from error
        except TimeoutError as error:
            raise HttpRequestNodeError(f"The request timed out: {str(error) or 'no answer'}") from error
        except HttpRequestNodeError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise HttpRequestNodeError(str(error) or type(error).__name__) from error

    def _timeout(self, wanted: Mapping[str, Any]) -> aiohttp.ClientTimeout:
        """The client knows no write timeout, so that one counts towards the bound on the whole exchange."""
        settings = self._settings
        connect = _bounded(wanted.get("connect"), settings.max_connect_timeout_s)
        read = _bounded(wanted.get("read"), settings.max_read_timeout_s)
        write = _bounded(wanted.get("write"), settings.max_write_timeout_s)
        return aiohttp.ClientTimeout(total=connect + read + write, connect=connect, sock_read=read)

    def _verifies(self, config: Mapping[str, Any]) -> bool:
        wanted = config.get("ssl_verify")
        return self._settings.ssl_verify if wanted is None else bool(wanted)


def _outcome(
    response: ReadResponse,
    files: list[dict[str, Any]],
    config: Mapping[str, Any],
    process_data: dict[str, Any],
) -> Outcome:
    outputs = {
        "status_code": response.status,
        "body": "" if files else response.text,
        "headers": dict(response.headers),
        "files": files,
    }
    if response.succeeded or not _handles_errors(config):
        return Outcome("succeeded", outputs=outputs, process_data=process_data)
    return Outcome(
        "failed",
        outputs=outputs,
        process_data=process_data,
        error=f"Request failed with status code {response.status}",
        error_type="HTTPResponseCodeError",
        status_code=response.status,
        retry_after_s=retry_after_s(response.headers),
    )


def _failed(error: HttpRequestNodeError, process_data: dict[str, Any]) -> Outcome:
    return Outcome("failed", process_data=process_data, error=str(error), error_type=type(error).__name__)


def _handles_errors(config: Mapping[str, Any]) -> bool:
    """Only a node that retries or has an error strategy fails on a status; else later nodes look at it."""
    retries = bool((config.get("retry_config") or {}).get("retry_enabled"))
    return retries or config.get("error_strategy") not in (None, "", "none")


def _bounded(wanted: Any, most: float) -> float:
    """Zero, none and what is no number stand for the default, which is the maximum."""
    try:
        return min(float(wanted or most), most)
    except (TypeError, ValueError):
        return most


def _secret_headers(request: PreparedRequest, call: NodeCall) -> set[str]:
    """In small letters: what the author of the workflow means for the host of the URL alone."""
    return {
        name.lower()
        for name, value in request.headers.items()
        if name == request.secret_header or any(secret in value for secret in call.secrets)
    }


def _shown(request: PreparedRequest) -> str:
    """The request as text for the reader of the run, without the credentials."""
    secret = (request.secret_header or "").lower()
    lines = [
        f"{request.method} {request.url.raw_path_qs} HTTP/1.1",
        f"Host: {request.url.host_port_subcomponent}",
    ]
    lines += [
        f"{name}: {'***' if name.lower() == secret else value}" for name, value in request.headers.items()
    ]
    body = request.body.decode("utf-8", "replace") if request.shown_body is None else request.shown_body
    if len(body) > _SHOWN_BODY_CHARS:
        body = f"{body[:_SHOWN_BODY_CHARS]}… ({len(request.body)} bytes)"
    return "\r\n".join([*lines, "", body])
