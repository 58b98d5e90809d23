"""What all roles count with."""

import asyncio
import time

from prometheus_client import CollectorRegistry, Counter, generate_latest

from transport.metrics import Children, LoopDelay, Tally, describe_process


def test_a_child_is_looked_up_once() -> None:
    registry = CollectorRegistry()
    metric = Counter("hopline_things", "Things.", ["kind", "colour"], registry=registry)
    children = Children(metric)
    children["stone", "grey"].inc()
    assert children["stone", "grey"] is metric.labels("stone", "grey")
    children["stone", "grey"].inc(2)
    assert registry.get_sample_value("hopline_things_total", {"kind": "stone", "colour": "grey"}) == 3
    alone = Children(Counter("hopline_others", "Others.", ["kind"], registry=registry))
    alone["moss"].inc()
    assert registry.get_sample_value("hopline_others_total", {"kind": "moss"}) == 1


def test_a_tally_is_a_counter() -> None:
    registry = CollectorRegistry()
    tally = Tally("hopline_events", "Events.", ("outcome", "of"), registry)
    assert "hopline_events_total{" not in generate_latest(registry).decode()
    for _ in range(3):
        tally.add("routed", "GITHUB")
    tally.add("duplicate", 'a "quoted" one')
    shown = generate_latest(registry).decode()
    assert "# TYPE hopline_events_total counter" in shown
    assert 'hopline_events_total{of="GITHUB",outcome="routed"} 3.0' in shown
    assert r'hopline_events_total{of="a \"quoted\" one",outcome="duplicate"} 1.0' in shown


def test_what_is_known_is_there_before_it_is_counted() -> None:
    registry = CollectorRegistry()
    tally = Tally("hopline_firings", "Firings.", ("outcome",), registry, known=("fired", "missed"))
    tally.add("fired")
    value = registry.get_sample_value
    assert value("hopline_firings_total", {"outcome": "missed"}) == 0
    assert value("hopline_firings_total", {"outcome": "fired"}) == 1


async def test_a_loop_that_is_kept_busy_is_late() -> None:
    registry = CollectorRegistry()
    delay = LoopDelay(registry)
    measuring = asyncio.create_task(delay.measure())
    await asyncio.sleep(0)
    time.sleep(0.25)  # noqa: ASYNC251
    async with asyncio.timeout(30):
        while not registry.get_sample_value("hopline_event_loop_delay_seconds_count"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    measuring.cancel()
    assert (registry.get_sample_value("hopline_event_loop_delay_seconds_sum") or 0) > 0.1
    assert registry.get_sample_value("hopline_event_loop_delay_seconds_bucket", {"le": "0.1"}) == 0


def test_a_process_says_which_release_it_is() -> None:
    registry = CollectorRegistry()
    describe_process(registry, "worker")
    shown = generate_latest(registry).decode()
    assert 'role="worker"' in shown
    assert "hopline_build_info{" in shown
    assert "process_resident_memory_bytes" in shown
