"""Runs that wait by the million: that their rows are runs, and that a judge of their ends misses nothing."""

import orjson

from bench.timers.ends import End, judge
from bench.timers.paused import copy_of, original_of
from bench.timers.workflow import GRAPH, waiting_until
from streams.engine.advance import advance, due_us
from streams.engine.commands import Timer
from streams.engine.effects import NodeExecuted, RunChanged
from streams.engine.state import decode
from streams.run_rows import RunRow
from tests.streams.engine.harness import LOG, NOW, Run, compiled

US = 1_000_000
AT_S = NOW // US + 86_400


def waiting() -> RunRow:
    """The row of a run that waits for a day."""
    run = Run(GRAPH).start({"order_id": "o-1", "at": AT_S}, trigger_log=LOG)
    head, parts = run.written()
    assert not parts
    return RunRow(float(AT_S), b"", head)


def test_a_copy_is_a_run_of_its_own_that_goes_on_at_its_own_time() -> None:
    original = original_of(waiting())
    sends = [copy_of(original, AT_S + 5) for _ in range(2)]
    assert sends[0].key != sends[1].key
    row = RunRow.decode(sends[0].value or b"")
    state = decode(row.state)
    assert (row.due_s, state.run_id.encode()) == (AT_S + 5, sends[0].key)
    assert due_us(state) == (AT_S + 5) * US
    ended = advance(compiled(GRAPH), state, Timer("t"), (AT_S + 5) * US)
    runs = [effect.record for effect in ended.effects if isinstance(effect, RunChanged)]
    nodes = [effect.record for effect in ended.effects if isinstance(effect, NodeExecuted)]
    assert [(run["id"], run["status"]) for run in runs] == [(state.run_id, "SUCCEEDED")]
    assert nodes[0]["id"] not in waiting().state.decode()
    assert orjson.loads(runs[0]["inputs"])["at"] == AT_S + 5


def test_each_order_has_its_moment() -> None:
    orders = list(waiting_until(iter([7, 8])))
    assert [orjson.loads(order.body)["at"] for order in orders] == [7, 8]
    assert orders[0].order_id != orders[1].order_id


def test_what_did_not_happen_once_and_in_time_is_found() -> None:
    good = End("SUCCEEDED", 3, "{}", 0.25)
    found = judge([
        [good],
        [good, good._replace(late_s=9.0)],
        [],
        [good, good._replace(revision=4)],
        [good._replace(status="FAILED")],
        [good._replace(late_s=-0.001)],
    ])  # fmt: skip
    assert (found.runs, found.missing, found.doubled, found.again, found.wrong) == (6, 1, 1, 2, 2)
    assert found.p50_ms == 250
    assert not found.clean
    assert judge([[good], [good, good]]).clean
