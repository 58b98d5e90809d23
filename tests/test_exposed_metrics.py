"""What the source is read to declare is what processes show."""

from types import SimpleNamespace
from typing import Any, cast

from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from sinks.batch import Batch
from sinks.metrics import SinkMetrics
from sinks.settings import SinkSettings
from streams.metrics import SourceMetrics, WorkerMetrics
from streams.status import Held, Tables
from tests.exposed_metrics import exposed
from tests.ingress.stand_ins import StandIns, assemble, new_settings
from tests.streams.test_status import Worker
from transport.lag import LagMeter
from transport.metrics import LoopDelay, describe_process
from transport.settings import KafkaSettings

_CLIENT = ("process_", "python_gc_")
"""Of the client's own collectors."""


def declared(registry: CollectorRegistry) -> set[str]:
    """Names as a scrape shows them, also of what has no value yet."""
    suffixes = {"counter": "_total", "info": "_info"}
    return {
        family.name + suffixes.get(family.type, "")
        for family in registry.collect()
        if not family.name.startswith(_CLIENT)
    }


async def test_an_ingress_shows_its_metrics_and_their_labels() -> None:
    app = assemble(StandIns(), new_settings())
    async with TestClient(TestServer(app)) as client, client.get("/metrics") as answer:
        text = await answer.text()
    shown = [f for f in text_string_to_metric_families(text) if not f.name.startswith(_CLIENT)]
    assert {name for name in exposed() if name.startswith("hopline_ingress_")} <= {
        family.name + ("_total" if family.type == "counter" else "") for family in shown
    }
    assert all("_created" not in sample.name for family in shown for sample in family.samples)
    by_series = {series: metric for metric in exposed().values() for series in metric.series}
    for sample in (sample for family in shown for sample in family.samples):
        if sample.name != "hopline_build_info":
            assert set(sample.labels) - {"le"} == by_series[sample.name].labels, sample.name


def test_all_roles_together_show_each_and_no_other() -> None:
    worker, sink = CollectorRegistry(), CollectorRegistry()
    WorkerMetrics(worker)
    SourceMetrics(worker)
    looked_at = cast(Any, Worker())
    Held(looked_at, cast(Any, SimpleNamespace(queued=0)), worker, 200)
    Tables(looked_at, worker).look()
    SinkMetrics(sink).watch("fresh", (Batch(SinkSettings()),))
    for registry in (worker, sink):
        describe_process(registry, "worker")
        LoopDelay(registry)
        LagMeter(KafkaSettings(), "workers", frozenset, registry)
    beside = {name for name in exposed() if name.startswith(("hopline_ingress_", "hopline_api_"))}
    assert declared(worker) | declared(sink) | beside == set(exposed())
