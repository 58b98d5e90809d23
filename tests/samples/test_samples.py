"""Every sample keeps its promise: its event, through input mapping and the engine, ends as `expect` says.

The two kinds of tasks are answered here, the code by calling it and the request by 200.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from multidict import CIMultiDict

from cli.samples import Sample, load_samples, missing
from cli.sampling.plugin import stripe_signature
from cli.signing import new_secret
from schemas.dsl import parse_dsl
from schemas.graph import remarks
from schemas.ids import endpoint_id
from schemas.models import WorkflowType
from schemas.models.subscription import TriggerSubscription
from schemas.paths import lookup
from schemas.plugins.opening import opened
from schemas.plugins.received import received as received_by
from schemas.plugins.registry import find_plugin
from schemas.secrets import SecretBox
from schemas.triggers.accounts import Account
from schemas.triggers.cloudevents import receive_cloudevents
from schemas.triggers.delivery import Delivery, Received, ReceivedEvent
from schemas.triggers.github import receive_github
from schemas.triggers.kinds import KINDS
from schemas.triggers.schedule import ScheduleConfig
from schemas.triggers.signatures import GitHubVerifier
from schemas.triggers.slack_requests import receive_slack
from schemas.triggers.webhook import WebhookConfig
from streams.engine.advance import advance
from streams.engine.commands import NodeResult, Start
from streams.engine.definition import Compiler
from streams.engine.effects import NodeExecuted, RunChanged, TaskScheduled
from streams.inputs import event_inputs, map_inputs

Json = dict[str, Any]
SAMPLES = Path(__file__).parents[2] / "samples"
LOADED = load_samples(SAMPLES)

every_sample = pytest.mark.parametrize(
    ("folder", "sample"), LOADED, ids=[sample.name for _, sample in LOADED]
)


class Believing(GitHubVerifier):
    """Who signs is not looked at here."""

    def verify(self, *_: Any) -> None:
        return


def sent_by_stripe(sample: Sample, body: bytes) -> Received:
    """As it comes to a subscription."""
    box, secret = SecretBox(b"k" * 32), new_secret("stripe")
    subscription = TriggerSubscription.model_validate(
        {
            "id": sample.name, "tenant_id": "t", "name": sample.name, "user_id": "u", "endpoint_id": "e",
            "provider_id": sample.trigger.config["provider_id"], "credential_type": "api_key",
            "credentials_id": "c", "agreement_id": "a",
            "properties": {"signing_secret": box.encrypt("t", secret)},
        }
    )  # fmt: skip
    plugin = find_plugin(subscription.provider_id)
    assert plugin is not None
    delivery = Delivery("POST", "/", CIMultiDict(stripe_signature(secret, body, 0)), {}, body, 0)
    dispatch = plugin.receive(delivery, opened(plugin, subscription, box, ""))
    return received_by(subscription, dispatch, {})


def delivered(folder: Path, sample: Sample) -> ReceivedEvent:
    """What its kind of trigger makes of the event of a sample."""
    body, account = (folder / str(sample.event.body)).read_bytes(), Account("t", sample.name, Believing(()))
    headers = CIMultiDict({"ce-id": "1", **sample.event.headers})
    delivery = Delivery("POST", "/", headers, {}, body, 0)
    received = {
        "GITHUB": lambda: receive_github(delivery, [account]),
        "SLACK": lambda: receive_slack(delivery, lambda _: [account]),
        "CLOUDEVENTS": lambda: receive_cloudevents(delivery, "t"),
        "PLUGIN": lambda: sent_by_stripe(sample, body),
    }[sample.trigger.type]()
    [event] = received.events
    return event


def event_data(folder: Path, sample: Sample) -> Json:
    if sample.trigger.type == "MANUAL":
        return {"inputs": sample.event.inputs}
    if sample.trigger.type == "SCHEDULE":
        return {"inputs": sample.trigger.config["inputs"]}
    if sample.trigger.type != "WEBHOOK":
        return dict(delivered(folder, sample).data)
    return {
        "method": sample.event.method,
        "headers": {name.lower(): value for name, value in sample.event.headers.items()},
        "query": {},
        "body": orjson.loads((folder / str(sample.event.body)).read_bytes()),
    }


def answer(task: Json, received: list[Json]) -> Json:
    """What an executor would have made of the task."""
    config = orjson.loads(task["config"])
    if task["node_type"] == "code":
        names: Json = {}
        exec(config["code"], names)
        outputs: Json = names["main"](**orjson.loads(task["inputs"]))
        return outputs
    received.append(orjson.loads(config["body"]["data"][0]["value"]))
    return {"status_code": 200, "body": "", "headers": {}, "files": []}


def execute(app: Any, inputs: Mapping[str, Any]) -> tuple[Json, list[Json], list[Json]]:
    """The last run record, the titles of the nodes that ran, and what was posted."""
    definition = Compiler().compile(
        app.graph, workflow_type=WorkflowType.WORKFLOW, environment_variables=app.environment_variables
    )
    start = Start("s", "run-1", "tenant", "app", "workflow", "v", issued_at=1, inputs=inputs)
    state, effects = advance(definition, None, start, 1)
    done, received = list(effects), []
    todo = [effect for effect in effects if isinstance(effect, TaskScheduled)]
    while todo:
        task = todo.pop().record
        result = NodeResult("r", task["node_execution_id"], "succeeded", answer(task, received))
        state, effects = advance(definition, state, result, 2)
        done += effects
        todo += [effect for effect in effects if isinstance(effect, TaskScheduled)]
    run = [effect.record for effect in done if isinstance(effect, RunChanged)][-1]
    ended = [e.record for e in done if isinstance(e, NodeExecuted) and e.record["status"] == "succeeded"]
    return run, ended, received


@every_sample
def test_ends_as_expected(folder: Path, sample: Sample) -> None:
    app = parse_dsl((folder / sample.workflow).read_text())
    data, mapping = event_data(folder, sample), sample.trigger.config.get("inputs", {})
    form = next((n["data"] for n in app.graph["nodes"] if n["data"]["type"] == "start"), None)
    names = [one["variable"] for one in form["variables"]] if form else []
    inputs = map_inputs(data, names, mapping) if form else event_inputs(data)

    run, _, received = execute(app, inputs)

    assert run["status"] == sample.expect.status, run["error"]
    assert missing(sample.expect.outputs, orjson.loads(run["outputs"])) is None
    if sample.receiver:
        assert missing(sample.expect.received, received[0]) is None


@every_sample
def test_has_nothing_that_a_check_would_remark_on(folder: Path, sample: Sample) -> None:
    app = parse_dsl((folder / sample.workflow).read_text())
    assert remarks(app.graph, app.mode) == []
    if sample.receiver:
        assert sample.receiver.environment_variable in [v["name"] for v in app.environment_variables]


@every_sample
def test_config_is_what_the_api_takes(folder: Path, sample: Sample) -> None:
    if sample.trigger.type == "MANUAL":
        return
    if sample.trigger.type == "SCHEDULE":
        assert ScheduleConfig.model_validate(sample.trigger.config).external_id == sample.name
        return
    if sample.trigger.type != "WEBHOOK":
        named = {"subscription_id": sample.name} if sample.trigger.type == "PLUGIN" else {}
        wanted = KINDS[sample.trigger.type].model_validate({**sample.trigger.config, **named})
        event = delivered(folder, sample)
        assert wanted.index_key("id") == event.index_key
        assert wanted.refusal(event.data) is None
        return
    given = dict(sample.trigger.config)
    assert "webhook_id" not in given, "an id that is in the repository can be guessed"
    signature = {**given["signature"], "secrets": ["x"]}
    config = WebhookConfig.model_validate({**given, "webhook_id": endpoint_id(), "signature": signature})
    event = event_data(folder, sample)
    assert all(lookup(event["body"], path)[0] for path in config.required.body)
    assert all(name.lower() in event["headers"] for name in config.required.headers)


@pytest.mark.parametrize(
    ("ref", "after", "expected"),
    [
        ("refs/heads/main", "6113", "ada pushed to main of o/r: Fix it (https://x)"),
        ("refs/tags/v1", "6113", "ada pushed tag v1 of o/r"),
        ("refs/tags/v1", "0000", "ada deleted tag v1 of o/r"),
        ("refs/heads/topic/a", "6113", "ada updated branch topic/a of o/r"),
    ],
)
def test_github_push_words_each_kind_of_ref(ref: str, after: str, expected: str) -> None:
    app = parse_dsl((SAMPLES / "github-push-notify/workflow.yml").read_text())
    inputs = {"ref": ref, "after": after, "repository": "o/r", "pusher": "ada", "compare_url": "https://x"}

    run, _, received = execute(app, {**inputs, "head_message": 'Fix it\n\nA "quoted" word'})

    assert orjson.loads(run["outputs"])["message"] == expected
    assert received == [{"text": expected, "repository": "o/r", "commit": after}]


def test_github_push_needs_no_head_commit() -> None:
    """GitHub sends `head_commit: null` for a ref that was deleted."""
    app = parse_dsl((SAMPLES / "github-push-notify/workflow.yml").read_text())
    inputs = {"ref": "refs/heads/main", "after": "0", "repository": "o/r", "pusher": "a", "compare_url": "u"}
    assert execute(app, inputs)[0]["status"] == "SUCCEEDED"
    assert execute(app, {**inputs, "head_message": None})[0]["status"] == "SUCCEEDED"


@pytest.mark.parametrize(("amount", "branch"), [(100, "low"), (100.01, "high")])
def test_order_review_runs_four_nodes(amount: float, branch: str) -> None:
    app = parse_dsl((SAMPLES / "order-review/workflow.yml").read_text())
    inputs = {"order_id": "1", "customer": "c", "amount": amount, "currency": "EUR"}

    run, nodes, _ = execute(app, inputs)

    assert orjson.loads(run["outputs"])["branch"] == branch
    assert [node["node_type"] for node in nodes] == ["start", "if-else", "template-transform", "end"]
