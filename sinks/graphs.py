"""Keeps the graph of every published version once, for the `graph` column of `workflow_runs`."""

from collections.abc import Sequence

import orjson
from confluent_kafka import Message
from pydantic import ValidationError

from schemas.codec import Codec
from schemas.errors import UndecodableValue
from schemas.ids import canonical_json
from schemas.models import DRAFT, Workflow
from sinks.letters import Poison, poison
from transport.clickhouse import ClickHouse
from transport.definitions import WORKFLOWS

_TABLE = "workflow_graphs"
_COLUMNS = ("graph_hash", "graph")


class Graphs:
    """Writes the graphs of workflow versions as the topic brings them. A run of the draft brings its own."""

    name = _TABLE

    def __init__(self, clickhouse: ClickHouse, codec: Codec) -> None:
        self._clickhouse = clickhouse
        self._codec = codec

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        """See `sinks.table.Table.write`."""
        graphs: dict[str, bytes] = {}
        poisons = []
        for message in messages:
            value = message.value()
            if value is None:
                # A version that was deleted. Its runs still show it.
                continue
            try:
                workflow = self._workflow(value)
            except (UndecodableValue, ValidationError, orjson.JSONDecodeError) as unreadable:
                poisons.append(poison(WORKFLOWS, message, unreadable))
            else:
                if workflow.version != DRAFT:
                    graphs[workflow.graph_hash] = canonical_json(workflow.graph)
        await self._insert_new(graphs)
        return poisons

    def _workflow(self, value: bytes) -> Workflow:
        return Workflow.model_validate(orjson.loads(self._codec.decode("Definition", value)["body"]))

    async def _insert_new(self, graphs: dict[str, bytes]) -> None:
        if not graphs:
            return
        # The engine of this table keeps what it is given, also what it has already.
        known = await self._clickhouse.query(
            f"SELECT graph_hash FROM {_TABLE} WHERE has({{hashes:Array(String)}}, graph_hash)",  # noqa: S608
            {"hashes": orjson.dumps(list(graphs)).decode().replace('"', "'")},
        )
        for (graph_hash,) in known.rows:
            del graphs[graph_hash]
        rows = [orjson.dumps({"graph_hash": h, "graph": graph.decode()}) for h, graph in graphs.items()]
        if rows:
            await self._clickhouse.insert(_TABLE, _COLUMNS, b"\n".join(rows), "JSONEachRow")
