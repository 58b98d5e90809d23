"""Writes the records of one topic into its table."""

import asyncio
from collections.abc import Sequence

from confluent_kafka import Message

from schemas.codec import Codec, load
from schemas.errors import UndecodableValue
from schemas.topics import TOPICS
from sinks.container import Container
from sinks.errors import is_data_error
from sinks.letters import Poison, poison
from sinks.token import token_of
from transport.clickhouse import ClickHouse
from transport.errors import StatementRefused

TABLES = {
    "trigger.events": "trigger_event_changes",
    "trigger.logs": "workflow_trigger_log_changes",
    "runs": "workflow_run_changes",
    "node.executions": "workflow_node_execution_changes",
    "knowledge.documents": "knowledge_document_changes",
    "knowledge.chunks": "knowledge_chunk_changes",
    "dead.letters": "dead_letter_changes",
}
"""Topic -> table. A table's columns are named as the fields of the topic's schema."""

_WORTH_A_HALF = 5_000
"""Rows that cost several times what an insert costs besides."""

_Row = tuple[Message, bytes]


class Table:
    """One topic's table. Writing the same records again changes nothing that its view shows."""

    def __init__(self, topic: str, clickhouse: ClickHouse, codec: Codec) -> None:
        schema = TOPICS[topic].schema or ""
        self._topic = topic
        self._clickhouse = clickhouse
        self._container = Container(schema, codec)
        self._columns = [field["name"] for field in load(schema)["fields"]]

    @property
    def name(self) -> str:
        """In ClickHouse."""
        return TABLES[self._topic]

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        """Returns once all records are in the table, but for those that never can be, which it returns.

        Raises `ClickHouseUnavailable`, and `StatementRefused` when the records are not to blame; some of
        them may be in the table then.
        """
        rows, poisons = self._framed(messages)
        try:
            await self._insert(rows)
        except StatementRefused as refused:
            sound, damaged = self._checked(rows)
            if not damaged and not is_data_error(refused):
                raise
            return poisons + damaged + await self._isolate(sound)
        return poisons

    async def write_record(self, value: bytes) -> None:
        """Writes one framed record. Raises as `write` does, and whatever else is wrong with it."""
        await self._clickhouse.insert(
            self.name, self._columns, self._container.pack([self._container.body(value)]), "Avro"
        )

    def _framed(self, messages: Sequence[Message]) -> tuple[list[_Row], list[Poison]]:
        rows: list[_Row] = []
        poisons = []
        for message in messages:
            try:
                rows.append((message, self._container.body(message.value())))
            except UndecodableValue as unreadable:
                poisons.append(poison(self._topic, message, unreadable))
        return rows, poisons

    def _checked(self, rows: Sequence[_Row]) -> tuple[list[_Row], list[Poison]]:
        """Tells damaged records from sound ones by decoding them all: slow, but only after a failure."""
        sound = []
        damaged = []
        for row in rows:
            try:
                self._container.check(row[0].value())
                sound.append(row)
            except UndecodableValue as unreadable:
                damaged.append(poison(self._topic, row[0], unreadable))
        return sound, damaged

    async def _isolate(self, rows: Sequence[_Row]) -> list[Poison]:
        """Writes by halves until each record that ClickHouse refuses stands alone."""
        try:
            await self._insert(rows)
        except StatementRefused as refused:
            if not is_data_error(refused):
                raise
            if len(rows) == 1:
                return [poison(self._topic, rows[0][0], refused)]
            half = len(rows) // 2
            return await self._isolate(rows[:half]) + await self._isolate(rows[half:])
        return []

    async def _insert(self, rows: Sequence[_Row]) -> None:
        """Many of them in two halves, side by side: ClickHouse reads each insert in one thread."""
        half = len(rows) // 2
        parts = (rows[:half], rows[half:]) if half >= _WORTH_A_HALF else (rows,)
        ended = await asyncio.gather(*map(self._insert_at_once, parts), return_exceptions=True)
        for failure in ended:
            if failure is not None:
                raise failure

    async def _insert_at_once(self, rows: Sequence[_Row]) -> None:
        if rows:
            packed = self._container.pack(body for _, body in rows)
            token = token_of(self._topic, [message for message, _ in rows], packed)
            await self._clickhouse.insert(self.name, self._columns, packed, "Avro", token)
