"""The ClickHouse engine in this process: chdb, MergeTree on disk, one engine for one directory.

Each handle is a session of its own (USE, SET); handles of one engine run statements side by side, and the
interpreter is free meanwhile.
"""

import contextlib
import fcntl
import os
import queue
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from transport.boot import boot_id
from transport.errors import ClickHouseUnavailable, StatementRefused

_INLINE_BYTES = 128 * 1024
# The rows of an insert come in one piece: more threads only cost time. Its skip indexes are a tenth of what a
# small one costs, and tell nothing that its few rows do not: the first merge makes them.
_INSERT = " SETTINGS max_threads = 1, max_insert_threads = 1, materialize_skip_indexes_on_insert = 0"
# An Avro file names its columns: to name them twice costs as much as to write a few. What it lacks gets its
# default.
_UNNAMED = ", input_format_avro_allow_missing_fields = 1"
_CODE = re.compile(r"Code: (\d+)")
_INNER = r"\1"
_LOW_CARDINALITY = re.compile(r"^LowCardinality\((.*)\)$")


_open_here: list[str] = []
"""Directories that this process has open, so that their locks are its own. chdb allows no second one."""


class EmbeddedEngine:
    """Implements `transport.clickhouse.Engine`. Keeps its idle handles, for a handle is a running session."""

    def __init__(self, directory: Path, database: str, session: Mapping[str, str]) -> None:
        """Opens the directory, which only one process can have open at a time, and creates the database.

        Raises `ClickHouseUnavailable` when another process has it, or when it can't be written.
        """
        self._path = os.path.realpath(directory)
        self._database = database
        self._session = _settings(session)
        # Of the rows that a token stands for: a power cut may take them, and leave the token.
        self._boot = boot_id()
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._types: dict[str, dict[str, str]] = {}
        """Of the columns of tables that much was inserted into."""
        _prepare(self._path)
        # The library has 500 MB and takes a second: not for those who use a server.
        import chdb

        self._connect: Any = chdb.connect
        first = self._handle("default")
        self._query(first, f"CREATE DATABASE IF NOT EXISTS {_quoted(database)}", {})
        self._query(first, f"USE {_quoted(database)}", {})
        # Kept open, since the engine ends with its last handle.
        self._anchor = first
        _open_here.append(self._path)

    def run(self, sql: str, parameters: Mapping[str, str]) -> bytes:
        """See `Engine.run`."""
        with self._borrowed() as handle:
            return self._query(handle, sql, parameters)

    def run_read_only(self, sql: str, parameters: Mapping[str, str], settings: Mapping[str, str]) -> bytes:
        """See `Engine.run_read_only`."""
        # Never used again, since readonly = 1 can't be taken back: opening another takes 0.1 ms.
        with contextlib.closing(self._handle(self._database)) as handle:
            self._query(handle, f"SET {_settings({**settings, 'readonly': '1'})}", {})
            return self._query(handle, sql, parameters)

    def insert(self, table: str, columns: Sequence[str], data: bytes, input_format: str, token: str) -> None:
        """See `Engine.insert`."""
        named = f"INSERT INTO {table} ({', '.join(map(_quoted, columns))})"
        known = _literal(f"{token}@{self._boot}")
        settings = _INSERT + (f", insert_deduplication_token = {known}" if token else "")
        with self._borrowed() as handle:
            if len(data) <= _INLINE_BYTES and not _has_blank_line(data):
                unnamed = f"INSERT INTO {table}{settings}{_UNNAMED}"
                into = unnamed if input_format == "Avro" else named + settings
                self._query(handle, f"{into} FORMAT {input_format}\n".encode() + data, {})
                return
            # Inline data is copied more than once on its way: from here on reading a file is cheaper.
            structure = self._structure(handle, table, columns)
            with file_of(data) as path:
                source = f"file('{path}', {input_format}, {_literal(structure)})"
                self._query(handle, f"{named} SELECT * FROM {source}{settings}", {})  # noqa: S608

    def close(self) -> None:
        """See `Engine.close`."""
        while not self._idle.empty():
            self._idle.get().close()
        self._anchor.close()
        _open_here.remove(self._path)

    def _structure(self, handle: Any, table: str, columns: Sequence[str]) -> str:
        """What to read `columns` as. Not as LowCardinality: to look up each value as it is read is a third of
        what a large insert costs, and converting a whole column next to nothing."""
        if table not in self._types:
            described = orjson.loads(self._query(handle, f"DESCRIBE TABLE {table} FORMAT JSONCompact", {}))
            self._types[table] = {name: type_name for name, type_name, *_ in described["data"]}
        types = self._types[table]
        return ", ".join(f"{_quoted(name)} {_LOW_CARDINALITY.sub(_INNER, types[name])}" for name in columns)

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[Any]:
        try:
            handle = self._idle.get_nowait()
        except queue.Empty:
            handle = self._handle(self._database)
        try:
            yield handle
        except BaseException:
            # What it has given of an answer that broke off would come before its next one.
            handle.close()
            raise
        self._idle.put(handle)

    def _handle(self, database: str) -> Any:
        try:
            handle = self._connect(self._path)
        except RuntimeError as refused:
            raise ClickHouseUnavailable(
                f"the embedded ClickHouse engine cannot open {self._path}: {_one_line(refused)}"
            ) from refused
        self._query(handle, f"USE {_quoted(database)}", {})
        self._query(handle, f"SET {self._session}", {})
        return handle

    def _query(self, handle: Any, sql: str | bytes, parameters: Mapping[str, str]) -> bytes:
        try:
            output: bytes = handle.query(sql, "TabSeparated", params=dict(parameters)).bytes()
        except Exception as refused:  # chdb raises RuntimeError subclasses of its own for all that goes wrong
            code = _CODE.search(str(refused))
            raise StatementRefused(_one_line(refused), int(code[1]) if code else 0) from refused
        return output


def _has_blank_line(data: bytes) -> bool:
    """The engine takes inline data, of whatever format, to end there; so also data that begins with one."""
    return data.startswith(b"\n") or b"\n\n" in data


def _prepare(path: str) -> None:
    """Raises `ClickHouseUnavailable` while that can still be told apart from any other failure to start."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        if path not in _open_here:
            with (Path(path) / "status").open("a") as status:
                fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as locked:
        raise ClickHouseUnavailable(
            f"another process has the embedded ClickHouse engine open in {path}: stop it, or set "
            "HOPLINE_CLICKHOUSE to a server (http://user:password@host:8123/hopline) or to another directory"
        ) from locked
    except OSError as refused:
        raise ClickHouseUnavailable(
            f"the embedded ClickHouse engine cannot write to {path} ({refused.strerror}): "
            "set HOPLINE_CLICKHOUSE to a directory that it can write to"
        ) from refused


@contextlib.contextmanager
def file_of(data: bytes) -> Iterator[str]:
    """A file in memory that the engine can open by its path, as long as the context lasts."""
    number = os.memfd_create("insert")
    try:
        with open(number, "wb", closefd=False) as file:
            file.write(data)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _settings(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {_literal(value)}" for name, value in settings.items())


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
