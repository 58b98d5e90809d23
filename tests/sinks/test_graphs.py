"""The graph of a run's version, once for each content."""

from unittest.mock import patch

from schemas.ids import canonical_json
from schemas.models import Workflow, WorkflowType
from sinks.graphs import Graphs
from sinks.migrate import migrate, migrations
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
    other = "2026-01-02 00:00:00.000000"
    versions = [workflow(GRAPH), workflow(GRAPH, other), workflow(OTHER), None]
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


async def test_what_is_saved_as_a_draft_takes_no_room(database: ClickHouse) -> None:
    """ClickHouse has the graphs in its memory, and an editor may save with every keystroke."""
    saves = [message(WORKFLOWS, workflow({"nodes": [], "edges": [], "n": n}, "draft"), n) for n in range(50)]
    assert await Graphs(database, CODEC).write(saves) == []
    kept = await database.query("SELECT count() FROM workflow_graphs")
    assert kept.rows == [[0]]


async def test_a_run_of_the_draft_brings_its_graph(database: ClickHouse) -> None:
    graph = canonical_json(GRAPH).decode()
    run = records.run(version="draft", graph_hash=graph_hash(GRAPH), graph=graph)
    value = message("runs", CODEC.encode("WorkflowRun", run))
    await Table("runs", database, CODEC).write([value])
    assert (await database.query("SELECT graph FROM workflow_runs")).rows == [[graph]]


async def test_the_graphs_of_drafts_from_before_are_still_shown(clickhouse: ClickHouse) -> None:
    """A data directory of a release that kept each of them, and whose runs have none of their own."""
    with patch("sinks.migrate.migrations", lambda: migrations()[:11]):
        await migrate(clickhouse)
    run = records.run(version="draft", graph_hash="h")
    await clickhouse.execute("INSERT INTO workflow_graphs VALUES ('h', '{\"nodes\":[]}')")
    await clickhouse.execute(
        "INSERT INTO workflow_run_changes (id, version, graph_hash, event_at) "
        "VALUES ({id:UUID}, 'draft', 'h', now())",
        {"id": run["id"]},
    )
    shown = "SELECT id, graph FROM workflow_runs"
    before = (await clickhouse.query(shown)).rows
    assert before == [[run["id"], '{"nodes":[]}']]
    await migrate(clickhouse)
    assert (await clickhouse.query(shown)).rows == before


async def test_an_unreadable_definition_is_poison(database: ClickHouse) -> None:
    bad = [message(WORKFLOWS, b"text", 1), message(WORKFLOWS, workflow("no graph"), 2)]
    poisons = await Graphs(database, CODEC).write([*bad, message(WORKFLOWS, workflow(GRAPH), 3)])
    assert [p.message.offset() for p in poisons] == [1, 2]
    assert (await database.query("SELECT count() FROM workflow_graphs")).rows == [[1]]
