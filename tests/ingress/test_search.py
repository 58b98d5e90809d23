"""What a search finds, on rows that the sink has written; and how it goes through time."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from obstore.store import MemoryStore

from ingress.assembly import Assembler
from ingress.errors import Malformed
from ingress.history import History, SearchLimits
from ingress.search import Span, spans
from schemas.search import LogFilter, RunFilter, read_filter
from tests.sinks import records
from tests.sinks.records import START_US, TENANT, write
from transport.clickhouse import ClickHouse
from transport.storage import Storage
from transport.values import ValueStore

START = datetime.fromtimestamp(START_US / 1_000_000, UTC)
VALUES: dict[str, Any] = {
    "gold": {"tier": "gold", "total": 100, "items": [{"sku": "a/1"}, {"sku": "ß"}], "a.b": "x"},
    "silver": {"tier": "Silver", "total": 99.5, "ok": True, "tier_of": "gold"},
    "text": {"tier": None, "total": "100", "ok": "true", "day": "2026-03-01"},
    "large": {"total": 2**60 + 1, "ok": False, "note": 'said "gold"\n'},
    "empty": {},
}


EXPECTED: dict[str, set[str]] = {
    "input.tier=gold": {"gold"},
    "input.tier=silver": set(),
    "input.tier!=gold": {"silver", "text", "large", "empty"},
    "input.tier~SIL": {"silver"},
    "input~gold": {"gold", "silver", "large"},
    "input.total=100": {"gold", "text"},
    "input.total=1e2": {"gold"},
    'input.total="100"': {"text"},
    "input.total>99": {"gold", "silver", "large"},
    "input.total<=99.5": {"silver"},
    f"input.total={2**60 + 1}": {"large"},
    f"input.total={2**60}": set(),
    "input.ok=true": {"silver", "text"},
    "input.ok=false": {"large"},
    "input.tier=null": {"text", "large", "empty"},
    "input.tier!=null": {"gold", "silver"},
    "input.day>=2026-02-28": {"text"},
    "input.items[0].sku=a/1": {"gold"},
    "input.items[1].sku=ß": {"gold"},
    "input.items[1].sku=a/1": set(),
    "input.items[0][0]=a/1": set(),
    "input.items[0][0]!=a/1": set(VALUES),
    "input.items[0][0]=null": set(VALUES),
    "input.items~ß": {"gold"},
    "input.items~ss": set(),
    'input["a.b"]=x': {"gold"},
    'input.note="said \\"gold\\"\\n"': {"large"},
    "output.tier=gold": set(),
    "output.tier=null": set(VALUES),
    "input.tier=gold' OR 1=1 --": set(),
}


@pytest.fixture
def history(database: ClickHouse) -> History:
    return History(database, Assembler(ValueStore(Storage(MemoryStore()))), now=lambda: START)


async def found(history: History, *given: tuple[str, str]) -> set[str]:
    """The names of the runs."""
    page = await history.runs(read_filter(RunFilter, given), 100, tenant_id=TENANT)
    return {row["created_by"] for row in page.rows}


async def test_runs_are_found_by_their_values(database: ClickHouse, history: History) -> None:
    rows = [
        records.run(created_by=name, inputs=orjson.dumps(value).decode()) for name, value in VALUES.items()
    ]
    await write(database, "runs", *rows)
    recent = ("since", (START - timedelta(minutes=1)).isoformat())
    assert {one: await found(history, recent, ("where", one)) for one in EXPECTED} == EXPECTED


async def test_filters_combine(database: ClickHouse, history: History) -> None:
    log = records.trigger_log(trigger_type="SCHEDULE")
    wanted = {
        "status": "SUCCEEDED",
        "version": "v1",
        "elapsed_time": 2.0,
        "total_tokens": 50,
        "outputs": '{"ok":true}',
        "finished_at": START_US + 2_000_000,
        "trigger_log_id": log["id"],
    }
    others: dict[str, dict[str, Any]] = {
        "status": {"status": "FAILED"},
        "version": {"version": "v2"},
        "long": {"elapsed_time": 2.1},
        "under way": {"elapsed_time": 0.0, "finished_at": None},
        "dear": {"total_tokens": 51},
        "cheap": {"total_tokens": 49},
        "wrong": {"outputs": '{"ok":false}'},
        "silent": {"outputs": None},
        "by hand": {"trigger_log_id": None},
        "theirs": {"tenant_id": records.APP},
    }
    await write(database, "trigger.logs", log, records.trigger_log())
    await write(database, "runs", records.run(created_by="wanted", **wanted))
    await write(database, "runs", *(records.run(created_by=n, **wanted | one) for n, one in others.items()))
    given = [
        ("status", "SUCCEEDED,STOPPED"),
        ("version", "v0,v1"),
        ("max_duration", "2"),
        ("min_tokens", "50"),
        ("max_tokens", "50"),
        ("where", "output.ok=true"),
        ("trigger_type", "schedule,email"),
    ]
    assert await found(history, *given) == {"wanted"}
    assert await found(history, *given, ("created_by", "long")) == set()
    assert await found(history, ("min_duration", "2.05")) == {"long"}


async def test_trigger_logs_are_searched_alike(database: ClickHouse, history: History) -> None:
    wanted = records.trigger_log(trigger_type="EMAIL", inputs='{"a":{"b":2}}', error="It Broke")
    await write(
        database, "trigger.logs", wanted, records.trigger_log(trigger_type="EMAIL"), records.trigger_log()
    )
    given = [("trigger_type", "EMAIL"), ("where", "input.a.b>1"), ("error", "broke")]
    page = await history.trigger_logs(read_filter(LogFilter, given), 10, tenant_id=TENANT)
    assert [row["id"] for row in page.rows] == [wanted["id"]]


async def test_pages_neither_repeat_nor_leave_out_while_rows_come_and_change(
    database: ClickHouse, history: History
) -> None:
    """Times from the first hour to years ago, some of them the same; new rows come, and those that have been
    read and those that will be change."""
    times = [START_US - n * n * 97_000_000_000 // 7 for n in range(40) for _ in range(2)]
    runs = [records.run(created_at=at, status="FAILED") for at in times]
    await write(database, "runs", *runs)
    seen: list[str] = []
    cursor = None
    for step in range(100):
        page = await history.runs(RunFilter(status=("FAILED",)), 7, cursor, tenant_id=TENANT)
        seen += [row["id"] for row in page.rows]
        newer = records.run(created_at=START_US + step, status="FAILED")
        changed = [{**run, "revision": 2 + step, "total_steps": step} for run in runs]
        await write(database, "runs", newer, *changed)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) == {run["id"] for run in runs}


async def test_a_search_that_takes_too_much_says_what_to_do(database: ClickHouse) -> None:
    await database.execute(
        "INSERT INTO workflow_run_changes (id, tenant_id, event_at, inputs) SELECT generateUUIDv4(), "
        f"'{TENANT}', now64(6), randomPrintableASCII(100) FROM numbers(100000)"
    )
    limits = SearchLimits(memory_bytes=100_000)
    bounded = History(database, Assembler(ValueStore(Storage(MemoryStore()))), limits=limits)
    with pytest.raises(Malformed, match="narrow it down"):
        await bounded.runs(RunFilter(), 10, tenant_id=TENANT)


def test_spans_cover_all_time_once_the_newest_first() -> None:
    covered = list(spans(Span(), START))
    assert (covered[0].end, covered[-1].start) == (None, None)
    assert covered[0].start == START - timedelta(hours=1)
    for newer, older in itertools.pairwise(covered):
        assert newer.start == older.end


def test_spans_end_where_the_search_does() -> None:
    since, until = START - timedelta(days=3), START - timedelta(minutes=1)
    covered = list(spans(Span(since, until), START))
    assert (covered[0].end, covered[-1].start) == (until, since)
    assert list(spans(Span(since, since), START)) == [Span(since, since)]
    # What is asked for may lie in the time to come.
    later = START + timedelta(days=1)
    assert list(spans(Span(START, later), START)) == [Span(START, later)]


@pytest.mark.parametrize(
    ("name", "time", "is_found"),
    [
        ("since", "0001-01-01T00:00:00Z", True),
        ("since", "9999-12-31T23:59:59-05:00", False),
        ("until", "0001-01-01T00:00:00+05:00", False),
        ("until", "9999-12-31T23:59:59Z", True),
    ],
)
async def test_a_time_may_mean_ever(
    database: ClickHouse, history: History, name: str, time: str, is_found: bool
) -> None:
    await write(database, "runs", records.run(created_by="one"))
    assert await found(history, (name, time)) == ({"one"} if is_found else set())
