"""An event that several webhooks of GitHub deliver under one id: who has had it, and who has not."""

from typing import Any

import orjson
import pytest

from schemas.ids import dedup_key
from schemas.models import DEFAULT_TENANT, AppTrigger
from streams.shell.stage import Record
from tests.streams.kept import KeptRows
from tests.streams.test_router import NOW_US, Bench
from transport.definitions import TRIGGERS

REPOSITORY = "acme/web"
WINDOW_S = 3 * 86_400


class Repository(Bench):
    """With triggers by their names: for one connection, for an installation of an app, or for all."""

    def __init__(self, **triggers: dict[str, str]) -> None:
        super().__init__()
        self.feed.workflow("2026-01-01 00:00:00.000000")
        for name, config in triggers.items():
            config = {"repository": REPOSITORY, **config}
            trigger = AppTrigger(id=name, app_id="app", workflow_id="flow", type="GITHUB", config=config)
            self.feed.definitions.apply(TRIGGERS, trigger.key, trigger)

    def delivered(self, connection: str, installation: str = "", at_s: float = 0) -> Record:
        facts = {"event": "push", "connection": connection, "owner": "acme", "installation_id": installation}
        data = {"type": "github", "delivery": facts, "body": {}, "metadata": {"connection": connection}}
        return self.event(
            at_s=at_s, trigger_type="GITHUB", index_key=REPOSITORY, dedup_window_ms=WINDOW_S * 1000,
            dedup_key=dedup_key("GITHUB", f"{DEFAULT_TENANT}/{REPOSITORY}", "guid"),
            data=orjson.dumps(data).decode(),
        )  # fmt: skip

    def told(self, record: Record, at_s: float = 0) -> dict[str, str | None]:
        """Trigger -> why it starts nothing."""
        _, logs = self.decide(record, at_s)
        return {log["app_trigger_id"]: log["error"] for log in logs}


def again(offset: int) -> str:
    return f"duplicate of the event at trigger.events/3/{offset}"


def by(connection: str) -> str:
    return f"it came by the connection {connection!r}"


@pytest.mark.parametrize("is_decided_twice", [False, True])
def test_each_connection_brings_the_event_to_its_own_triggers(is_decided_twice: bool) -> None:
    bench = Repository(of_a={"connection": "a"}, of_b={"connection": "b"}, of_all={})
    records = [bench.delivered(connection) for connection in "abab"]
    expected: list[dict[str, str | None]] = [
        {"of_a": None, "of_b": by("a"), "of_all": None},
        {"of_a": by("b"), "of_b": None, "of_all": again(0)},
        {"of_a": again(0), "of_b": again(0), "of_all": again(0)},
        {"of_a": again(1), "of_b": again(1), "of_all": again(0)},
    ]
    assert [bench.told(record) for record in records] == expected
    if is_decided_twice:
        assert [bench.told(record) for record in records] == expected
    assert bench.outcomes[:4] == ["routed", "routed", "duplicate", "duplicate"]


def test_an_installation_is_of_one_connection() -> None:
    bench = Repository(of_app={"github_app_installation_id": "7"})
    assert bench.told(bench.delivered("hook")) == {"of_app": "it is of installation none"}
    assert bench.told(bench.delivered("app", "7")) == {"of_app": None}
    assert bench.told(bench.delivered("app", "7")) == {"of_app": again(1)}


def test_where_no_trigger_looks_at_a_part_there_is_one_row() -> None:
    bench = Repository(of_all={})
    assert bench.told(bench.delivered("a")) == {"of_all": None}
    assert bench.told(bench.delivered("b")) == {"of_all": again(0)}
    assert len(bench.table) == 1


def test_of_a_row_of_the_release_before_nobody_knows_the_part() -> None:
    bench = Repository(of_a={"connection": "a"}, of_b={"connection": "b"})
    bench.told(bench.delivered("a"))
    former = KeptRows({key: row for key, row in bench.table.items() if "\t" not in key})
    bench.table.clear()
    bench.table.update(former)
    assert bench.told(bench.delivered("a")) == {"of_a": again(0), "of_b": again(0)}
    assert bench.told(bench.delivered("b")) == {"of_a": again(0), "of_b": again(0)}


def test_after_its_window_it_is_a_new_event_to_all() -> None:
    bench = Repository(of_a={"connection": "a"}, of_b={"connection": "b"})
    for connection in "ab":
        bench.told(bench.delivered(connection))
    later = WINDOW_S + 1
    assert bench.told(bench.delivered("b", at_s=later), later) == {"of_a": by("b"), "of_b": None}
    assert bench.told(bench.delivered("a", at_s=later), later) == {"of_a": None, "of_b": by("a")}


def test_rows_go_when_their_window_has_passed() -> None:
    bench = Repository(of_a={"connection": "a"})
    bench.told(bench.delivered("a"))
    for key, row in list(bench.table.items()):
        bench.carry_out(bench.router.expire(key, row, bench.table, NOW_US / 1e6 + WINDOW_S + 60))
    assert bench.table == {}


def test_the_runs_of_two_triggers_of_one_workflow_are_two() -> None:
    bench = Repository(of_a={"connection": "a"}, of_b={"connection": "b"})
    runs: set[Any] = set()
    for connection in "ab":
        _, logs = bench.decide(bench.delivered(connection))
        runs |= {log["workflow_run_id"] for log in logs if log["error"] is None}
    assert len(runs) == 2
