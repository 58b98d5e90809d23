"""Asks questions with the limits that `hopline sql` has, and notes what ClickHouse says that they took."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import orjson

from bench.analytics.page import Question
from bench.analytics.store import DATABASE
from ingress.sql import SqlLimits
from transport.clickhouse_embedded import EmbeddedEngine


@dataclass(frozen=True, slots=True)
class Took:
    """Of one query: `seconds` is the median over the repetitions."""

    seconds: float
    slowest_s: float
    rows_read: int
    bytes_read: int
    rows: int
    """In the answer."""


class Measurement:
    """A session of its own beside whatever else has the store open in this process."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine
        self._settings = SqlLimits().settings()

    @classmethod
    @contextmanager
    def of(cls, home: Path) -> Iterator["Measurement"]:
        """On the store in `home`, as long as the context lasts."""
        engine = EmbeddedEngine(
            home.resolve() / "clickhouse", DATABASE, {"output_format_json_quote_64bit_integers": "0"}
        )
        try:
            yield cls(engine)
        finally:
            engine.close()

    def ask(self, question: Question, repetitions: int) -> Took:
        """Once for nothing, so that files are in memory, then so often. Raises `StatementRefused`."""
        self._once(question.query)
        return _summary([self._once(question.query) for _ in range(repetitions)])

    def _once(self, query: str) -> Took:
        answer = orjson.loads(self._engine.run_read_only(f"{query}\nFORMAT JSONCompact", {}, self._settings))
        said = answer["statistics"]
        return Took(said["elapsed"], said["elapsed"], said["rows_read"], said["bytes_read"], answer["rows"])


def _summary(repetitions: Sequence[Took]) -> Took:
    last = repetitions[-1]
    seconds = [one.seconds for one in repetitions]
    return Took(median(seconds), max(seconds), last.rows_read, last.bytes_read, last.rows)
