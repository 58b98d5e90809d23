"""The HTTP API as commands use it: blocking, one connection a call, a refusal is an exception."""

import http.client
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import orjson

from cli.errors import CommandFailed
from cli.forms import FileForm
from cli.settings import ClientSettings, resolve

_API = "/api/v1"
_SILENCE_S = 45.0
"""Longer than a server that has nothing to tell says nothing."""
_FILE_S = 120.0
"""Longer than it takes to find what is to be in a file."""
_CHUNK_BYTES = 256 * 1024
_PAGE_ROWS = 1000
"""The most that the API gives at a time."""
_NO_HEADERS: Mapping[str, str] = {}
_NO_TOKEN = re.compile(r"[^!-~]")
"""What would end the header, or cannot be in one."""
_NO_HOST = re.compile(r"[\x00-\x20\x7f]")


class Refused(CommandFailed):
    """The API has answered with a problem document (RFC 9457)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Download:
    """An answer that is read while it comes."""

    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Client:
    """Calls the API of one deployment with one key. Every call blocks, for `timeout_s` at most.

    All calls raise `CommandFailed` when nothing answers, and `Refused` for an answer of 400 or more.
    """

    def __init__(self, settings: ClientSettings) -> None:
        """Raises `CommandFailed` for a URL or a key that is none."""
        self._settings = settings
        self._url = _split(settings.url)
        token = settings.bearer_token()
        if token and _NO_TOKEN.search(token):
            raise CommandFailed("the API key has a character that none has: copy it again to HOPLINE_API_KEY")
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, *path: str, **query: Any) -> Any:
        """The JSON under /api/v1 at a path, given in segments. A `query` value of None is left out, each
        of a list is sent."""
        return _json(self._call("GET", path, query))

    def pages(self, *path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All rows of a list, asked for as they are needed."""
        cursor: str | None = None
        while True:
            page = self.get(*path, **query, limit=_PAGE_ROWS, cursor=cursor)
            yield from page["data"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def text(self, *path: str, **query: Any) -> str:
        """What is there, as text."""
        return self._call("GET", path, query).decode()

    def lines(self, *path: str, headers: Mapping[str, str] = _NO_HEADERS, **query: Any) -> Iterator[str]:
        """Of a text that is written as things happen, without their ends. Blocks for each, `_SILENCE_S` at
        most. Ends where the text does, be it by accident."""
        with self._answered(self._target(path, query), headers, _SILENCE_S) as answer:
            try:
                while line := answer.readline():
                    yield line.decode().rstrip("\r\n")
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error, self._longer(_SILENCE_S)) from error

    def download(
        self, path: tuple[str, ...], query: Mapping[str, Any], take: Callable[[Download], None]
    ) -> None:
        """Hands an answer over as it comes. Raises `CommandFailed` also for one that breaks off, and what
        `take` raises."""
        with self._answered(self._target(path, query), _NO_HEADERS, _FILE_S) as answer:
            take(Download(dict(answer.headers.items()), _chunks(answer)))

    def post(self, *path: str, body: Any = None, idempotency_key: str | None = None, **query: Any) -> Any:
        """Sends `body` as JSON; None where the answer is empty. Under one key, it is done once."""
        content = orjson.dumps({} if body is None else body)
        more = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return _json(self._call("POST", path, query, content, more=more))

    def put(self, *path: str, body: Any) -> Any:
        """Replaces what is there by `body`, as JSON."""
        return _json(self._call("PUT", path, {}, orjson.dumps(body)))

    def upload(self, *path: str, content: bytes, **query: Any) -> Any:
        """Sends a workflow file."""
        return _json(self._call("POST", path, query, content, "application/yaml"))

    def upload_file(self, path: Path) -> Any:
        """Uploads a file, piece by piece; the answer of POST /api/v1/files. Raises `OSError` for a file that
        cannot be read."""
        with path.open("rb") as file:
            form = FileForm(path.name, file)
            return _json(self._call("POST", ("files",), {}, form, form.content_type, form.size))

    def patch(self, *path: str, body: Any) -> Any:
        """Changes what `body` names."""
        return _json(self._call("PATCH", path, {}, orjson.dumps(body)))

    def delete(self, *path: str, **query: Any) -> None:
        """Returns once it is gone."""
        self._call("DELETE", path, query)

    def _call(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, Any],
        content: bytes | Iterable[bytes] | None = None,
        content_type: str = "application/json",
        size: int | None = None,
        more: Mapping[str, str] = _NO_HEADERS,
    ) -> bytes:
        target = self._target(path, query)
        headers = {**self._authorization, **more}
        if content is not None:
            headers["Content-Type"] = content_type
        if size is not None:
            headers["Content-Length"] = str(size)
        connection = _connection(self._url, self._settings.timeout_s)
        try:
            connection.request(method, target, content, headers)
            answer = connection.getresponse()
            received = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error, self._settings.timeout_s) from error
        finally:
            connection.close()
        self._check(answer.status, received)
        return received

    @contextmanager
    def _answered(
        self, target: str, headers: Mapping[str, str], least_s: float
    ) -> Iterator[http.client.HTTPResponse]:
        """A GET whose answer has begun, to be read inside. `least_s`: how long it may be silent."""
        connection = _connection(self._url, self._longer(least_s))
        try:
            try:
                connection.request("GET", target, None, {**self._authorization, **headers})
                answer = connection.getresponse()
                if answer.status != http.client.OK:
                    self._check(answer.status, answer.read())
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error, self._longer(least_s)) from error
            yield answer
        finally:
            connection.close()

    def _target(self, path: tuple[str, ...], query: Mapping[str, Any]) -> str:
        given = {name: value for name, value in query.items() if value is not None}
        target = self._url.path.rstrip("/") + "/".join((_API, *(quote(part, safe="") for part in path)))
        return target + (f"?{urlencode(given, doseq=True)}" if given else "")

    def _check(self, status: int, received: bytes) -> None:
        if status >= http.client.BAD_REQUEST:
            raise self._refusal(status, received)
        if status >= http.client.MULTIPLE_CHOICES:
            # Following it could hand the key to another host.
            raise CommandFailed(
                f"{self._settings.url} redirects elsewhere: set HOPLINE_URL to where it leads"
            )

    def _longer(self, least_s: float) -> float:
        return max(self._settings.timeout_s, least_s)

    def _unreachable(self, error: Exception, waited_s: float) -> CommandFailed:
        if isinstance(error, TimeoutError):
            return CommandFailed(f"{self._settings.url} did not answer within {waited_s:g} s")
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return CommandFailed(
            f"no Hopline answers at {self._settings.url} ({reason}): "
            "start one with `hopline up`, or set HOPLINE_URL"
        )

    def _refusal(self, status: int, received: bytes) -> Refused:
        lines = _problem_lines(status, received)
        if status == http.client.UNAUTHORIZED:
            where = self._settings.data_dir / "api-key"
            lines[0] += f": set HOPLINE_API_KEY, or run this where {where} is (HOPLINE_DATA_DIR)"
        return Refused(status, "\n".join(lines))


