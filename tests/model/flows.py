"""What is deployed in the model: workflows, what starts them, and the events and commands from outside."""

from typing import Any, NamedTuple, cast

import orjson

from schemas.codec import SingleObjectCodec
from schemas.ids import dedup_key, entity_id, trigger_log_id
from schemas.models import DEFAULT_TENANT, AppTrigger, FlowControl, Workflow, WorkflowType
from schemas.triggers.schedule import from_us
from tests.graphs import Json, code, end, field, graph, node, start
from transport.definitions import FLOW_CONTROLS, TRIGGERS, WORKFLOWS, Definitions
from transport.feed import DefinitionsFeed
from transport.producer import Send

CODEC = SingleObjectCodec()
VERSION = "2026-01-01 00:00:00.000000"
WINDOW_S = 30
"""Of duplicates."""
HOUR_S = 3_600
FIRST_S, SECOND_S = 20, 50
"""When the schedule fires, after the beginning of the model."""

PURE, WORK, ASK, GATHER = "pure", "work", "ask", "gather"
LAST, FEW, PACED = "last", "few", "paced"
NEEDS, REPLY = "needs", "reply"
"""One starts runs when there is an event of `PURE` as well; one answers runs of `ASK`, or starts them."""
WITHOUT_GATES = (PURE, WORK, ASK)
FLOWS = (*WITHOUT_GATES, GATHER, LAST, FEW, PACED, NEEDS, REPLY)
NEAR_S = 6
"""How far apart events may be that belong together, of `LAST` and of `NEEDS`."""
CLOCK = "clock"
"""The schedule."""


class Accepted(NamedTuple):
    """An event that ingress has said yes to."""

    flow: str
    trigger_id: str
    event_id: str
    received_us: int
    content: int

    @property
    def dedup_key(self) -> str:
        """Within its endpoint."""
        return dedup_key("WEBHOOK", _hook(self.flow), self.trigger_id)

    @property
    def log_id(self) -> str:
        """Of the log that it leaves."""
        return trigger_log_id(self.event_id, workflow_of(self.flow))

    def send(self) -> Send:
        """As ingress produces it."""
        data = {"type": "webhook", "body": {"n": self.content}, "query": {}, "metadata": {}}
        record = {
            "event_id": self.event_id, "trigger_id": self.trigger_id, "dedup_key": self.dedup_key,
            "dedup_window_ms": WINDOW_S * 1000, "tenant_id": DEFAULT_TENANT, "trigger_type": "WEBHOOK",
            "index_key": _hook(self.flow), "received_at": self.received_us,
            "data": orjson.dumps(data).decode(),
        }  # fmt: skip
        return Send("trigger.events", self.dedup_key.encode(), CODEC.encode("TriggerEvent", record))


