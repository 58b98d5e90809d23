"""A run that goes on with a failed one, through the stages: from event to command, and to records."""

import asyncio
from typing import Any, cast

import orjson
import pytest
from obstore.store import MemoryStore

from schemas.references import as_document, digest_of, value_key
from streams.engine.options import Options
from streams.fetching import Fetcher
from streams.offload import Offload
from streams.runner import Runner
from streams.shell.stage import NotYet
from tests.streams import test_router, test_runner
from tests.streams.test_runner import CODEC, RUN, WAITING
from transport.errors import ObjectMissing
from transport.feed import DefinitionsFeed
from transport.storage import Storage
from transport.values import Upload, ValueStore

OLD_RUN = "11111111-6a4e-5b1d-8c3f-9e0a1b2c3d4e"


def kept(status: str = "succeeded", **outputs: Any) -> dict[str, Any]:
    return {
        "status": status, "inputs": {"n": 1}, "process_data": {"seen": True}, "outputs": outputs,
        "handle": None, "error": None, "metadata": {"resumed_from": {"workflow_run_id": OLD_RUN}},
        "writes": [],
    }  # fmt: skip


KEPT = orjson.dumps({"start": kept(n=1), "code": kept(m=41)})


class Bench(test_runner.Bench):
    """With a storage that a test looks into."""

    def __init__(self, graph: dict[str, Any]) -> None:
        super().__init__(graph)
        self.values = ValueStore(Storage(MemoryStore()), cache_bytes=0)
        self.runner = Runner(
            cast(DefinitionsFeed, self.feed), CODEC, Options(), 3600.0, lambda *o: self.outcomes.append(o),
            fetcher=Fetcher(self.values), offload=Offload(), ended=lambda _: None,
        )  # fmt: skip

    def resumed(self, document: str) -> dict[str, list[dict[str, Any]]]:
        resumption = {"workflow_run_id": OLD_RUN, "kept": document}
        return self.tell(self.command("START", {"inputs": {"n": 1}, "resumption": resumption}))


def test_a_run_begins_with_what_the_failed_one_had() -> None:
    bench = Bench(WAITING)
    sent = bench.resumed(KEPT.decode())
    (run,) = sent["runs"]
    assert (run["id"], run["status"], run["outputs"]) == (RUN, "SUCCEEDED", '{"m":41}')
    assert sent["node.tasks.default"] == []
    first, second, last = sent["node.executions"]
    assert [one["node_id"] for one in (first, second, last)] == ["start", "code", "end"]
    assert (second["workflow_run_id"], second["outputs"]) == (RUN, '{"m":41}')
    assert (second["inputs"], second["process_data"]) == ('{"n":1}', '{"seen":true}')
    assert orjson.loads(second["execution_metadata"]) == {"resumed_from": {"workflow_run_id": OLD_RUN}}
    assert last["execution_metadata"] is None


def test_much_is_fetched_from_the_values_of_the_failed_run() -> None:
    bench = Bench(WAITING)
    document = as_document(KEPT)
    upload = Upload(value_key("t", OLD_RUN, digest_of(KEPT)), KEPT)
    asyncio.run(bench.values.put_all([upload]))
    with pytest.raises(NotYet) as not_yet:
        bench.resumed(document)
    asyncio.run(not_yet.value.wait())
    assert bench.resumed(document)["runs"][0]["outputs"] == '{"m":41}'
    # It is not held for ever: told again, it is fetched again.
    with pytest.raises(NotYet):
        bench.resumed(document)


def test_what_is_gone_is_a_dead_letter_and_no_run_from_the_start() -> None:
    bench = Bench(WAITING)
    with pytest.raises(NotYet) as not_yet:
        bench.resumed(as_document(KEPT))
    asyncio.run(not_yet.value.wait())
    with pytest.raises(ObjectMissing):
        bench.resumed(as_document(KEPT))


def test_only_a_start_by_hand_says_what_it_goes_on_with() -> None:
    bench = test_router.Bench()
    bench.feed.workflow("2026-01-01 00:00:00.000000")
    bench.feed.trigger()
    data = {"inputs": {"n": 5}, "metadata": {}, "resumption": {"workflow_run_id": OLD_RUN, "kept": "{}"}}
    document = orjson.dumps(data).decode()
    [by_hand], [log] = bench.decide(bench.event(trigger_type="MANUAL", index_key="flow", data=document))
    assert orjson.loads(by_hand["payload"])["resumption"] == data["resumption"]
    assert log["workflow_run_id"] == by_hand["workflow_run_id"]
    [by_hook], _ = bench.decide(bench.event("d2", data=document))
    assert "resumption" not in orjson.loads(by_hook["payload"])
