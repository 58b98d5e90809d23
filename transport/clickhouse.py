"""ClickHouse by DSN, the same for the engine in this process (chdb) and for a server (HTTP).

The DSN is described at `transport.settings.ClickHouseSettings`.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, Self

import orjson

from transport.clickhouse_embedded import EmbeddedEngine
from transport.clickhouse_server import ServerEngine
from transport.errors import ClickHouseUnavailable, StatementRefused
from transport.settings import ClickHouseSettings

_THREADS = 4


@dataclass(frozen=True, slots=True)
class Rows:
    """A result. Times are ISO 8601 text in UTC, integers are integers of any size, UUIDs are text."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[Any]]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Engine(Protocol):
    """Where statements run. Every method blocks; any thread may call, several at a time.

    The values of parameters are as ClickHouse takes them, escaped like a field of TSV.
    They raise `ClickHouseUnavailable` when nothing has answered, and `StatementRefused` otherwise.
    """

    def run(self, sql: str, parameters: Mapping[str, str]) -> bytes:
        """The output, in the format that `sql` names."""

    def run_read_only(self, sql: str, parameters: Mapping[str, str], settings: Mapping[str, str]) -> bytes:
        """Likewise in a session that has `settings` and then readonly = 1, which `sql` can't undo."""

    def insert(self, table: str, columns: Sequence[str], data: bytes, input_format: str, token: str) -> None:
        """Returns once the rows are in the table, all of them or none. `token`: see `ClickHouse.insert`."""

    def close(self) -> None:
        """Nothing can be run afterwards."""


class ClickHouse:
    """One database, and a bounded number of threads to reach it from the loop. Unqualified names are its."""

    def __init__(self, engine: Engine, database: str, patience_s: float | None = None) -> None:
        """Takes the engine over: `close` closes it.

        `patience_s`: how long a statement waits for its turn before it raises `ClickHouseUnavailable`; None:
        as long as it takes. Whoever serves clients that give up and ask again needs a limit, or all work will
        be for those who have gone.
        """
        self.database = database
        self._engine = engine
        self._threads = ThreadPoolExecutor(_THREADS, "clickhouse")
        self._turns = asyncio.Semaphore(_THREADS)
        self._patience_s = patience_s
        self._closed = False

    @classmethod
    async def connect(cls, settings: ClickHouseSettings) -> Self:
        """Opens the engine or reaches the server, and creates the database when there is none.

        Raises `ClickHouseUnavailable`, whose message says what to do.
        """
        engine = await asyncio.to_thread(_open, settings)
        if isinstance(engine, ServerEngine):
            await asyncio.to_thread(engine.connect)
        return cls(engine, settings.database)

    @classmethod
    async def prepare(cls, settings: ClickHouseSettings, patience_s: float | None = None) -> Self:
        """`connect`, but a server is reached by the first statement, and by the next when it was away then:
        a statement raises `ClickHouseUnavailable` meanwhile. An embedded engine is opened."""
        engine = await asyncio.to_thread(_open, settings)
        return cls(engine, settings.database, patience_s)

    async def query(self, sql: str, parameters: Mapping[str, str] | None = None) -> Rows:
        """The result of a SELECT without FORMAT; `{name:Type}` in it takes a parameter.

        Raises `ClickHouseUnavailable`, `StatementRefused`.
        """
        return _rows(await self._call(self._engine.run, sql + _OUTPUT, _bound(parameters or {})))

    async def read(self, sql: str, parameters: Mapping[str, str], output_format: str) -> bytes:
        """`query` in a format of ClickHouse's. `sql` may end in SETTINGS. Raises likewise."""
        bound = _bound(parameters)
        output: bytes = await self._call(self._engine.run, f"{sql}\nFORMAT {output_format}", bound)
        return output

    async def query_read_only(
        self, sql: str, parameters: Mapping[str, str], settings: Mapping[str, str]
    ) -> Rows:
        """`query` for a SELECT that somebody else wrote: it can neither write nor change `settings`."""
        bound = _bound(parameters)
        return _rows(await self._call(self._engine.run_read_only, sql + _OUTPUT, bound, settings))

    async def explain(self, sql: str, settings: Mapping[str, str]) -> str:
        """The lines of an EXPLAIN, likewise. It takes no FORMAT: that would be the explained query's. What
        its constants have of bytes that are no text is replaced."""
        output: bytes = await self._call(self._engine.run_read_only, sql, {}, settings)
        return output.decode(errors="replace")

    async def execute(self, sql: str, parameters: Mapping[str, str] | None = None) -> None:
        """A statement without a result. Raises as `query` does."""
        await self._call(self._engine.run, sql, _bound(parameters or {}))

    async def insert(
        self, table: str, columns: Sequence[str], data: bytes, input_format: str, token: str = ""
    ) -> None:
        """Returns once the rows in `data` are in the table, all of them or none. Raises as `query` does.

        A table that remembers its last inserts (`non_replicated_deduplication_window`) takes no second one
        with the same `token`, and says nothing.
        """
        await self._call(self._engine.insert, table, columns, data, input_format, token)

    async def close(self, timeout_s: float | None = None) -> bool:
        """Waits for the statements under way, at most so long; False if some go on. Those that wait for a
        turn raise `ClickHouseUnavailable`.

        The interpreter waits for what goes on before it ends, which is minutes where a server hangs: whoever
        cannot wait ends the process with `os._exit`.
        """
        self._closed = True
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def wait() -> None:
            try:
                self._threads.shutdown()
                self._engine.close()
            finally:
                with suppress(RuntimeError):  # The loop is gone: nobody waits any more.
                    loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=wait, name="clickhouse-close", daemon=True).start()
        try:
            await asyncio.wait_for(ended.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        async with self._turn():
            return await asyncio.get_running_loop().run_in_executor(self._threads, method, *args)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._turns.acquire(), self._patience_s)
        except TimeoutError as late:
            raise ClickHouseUnavailable(
                f"ClickHouse is busy: {_THREADS} queries are under way, and others have waited for "
                f"{self._patience_s:g} s"
            ) from late
        try:
            if self._closed:
                raise ClickHouseUnavailable("this process is about to end")
            yield
        finally:
            self._turns.release()


# On a line of its own, after whatever comment ends the query.
_OUTPUT = "\nFORMAT JSONCompact"

_SESSION = {
    # Of times without one, in parameters and users' queries. Otherwise it is the machine's or the server's.
    "session_timezone": "UTC",
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": "0",
}


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def _bound(parameters: Mapping[str, str]) -> dict[str, str]:
    return {name: value.translate(_ESCAPES) for name, value in parameters.items()}


def _open(settings: ClickHouseSettings) -> Engine:
    if settings.path is not None:
        return EmbeddedEngine(settings.path, settings.database, _SESSION)
    return ServerEngine(settings.dsn.get_secret_value(), settings.database, _SESSION)


def _rows(output: bytes) -> Rows:
    try:
        answer = orjson.loads(output)
        if "exception" in answer:
            # http_write_exception_in_output_format: the rows are those until then.
            raise StatementRefused(answer["exception"], 0)
        meta: Sequence[Mapping[str, str]] = answer["meta"]
        return Rows(tuple(c["name"] for c in meta), tuple(c["type"] for c in meta), answer["data"])
    except (ValueError, KeyError, TypeError) as garbled:
        # A server that fails in the middle of an answer has said 200 already, and so has a proxy with a page.
        raise ClickHouseUnavailable("the answer is no whole result of ClickHouse") from garbled
