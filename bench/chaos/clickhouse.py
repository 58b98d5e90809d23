"""`python -m bench.chaos.clickhouse --port P --directory D`: a ClickHouse server, as far as clients need it.

No package brings the server's own program along. This one takes what a server takes over HTTP, and the real
engine (chdb) executes it on a directory that outlives the process. So ingresses and sinks are processes of
their own, on one history, and the server can be killed or stopped by itself.
"""

import argparse
import base64
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb

from transport.clickhouse_embedded import file_of

USER, PASSWORD = "app", "p/w"

_AUTHORIZATION = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
_INSERT = re.compile(rb"\s*(INSERT\s+INTO\s[^\n]*?)\sFORMAT\s+(\w+)\n", re.IGNORECASE)
_AUTHENTICATION_FAILED = 516
_connect: Callable[[str], Any] = chdb.connect  # which has no types
# Parameters of a request that are no settings.
_OF_HTTP = {
    "client_protocol_version",
    "compress",
    "database",
    "decompress",
    "enable_http_compression",
    "http_headers_progress_interval_ms",
    "query",
    "query_id",
    "role",
    "send_progress_in_http_headers",
    "session_id",
    "wait_end_of_query",
}


class ClickHouseServer:
    """One engine behind ClickHouse's HTTP interface: one request, one session. Its own threads serve it."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        """Opens the directory, which only one process can have open at a time. Port 0 picks a free one."""
        path = os.path.realpath(directory)
        # Kept open, since the engine ends with its last session.
        self._anchor = _connect(path)
        self._running = _Running()
        served = {"engine": path, "running": self._running}
        self._http = ThreadingHTTPServer(("127.0.0.1", port), type("Served", (_Handler,), served))
        # Connections stay open while nothing is asked.
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, name="clickhouse")
        self._thread.start()

    @property
    def dsn(self) -> str:
        """For HOPLINE_CLICKHOUSE, without a database."""
        return dsn(self._http.server_port)

    def close(self) -> None:
        """Ends with the statements under way: the engine must not be closed under them."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._running.end()
        self._anchor.close()


def dsn(port: int) -> str:
    """Of a server at this port, without a database."""
    return f"http://{USER}:{PASSWORD.replace('/', '%2F')}@127.0.0.1:{port}"


class Ended(Exception):
    """No statement is begun any more."""


class _Running:
    """How many statements are under way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._ended = False

    def __enter__(self) -> None:
        with self._changed:
            if self._ended:
                raise Ended("the server is about to end")
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def end(self) -> None:
        """Returns when none is, and none will be."""
        with self._changed:
            self._ended = True
            self._changed.wait_for(lambda: not self._count)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine = ""
    running = _Running()

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self._body()
        if self.headers.get_content_type() == "multipart/form-data":
            # So the client sends what would make the URL too long.
            given, body = given | self._fields(body), b""
        if self.headers.get("Authorization") != _AUTHORIZATION:
            self._answer(
                403, b"Code: 516. DB::Exception: Authentication failed.", code=_AUTHENTICATION_FAILED
            )
            return
        try:
            with (
                self.running,
                _session(self.engine, given) as session,
                _statement(given.get("query", ""), body) as sql,
            ):
                parameters = {k.removeprefix("param_"): v for k, v in given.items() if k.startswith("param_")}
                output = session.query(sql, "TabSeparated", params=parameters).bytes()
        except Exception as refused:  # chdb raises RuntimeErrors of its own for all that goes wrong
            code = str(refused).partition("Code: ")[2].partition(".")[0]
            self._answer(500, str(refused).encode(), code=int(code or 0))
        else:
            self._answer(200, output)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _fields(self, body: bytes) -> dict[str, str]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        fields = {}
        for part in parts:
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            fields[str(part.get_param("name", header="content-disposition"))] = content.decode()
        return fields

    def _answer(self, status: int, body: bytes, code: int | None = None) -> None:
        self.send_response(status)
        if code is not None:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # Whoever has asked may have been killed meanwhile.
        with suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def _session(engine: str, given: Mapping[str, str]) -> Iterator[Any]:
    """With the database and the settings of a request."""
    settings = {k: v for k, v in given.items() if k not in _OF_HTTP and not k.startswith("param_")}
    session = _connect(engine)
    try:
        session.query(f"USE {given.get('database') or 'default'}")
        if settings:
            session.query("SET " + ", ".join(f"{k} = '{_escaped(v)}'" for k, v in settings.items()))
        yield session
    finally:
        session.close()


@contextmanager
def _statement(query: str, body: bytes) -> Iterator[bytes]:
    """What the engine is to execute. It would take data behind an INSERT to end at a blank line."""
    sent = b"\n".join(filter(None, (query.encode(), body)))
    insert = _INSERT.match(sent)
    if insert is None:
        yield sent
        return
    with file_of(sent[insert.end() :]) as path:
        yield b"%b FROM INFILE '%b' FORMAT %b" % (insert[1], path.encode(), insert[2])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos.clickhouse", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    arguments = parser.parse_args()
    # Before there are threads: they take it over, and only `sigwait` gets these.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    server = ClickHouseServer(arguments.directory, arguments.port)
    print(f"ClickHouse {chdb.engine_version} at port {arguments.port}", file=sys.stderr, flush=True)
    signal.sigwait(signals)
    server.close()


if __name__ == "__main__":
    main()
