"""Which faults come when is decided by the seed, and nothing else."""

from collections import Counter

from bench.chaos.faults import DECK, Blow, Role, plan, table

WHICH = {Role.WORKER: 3, Role.INGRESS: 2, Role.SINK: 2, Role.CLICKHOUSE: 1, Role.BROKER: 40}


def test_a_seed_makes_one_plan() -> None:
    assert plan(200, 1, WHICH) == plan(200, 1, WHICH)
    assert plan(200, 1, WHICH) != plan(200, 2, WHICH)


def test_faults_are_spread_over_the_time_in_order() -> None:
    moments = [fault.at for fault in plan(200, 7, WHICH)]
    assert moments == sorted(moments)
    assert all(number / 200 <= at < (number + 1) / 200 for number, at in enumerate(moments))


def test_every_kind_comes_as_often_as_it_should() -> None:
    size = sum(DECK.values())
    dealt = Counter((fault.role, fault.blow) for fault in plan(4 * size, 3, WHICH))
    assert dealt == {kind: 4 * times for kind, times in DECK.items()}


def test_faults_strike_who_is_there_for_as_long_as_they_may() -> None:
    faults = plan(500, 5, WHICH)
    assert all(0 <= fault.which < WHICH[fault.role] for fault in faults)
    assert {fault.which for fault in faults if fault.role is Role.WORKER} == {0, 1, 2}
    frozen = [fault.seconds for fault in faults if fault.blow is Blow.FREEZE]
    assert min(frozen) >= 1
    assert 15 < max(frozen) <= 20


def test_the_table_has_a_line_for_each_kind_and_one_for_all() -> None:
    done = {(Role.WORKER, Blow.KILL): 3, (Role.BROKER, Blow.OUTAGE): 1}
    lines = table(done).splitlines()
    assert len(lines) == 2 + len(DECK) + 1
    assert "| worker | `kill -9` | 3 |" in lines
    assert "| worker | SIGTERM | 0 |" in lines
    assert lines[-1] == "| | all | 4 |"