def connect() -> Client:
    """A client for the deployment that the environment names."""
    return Client(resolve(ClientSettings))


def _split(url: str) -> SplitResult:
    """Raises `CommandFailed` for what nobody can be called by."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        is_url = parts.scheme in ("http", "https") and host and parts.port != 0
    except ValueError:  # a port that is none, half of the brackets of an address, a name that is none
        is_url = False
    if not is_url or _NO_HOST.search(parts.netloc):
        raise CommandFailed(f"HOPLINE_URL is {url!r}: it must be like http://127.0.0.1:8080")
    return parts._replace(path=quote(parts.path, safe="/%"))


def _connection(url: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname or "", url.port, timeout=timeout_s)


def _chunks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := answer.read(_CHUNK_BYTES):
            yield chunk
    except (OSError, http.client.HTTPException) as broken:
        raise CommandFailed("the answer broke off half-way: send it again") from broken


def _json(received: bytes) -> Any:
    if not received:
        return None
    try:
        return orjson.loads(received)
    except orjson.JSONDecodeError as wrong:
        raise CommandFailed(
            "the answer is not JSON: does HOPLINE_URL name a Hopline of this release?"
        ) from wrong


def _problem_lines(status: int, received: bytes) -> list[str]:
    """The detail, then each of `errors`."""
    try:
        problem = orjson.loads(received)
        rows = problem.get("errors") or ()
        places = (f"node {row['node']}, {row['field']}" if row.get("node") else row["field"] for row in rows)
        details = [f"  {place}: {row['why']}" for place, row in zip(places, rows, strict=True)]
        return [str(problem.get("detail") or problem.get("title") or f"HTTP {status}"), *details]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return [f"the server answered with HTTP {status}, and no problem document"]