class Feed:
    """All definitions, read from the beginning."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions

    def offset(self, topic: str) -> int:
        return 10

    async def reach(self, topic: str, offset: int) -> None:
        raise AssertionError("nobody waits here")


def new_feed() -> DefinitionsFeed:
    """Of the workflows of the model, each with a webhook."""
    definitions = Definitions()
    for name, made in _GRAPHS.items():
        workflow = Workflow(
            id=name, app_id="app", type=WorkflowType.WORKFLOW, version=VERSION, graph=made,
            tenant_id=DEFAULT_TENANT,
        )  # fmt: skip
        definitions.apply(WORKFLOWS, workflow.key, workflow)
    for flow in FLOWS:
        trigger = AppTrigger(
            id=f"trigger-{flow}", app_id="app", workflow_id=workflow_of(flow), type="WEBHOOK",
            config={"webhook_id": _hook(flow), **_TRIGGERS.get(flow, {})},
        )  # fmt: skip
        definitions.apply(TRIGGERS, trigger.key, trigger)
    for flow, gate in _GATES.items():
        control = FlowControl.model_validate({"id": flow, **gate})
        definitions.apply(FLOW_CONTROLS, control.id, control)
    return cast(DefinitionsFeed, Feed(definitions))


def workflow_of(flow: str) -> str:
    """The workflow that its events start."""
    return ASK if flow == REPLY else flow


def schedule(begin_us: int) -> tuple[AppTrigger, list[int]]:
    """The schedule, and its times in microseconds. The second waits for the end of the first."""
    times = [begin_us + after_s * 1_000_000 for after_s in (FIRST_S, SECOND_S)]
    config = {"at": [from_us(at).isoformat() for at in times], "overlap": "buffer_one", "catch_up": "all"}
    trigger = AppTrigger(id=CLOCK, app_id="app", workflow_id=WORK, type="SCHEDULE", config=config)
    return trigger, times


def set_schedule(trigger: AppTrigger, now_us: int) -> Send:
    """As the control plane sends it."""
    record = {
        "schedule_id": trigger.id, "kind": "SET", "tenant_id": trigger.tenant_id, "issued_at": now_us,
        "payload": trigger.model_dump_json(),
    }  # fmt: skip
    return Send("schedule.commands", trigger.id.encode(), CODEC.encode("ScheduleCommand", record))


def cancel(run_id: str, now_us: int) -> Send:
    """As the API sends it."""
    return _command("CANCEL", run_id, {"reason": "enough"}, now_us)


def resume(run_id: str, interaction_id: str, action: str, now_us: int) -> Send:
    """The answer to the only pause of a run."""
    payload = {"interaction_id": interaction_id, "node_id": "ask", "inputs": {}, "action": action}
    return _command("RESUME", run_id, payload, now_us)


def _command(kind: str, run_id: str, payload: Json, now_us: int) -> Send:
    record: dict[str, Any] = {
        "command_id": entity_id("command", run_id, kind), "kind": kind, "workflow_run_id": run_id,
        "tenant_id": DEFAULT_TENANT, "app_id": "app", "workflow_id": "", "version": "",
        "workflows_offset": 0, "issued_at": now_us, "payload": orjson.dumps(payload).decode(),
    }  # fmt: skip
    return Send("run.commands", run_id.encode(), CODEC.encode("RunCommand", record))


def _hook(flow: str) -> str:
    return f"{flow:h<24}"


def _trying(node_id: str) -> Json:
    made = code(node_id)
    made["data"]["retry_config"] = {"retry_enabled": True, "max_retries": 1, "retry_interval": 2_000}
    return made


_N = field("n", "number", required=False)
_KEY = "order 7"
_TRIGGERS: dict[str, Json] = {
    NEEDS: {"depends_on": {"triggers": [f"trigger-{PURE}"], "window_s": NEAR_S}},
    REPLY: {"answers": {"key": f"'{_KEY}'", "look_back_s": NEAR_S, "action": "'yes'"}},
}
_GATES: dict[str, Json] = {
    GATHER: {"batch": {"max_size": 2, "timeout_s": 5}},
    LAST: {"debounce": {"period_s": NEAR_S}},
    FEW: {"rate_limit": {"limit": 1, "period_s": 2}},
    PACED: {"throttle": {"limit": 1, "period_s": 3}},
}
_ASK = node(
    "ask", "human-input", timeout=1, timeout_unit="hour", correlation_key=_KEY,
    user_actions=[{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}],
)  # fmt: skip
_PURE = graph([start(_N), end(n=["start", "n"])], ("start", "end"))
_GRAPHS = {
    **dict.fromkeys((PURE, GATHER, LAST, FEW, PACED, NEEDS), _PURE),
    WORK: graph(
        [start(_N), _trying("a"), code("b"), end(a=["a", "result"], b=["b", "result"])],
        ("start", "a"), ("start", "b"), ("a", "end"), ("b", "end"),
    ),
    ASK: graph(
        [start(_N), _ASK, code("c"), end(c=["c", "result"]), end("not", n=["start", "n"]), end("late")],
        ("start", "ask"), ("ask", "c", "yes"), ("c", "end"), ("ask", "not", "no"),
        ("ask", "late", "__timeout"),
    ),
}  # fmt: skip
