"""The graph of a run's version, once for each content."""

from schemas.models import Workflow, WorkflowType
from sinks.graphs import Graphs
from sinks.table import Table
from tests.sinks import records
from tests.sinks.records import CODEC, message, workflow
from transport.clickhouse import ClickHouse
from transport.definitions import WORKFLOWS

GRAPH = {"nodes": [{"id": "s", "data": {"type": "start", "title": "Début 'x'\n"}}], "edges": []}
OTHER = {"nodes": [], "edges": []}


def graph_hash(graph: dict[str, object]) -> str:
    return Workflow(id="w", app_id="a", type=WorkflowType.WORKFLOW, version="draft", graph=graph).graph_hash


async def test_a_run_shows_the_graph_that_it_ran(database: ClickHouse) -> None:
    graphs = Graphs(database, CODEC)
    versions = [workflow(GRAPH), workflow(GRAPH, "2026-01-01 00:00:00.000000"), workflow(OTHER), None]
    poisons = await graphs.write([message(WORKFLOWS, value) for value in versions])
    assert poisons == []
    await graphs.write([message(WORKFLOWS, workflow(GRAPH))])
    kept = await database.query("SELECT count() FROM workflow_graphs")
    assert kept.rows == [[2]]

    runs = [records.run(graph_hash=graph_hash(GRAPH)), records.run(graph_hash="unknown")]
    values = [message("runs", CODEC.encode("WorkflowRun", run)) for run in runs]
    await Table("runs", database, CODEC).write(values)
    shown = await database.query("SELECT graph, JSONLength(graph, 'nodes') FROM workflow_runs ORDER BY graph")
    assert shown.rows[0] == ["", 0]
    assert shown.rows[1][1] == 1


async def test_an_unreadable_definition_is_poison(database: ClickHouse) -> None:
    bad = [message(WORKFLOWS, b"text", 1), message(WORKFLOWS, workflow("no graph"), 2)]
    poisons = await Graphs(database, CODEC).write([*bad, message(WORKFLOWS, workflow(GRAPH), 3)])
    assert [p.message.offset() for p in poisons] == [1, 2]
    assert (await database.query("SELECT count() FROM workflow_graphs")).rows == [[1]]
