"""Reads what a search finds from ClickHouse page by page, so that no query takes long, whoever waits for it.

The newest day comes first; within a day rows come as the tables are sorted: by app, by workflow, by run. A
page begins where the one before has ended, by the key of its last row, which never changes.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ingress.errors import Malformed
from ingress.exporting.formats import Encoded, Writer
from ingress.exporting.kinds import Kind
from ingress.history import TOO_MUCH, SearchLimits
from ingress.search import Span, Where
from schemas.search import Filter
from transport.clickhouse import ClickHouse
from transport.errors import StatementRefused

_FIRST_ROWS = 1_000
_MOST_ROWS = 50_000
_PAGE_BYTES = 8 * 1024 * 1024
"""What a page should have; its rows are made out from those of the page before."""
_GROWTH = 4
_COUNT_S = 10.0
_LIMITS = SearchLimits(seconds=60.0)


@dataclass(frozen=True, slots=True)
class Outline:
    """What there is to export."""

    days: tuple[date, ...]
    """On which there may be rows, the newest first."""
    rows: int | None
    """How many there are now; None where counting takes too long."""


class Export:
    """One export: `kind` of what fits `chosen`, as of `now`; what begins later is not in it."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        kind: Kind,
        chosen: Filter,
        tenant_id: str,
        *,
        now: datetime,
        limits: SearchLimits = _LIMITS,
    ) -> None:
        self._clickhouse = clickhouse
        self._kind = kind
        self._chosen = chosen
        self._tenant_id = tenant_id
        self._span = Span(chosen.since, min(chosen.until or now, now))
        self._limits = limits

    async def outline(self) -> Outline:
        """Raises `TransportError`."""
        kind, day = self._kind, f"toDate({self._kind.time}) AS day"
        found = kind.where(self._chosen, self._tenant_id, self._span)
        if found is None:
            return Outline((), 0)
        order = "GROUP BY day ORDER BY day DESC"
        counting = f"SELECT {day}, count() FROM {kind.view} WHERE {found.sql} {order}"  # noqa: S608
        try:
            counted = await self._clickhouse.query(counting + self._settings(_COUNT_S), found.parameters)
        except StatementRefused as refused:
            if refused.code not in TOO_MUCH:
                raise
            place = " AND ".join(found.place)
            looking = f"SELECT {day}, 0 FROM {kind.table} WHERE {place} {order}"  # noqa: S608
            rows = await self._clickhouse.query(looking, found.parameters)
            return Outline(tuple(date.fromisoformat(one) for one, _ in rows.rows), None)
        days = tuple(date.fromisoformat(one) for one, _ in counted.rows)
        return Outline(days, sum(rows for _, rows in counted.rows))

    async def pages(self, outline: Outline, writer: Writer) -> AsyncIterator[Encoded]:
        """At least one, for a file has its names also when it has no rows. Raises `TransportError`, and
        `Malformed` for a search that takes too much however small a page is."""
        limit = _FIRST_ROWS
        # Without a day, the first one of all times has no rows.
        for day in outline.days or (date(1970, 1, 1),):
            last: Encoded | None = None
            while True:
                answer, wanted = await self._smaller(day, last, writer, limit)
                page = await asyncio.to_thread(writer.page, answer)
                if page.rows or not outline.days:
                    yield page
                if page.rows < wanted:
                    break
                last = page
                fitting = page.rows * _PAGE_BYTES // max(1, len(answer))
                limit = max(1, min(fitting, wanted * _GROWTH, _MOST_ROWS))

    async def _smaller(
        self, day: date, last: Encoded | None, writer: Writer, limit: int
    ) -> tuple[bytes, int]:
        """A page of `limit` rows, or of fewer if these are too large; and how many were asked for."""
        while True:
            try:
                return await self._page(day, last, writer, limit), limit
            except StatementRefused as refused:
                if refused.code not in TOO_MUCH:
                    raise
                if limit == 1:
                    raise Malformed("this export has to read too much: narrow it down") from refused
                limit = max(1, limit // _GROWTH)

    async def _page(self, day: date, last: Encoded | None, writer: Writer, limit: int) -> bytes:
        kind, midnight = self._kind, datetime(day.year, day.month, day.day, tzinfo=UTC)
        start, end = midnight, midnight + timedelta(days=1)
        span = Span(max(start, self._span.start or start), min(end, self._span.end or end))
        found = kind.where(self._chosen, self._tenant_id, span) or Where(["0"])
        kind.on(day, found)
        if last is not None:
            kind.after(last.last, found)
        columns = ", ".join(writer.select(f"`{name}`", column) for name, column in kind.columns.items())
        sql = (
            f"SELECT {columns} FROM {kind.view} WHERE {found.sql} "  # noqa: S608
            f"ORDER BY {', '.join(kind.key)} LIMIT {limit}"
        )
        settings = self._settings(self._limits.seconds)
        return await self._clickhouse.read(sql + settings, found.parameters, writer.output_format)

    def _settings(self, seconds: float) -> str:
        # A column keeps its name when it is written in another way: conditions mean what the table has.
        return self._limits.settings(seconds) + ", prefer_column_name_to_alias = 1"
