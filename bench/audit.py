"""Compares what the run history says with what the producer knows: nothing missing, doubled or stuck."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from bench.deployment import MAX_ROWS, Deployment
from bench.journal import Journal
from transport.admin import describe_topics
from transport.settings import KafkaSettings

NODES = 4
"""Executions of one run of the job: start, if-else, template and end."""

# Orders that were never acknowledged may come on top: well below what one query may answer.
_AT_ONCE = MAX_ROWS * 4 // 5
_SHOWN = 5
_POLL_S = 2.0


@dataclass(slots=True)
class Audit:
    """What was found. `examples` holds a few order ids for each fault."""

    acknowledged: int
    repeats: int
    missing: int = 0
    """Acknowledged, but without a run."""
    doubled: int = 0
    """With more than one run, whether acknowledged or not."""
    unfinished: int = 0
    """With a run that has not SUCCEEDED."""
    wrong_nodes: int = 0
    """With a run that has not exactly its four node executions, one for each node, all succeeded."""
    stuck_logs: int = 0
    """Trigger logs that are PENDING or RUNNING."""
    dead_letters: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(
            (
                self.missing,
                self.doubled,
                self.unfinished,
                self.wrong_nodes,
                self.stuck_logs,
                self.dead_letters,
            )
        )

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} events acknowledged and {self.repeats:,} repeats: "
            f"{self.missing} missing, {self.doubled} doubled, {self.unfinished + self.stuck_logs} stuck, "
            f"{self.wrong_nodes} with wrong node executions, {self.dead_letters} dead letters"
        )

    def find(self, fault: str, order_id: str) -> None:
        """Counts one more order under one of the fields."""
        setattr(self, fault, getattr(self, fault) + 1)
        shown = self.examples.setdefault(fault, [])
        if len(shown) < _SHOWN:
            shown.append(order_id)


async def until_quiet(
    deployment: Deployment,
    kafka: KafkaSettings,
    expected: int,
    *,
    timeout_s: float = 180.0,
    say: Callable[[str], None] = lambda _: None,
) -> bool:
    """Waits until that many runs have ended and every consumer has read everything; False if that is late.

    The second half matters: a run that is recorded twice, or a dead letter, comes at the very end.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        ended = await deployment.select(_ENDED)
        lag = sum(sum(topic.lag.values()) for topic in await describe_topics(kafka))
        say(f"{ended[0]['runs']:,} of {expected:,} runs have ended, {lag:,} messages to be read")
        if ended[0]["runs"] >= expected and lag == 0:
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)


async def audit(deployment: Deployment, journal: Journal) -> Audit:
    """Reads the whole history of the batch in the journal. Raises `CommandFailed`."""
    result = Audit(len(journal.acknowledged), journal.repeats)
    for first, last, order_ids in _slices(journal):
        rows = {row["order_id"]: row for row in await deployment.select(_RUNS.format(first=first, last=last))}
        for order_id in order_ids:
            if order_id not in rows:
                result.find("missing", order_id)
        for row in rows.values():
            _judge(row, result)
    result.stuck_logs = (await deployment.select(_STUCK_LOGS))[0]["logs"]
    result.dead_letters = (await deployment.select(_DEAD_LETTERS))[0]["letters"]
    return result


def _slices(journal: Journal) -> Iterator[tuple[str, str, list[str]]]:
    """Order ids in their order, some at a time, with the bounds of each slice; the slices leave no gap."""
    remaining = iter(sorted(journal.acknowledged))
    first = ""
    while order_ids := list(islice(remaining, _AT_ONCE)):
        yield first, order_ids[-1], order_ids
        first = order_ids[-1]
    yield first, "~", []


def _judge(row: Mapping[str, Any], result: Audit) -> None:
    order_id = row["order_id"]
    if row["runs"] != 1:
        result.find("doubled", order_id)
    if row["succeeded"] != row["runs"]:
        result.find("unfinished", order_id)
    counts = (row["executions"], row["nodes"], row["nodes_succeeded"])
    if any(count != NODES * row["runs"] for count in counts):
        result.find("wrong_nodes", order_id)


_ENDED = "SELECT count() AS runs FROM workflow_runs WHERE status NOT IN ('RUNNING', 'PAUSED')"

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

_STUCK_LOGS = "SELECT count() AS logs FROM workflow_trigger_logs WHERE status IN ('PENDING', 'RUNNING')"

_DEAD_LETTERS = "SELECT count() AS letters FROM dead_letters"
