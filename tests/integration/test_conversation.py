"""A conversation outlives a worker that is killed, and its turns follow one another however they are sent."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.models import DEFAULT_TENANT, Workflow, WorkflowType
from tests.graphs import answer, graph, node, start
from tests.integration.lone_worker import LoneWorker, ended_runs, tell
from transport.admin import create_topics
from transport.settings import KafkaSettings

pytestmark = pytest.mark.broker

# What the user says goes through a process of its own, so that turns could overtake one another.
GRAPH = graph(
    [
        start(),
        node(
            "shout",
            "code",
            code="import time\ndef main(said):\n    time.sleep(0.2)\n    return {'text': said.upper()}",
            code_language="python3",
            variables=[{"variable": "said", "value_selector": ["sys", "query"]}],
            outputs={"text": {"type": "string", "children": None}},
        ),
        node(
            "remember",
            "assigner",
            version="2",
            items=[
                {
                    "variable_selector": ["conversation", "said"],
                    "operation": "append",
                    "input_type": "variable",
                    "value": ["shout", "text"],
                }
            ],
        ),
        answer("say", "{{#sys.dialogue_count#}}: {{#conversation.said#}}"),
    ],
    ("start", "shout"),
    ("shout", "remember"),
    ("remember", "say"),
)
CHAT = Workflow(
    id="flow", app_id="app", tenant_id=DEFAULT_TENANT, type=WorkflowType.CHAT, version="1", graph=GRAPH,
    conversation_variables=[{"id": "v1", "name": "said", "value_type": "array[string]", "value": []}],
)  # fmt: skip


def turn(name: str, query: str, conversation: str = "here") -> dict[str, Any]:
    return {"id": name, "system": {"query": query, "conversation_id": conversation}}


def answers(kafka: KafkaSettings, count: int) -> list[str]:
    """In the order in which they were given."""
    runs = ended_runs(kafka, count)
    assert {run["status"] for run in runs} == {"SUCCEEDED"}, runs
    return [orjson.loads(run["outputs"])["answer"] for run in runs]


async def test_turns_follow_one_another_over_the_death_of_a_worker(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=3)
    await create_topics(kafka)
    async with LoneWorker(kafka, tmp_path) as worker:
        await tell(kafka, CHAT, turn("e0", "a"))
        assert await asyncio.to_thread(answers, kafka, 1) == ["1: - A"]
        at_once = [turn(f"e{n}", "b") for n in range(1, 4)]
        await tell(kafka, CHAT, *at_once, turn("e4", "z", "elsewhere"))
        await worker.kill()
        await worker.start()
        found = await asyncio.to_thread(answers, kafka, 5)
    elsewhere = "1: - Z"
    assert elsewhere in found
    found.remove(elsewhere)
    assert sorted(found) == ["1: - A", "2: - A\n- B", "3: - A\n- B\n- B", "4: - A\n- B\n- B\n- B"]
