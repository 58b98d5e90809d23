"""Compares what the run history says with what the producer knows: nothing missing, doubled or stuck."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from confluent_kafka import KafkaException

from bench.deployment import MAX_ROWS, Deployment
from bench.findings import Findings
from bench.journal import Journal
from bench.progress import Say
from cli.errors import CommandFailed
from transport.admin import describe_topics
from transport.errors import TransportError
from transport.settings import KafkaSettings

NODES = 4
"""Executions of one run of the job: start, if-else, template and end."""

# Orders that were never acknowledged may come on top: well below what one query may answer.
_AT_ONCE = MAX_ROWS * 4 // 5
_POLL_S = 2.0


WORDS = {
    "missing": "missing",
    "doubled": "doubled",
    "unfinished": "stuck",
    "wrong_nodes": "with wrong node executions",
    "stuck_logs": "stuck logs",
    "dead_letters": "dead letters",
}
"""Missing are orders without a run, doubled those with several, acknowledged or not. Unfinished ones have a
run that has not SUCCEEDED. Wrong node executions are not exactly one for each of the nodes, all succeeded."""


async def until_quiet(
    deployment: Deployment,
    kafka: KafkaSettings,
    expected: int,
    *,
    timeout_s: float = 180.0,
    say: Say = lambda _: None,
) -> bool:
    """Waits until that many runs have ended, none is under way or to be started again, and every consumer has
    read everything; False if that is late. What does not answer is asked again until then.

    The last part matters: a run that is recorded twice, or a dead letter, comes at the very end.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if await _is_quiet(deployment, kafka, expected, say):
                return True
        except (CommandFailed, TransportError, KafkaException) as away:
            say(f"no answer: {away}")
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)


async def _is_quiet(deployment: Deployment, kafka: KafkaSettings, expected: int, say: Say) -> bool:
    [counts] = await deployment.select(_COUNTS)
    lag = sum(sum(topic.lag.values()) for topic in await describe_topics(kafka))
    ended, going_on = int(counts["ended"]), int(counts["going_on"])
    say(f"{ended:,} of {expected:,} runs have ended, {going_on:,} go on, {lag:,} messages to be read")
    return ended >= expected and not going_on and lag == 0


async def audit(deployment: Deployment, journal: Journal) -> Findings:
    """Reads the whole history of the batch in the journal. Raises `CommandFailed`."""
    result = Findings(len(journal.acknowledged), journal.repeats, WORDS)
    for first, last, order_ids in slices(journal.acknowledged, _AT_ONCE):
        rows = {row["order_id"]: row for row in await deployment.select(_RUNS.format(first=first, last=last))}
        for order_id in order_ids:
            if order_id not in rows:
                result.find("missing", order_id)
        for row in rows.values():
            _judge(row, result)
    result.add("stuck_logs", (await deployment.select(STUCK_LOGS))[0]["logs"])
    result.add("dead_letters", (await deployment.select(DEAD_LETTERS))[0]["letters"])
    return result


def slices(ids: Iterable[str], at_once: int) -> Iterator[tuple[str, str, list[str]]]:
    """Ids in their order, so many at a time, with the bounds of each slice (first < id <= last); the slices
    leave no gap, and the last one goes to the end of the alphabet."""
    remaining = iter(sorted(ids))
    first = ""
    while some := list(islice(remaining, at_once)):
        yield first, some[-1], some
        first = some[-1]
    yield first, "~", []


def _judge(row: Mapping[str, Any], result: Findings) -> None:
    order_id = row["order_id"]
    if row["runs"] != 1:
        result.find("doubled", order_id)
    if row["succeeded"] != row["runs"]:
        result.find("unfinished", order_id)
    counts = (row["executions"], row["nodes"], row["nodes_succeeded"])
    if any(count != NODES * row["runs"] for count in counts):
        result.find("wrong_nodes", order_id)


_COUNTS = """
SELECT countIf(status NOT IN ('RUNNING', 'PAUSED')) AS ended,
       countIf(status IN ('RUNNING', 'PAUSED'))
           + (SELECT count() FROM workflow_trigger_logs WHERE status IN ('PENDING', 'RUNNING')) AS going_on
FROM workflow_runs
"""

_RUNS = """
WITH runs AS (
    SELECT id, status, JSONExtractString(inputs, 'order_id') AS order_id FROM workflow_runs
    WHERE order_id > '{first}' AND order_id <= '{last}'
), ends AS (
    SELECT workflow_run_id, count() AS executions, uniqExact(node_id) AS nodes,
           countIf(status = 'succeeded') AS nodes_succeeded
    FROM workflow_node_executions WHERE workflow_run_id IN (SELECT id FROM runs) GROUP BY workflow_run_id
)
SELECT order_id, count() AS runs, countIf(runs.status = 'SUCCEEDED') AS succeeded,
       sum(executions) AS executions, sum(nodes) AS nodes, sum(nodes_succeeded) AS nodes_succeeded
FROM runs LEFT JOIN ends ON ends.workflow_run_id = runs.id GROUP BY order_id
"""

STUCK_LOGS = "SELECT count() AS logs FROM workflow_trigger_logs WHERE status IN ('PENDING', 'RUNNING')"

DEAD_LETTERS = "SELECT count() AS letters FROM dead_letters"
