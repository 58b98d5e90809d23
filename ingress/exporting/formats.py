"""How an export is written: each format asks ClickHouse for pages in its own way, and makes bytes of them."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from ingress.exporting.kinds import ColumnKind, Kind

_FORMULA = r"^[=+@\\t\\r-]"
"""As a literal of SQL, which has its backslashes twice."""
_ROW_GROUP_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Encoded:
    """A page, encoded. `content` may be empty: some of it may come with a later page."""

    content: bytes
    rows: int
    last: Mapping[str, str | None]
    """The last row, by the columns of the key."""


class Writer(Protocol):
    """Writes one file. Its methods block, for as long as a page of some MB takes."""

    output_format: str
    """What ClickHouse is to give for a page."""

    def select(self, name: str, kind: ColumnKind) -> str:
        """A column, as it is to be asked for under its own name."""

    def page(self, answer: bytes) -> Encoded:
        """One page, as ClickHouse has given it."""

    def end(self) -> bytes:
        """What is left once all pages are written."""


@dataclass(frozen=True, slots=True)
class Format:
    """One that can be asked for."""

    suffix: str
    content_type: str
    open: Callable[[Kind], Writer]


class JsonLines:
    """An object a line; JSON columns are values in it."""

    output_format = "JSONCompact"

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._json = [name for name, column in kind.columns.items() if column == "json"]

    def select(self, name: str, kind: ColumnKind) -> str:
        """See `Writer.select`."""
        return f"nullIf({name}, '') AS {name}" if kind == "id" else name

    def page(self, answer: bytes) -> Encoded:
        """See `Writer.page`."""
        rows = orjson.loads(answer)["data"]
        names = tuple(self._kind.columns)
        lines = bytearray()
        row: dict[str, Any] = {}
        for values in rows:
            row = dict(zip(names, values, strict=True))
            last = {name: row[name] for name in self._kind.key}
            for name in self._json:
                # Never parsed: what was recorded is written as it is.
                row[name] = orjson.Fragment(row[name]) if row[name] else None
            lines += orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        return Encoded(bytes(lines), len(rows), last if rows else {})

    def end(self) -> bytes:
        """See `Writer.end`."""
        return b""


class Csv:
    """RFC 4180 with a line of names. No cell is a formula for a spreadsheet."""

    output_format = "ArrowStream"

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._is_first = True

    def select(self, name: str, kind: ColumnKind) -> str:
        """See `Writer.select`. What a spreadsheet would take for a formula gets an apostrophe before it, by
        the advice of OWASP: texts of a run come from whoever may send an event."""
        column = _arrow_column(name, kind)
        if kind == "plain" or kind == "uuid":
            return f"{column} AS {name}"
        is_formula = f"match(ifNull({column}, ''), '{_FORMULA}')"
        return f"if({is_formula}, concat('\\'', {column}), {column}) AS {name}"

    def page(self, answer: bytes) -> Encoded:
        """See `Writer.page`."""
        from pyarrow import csv

        table = _table(answer)
        sink = io.BytesIO()
        csv.write_csv(table, sink, csv.WriteOptions(include_header=self._is_first))
        self._is_first = False
        return Encoded(sink.getvalue(), table.num_rows, _last(self._kind, table))

    def end(self) -> bytes:
        """See `Writer.end`."""
        return b""


class Parquet:
    """Compressed with zstd, in row groups of a few MB; only their positions are kept in memory."""

    output_format = "ArrowStream"

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._sink = _Sink()
        self._writer: Any = None
        self._pending: list[Any] = []
        self._pending_bytes = 0

    def select(self, name: str, kind: ColumnKind) -> str:
        """See `Writer.select`."""
        return f"{_arrow_column(name, kind)} AS {name}"

    def page(self, answer: bytes) -> Encoded:
        """See `Writer.page`."""
        from pyarrow import parquet

        table = _table(answer)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._sink, table.schema, compression="zstd")
        self._pending.append(table)
        self._pending_bytes += table.nbytes
        if self._pending_bytes >= _ROW_GROUP_BYTES:
            self._write()
        return Encoded(self._sink.take(), table.num_rows, _last(self._kind, table))

    def end(self) -> bytes:
        """See `Writer.end`."""
        self._write()
        self._writer.close()
        return self._sink.take()

    def _write(self) -> None:
        import pyarrow

        rows = pyarrow.concat_tables(self._pending)
        if rows.num_rows:
            self._writer.write_table(rows, row_group_size=rows.num_rows)
        self._pending, self._pending_bytes = [], 0


class _Sink(io.RawIOBase):
    """A file that hands over what was written to it, and forgets it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        part = bytes(content)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _arrow_column(name: str, kind: ColumnKind) -> str:
    # Arrow would have the sixteen bytes of a UUID.
    if kind == "uuid":
        return f"toString({name})"
    return f"nullIf({name}, '')" if kind == "id" else name


def _table(answer: bytes) -> Any:
    # Half a second and 60 MB: not for those who export nothing.
    from pyarrow import ipc

    return ipc.open_stream(answer).read_all()


def _last(kind: Kind, table: Any) -> Mapping[str, str | None]:
    if not table.num_rows:
        return {}
    return {name: table.column(name)[-1].as_py() for name in kind.key}


FORMATS = {
    "csv": Format("csv", "text/csv; charset=utf-8; header=present", Csv),
    "jsonl": Format("jsonl", "application/x-ndjson", JsonLines),
    "parquet": Format("parquet", "application/vnd.apache.parquet", Parquet),
}
