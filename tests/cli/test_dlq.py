"""`hopline dlq`."""

from typing import Any

import orjson
import pytest

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

LETTER = {
    "id": "d1", "created_at": "t", "status": "PENDING", "stage": "route", "topic": "trigger.events",
    "partition": 3, "offset": 7, "attempts": 2,
    "reason": "UndecodableValue: \x1b[31mno", "value": "AAEC", "stack": "Traceback\n  here",
}  # fmt: skip


def outcome(letter_id: str, outcome: str = "replayed", detail: str | None = None) -> dict[str, Any]:
    return {"id": letter_id, "outcome": outcome, "detail": detail}


def test_list_and_show(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/dead-letters", {"data": [LETTER]})
    api.says("GET /api/v1/dead-letters/d1", LETTER)
    chosen = ("--status", "pending", "--stage", "route", "--reason", "a b", "--since", "2026-01-31T12:00:00Z")
    listed = hopline("dlq", "list", *chosen)
    assert api.seen[0].query == {
        "status": "PENDING",
        "limit": "20",
        "stage": "route",
        "reason": "a b",
        "since": "2026-01-31T12:00:00Z",
    }
    assert "PENDING\t2\troute\ttrigger.events\t3\t7\t" in listed.stdout
    shown = hopline("dlq", "show", "d1").stdout
    assert "Traceback\n  here" in shown
    assert "\x1b" not in shown


def test_replay_by_id_goes_on_after_a_failure(hopline: Hopline, api: CannedApi) -> None:
    outcomes = [outcome("d1", "refused", "no such letter"), outcome("d2"), outcome("d3", "repeated")]
    api.says("POST /api/v1/dead-letters/replay", {"data": outcomes})
    result = hopline("dlq", "replay", "d1", "d2", "d3", "--json")
    assert api.seen[0].json == {"ids": ["d1", "d2", "d3"]}
    assert result.exit_code == 1
    assert orjson.loads(result.stdout) == {
        "replayed": 2,
        "repeated": 1,
        "failed": ["d1: no such letter"],
    }
    assert "1 could not be replayed" in result.stderr


def test_replay_of_all_that_fit_the_oldest_first_a_few_at_a_time(hopline: Hopline, api: CannedApi) -> None:
    letters = [{**LETTER, "id": f"d{n}"} for n in range(30)]
    api.answers["GET /api/v1/dead-letters"] = [
        (200, {"data": letters[:18], "next_cursor": "c"}),
        (200, {"data": letters[18:], "next_cursor": None}),
    ]
    oldest_first = [f"d{n}" for n in reversed(range(30))]
    api.answers["POST /api/v1/dead-letters/replay"] = [
        (200, {"data": [outcome(one) for one in oldest_first[:20]]}),
        (503, {"detail": "the broker is away"}),
    ]
    result = hopline("dlq", "replay", "--all", "--topic", "trigger.events")
    listed, _, *posts = api.seen
    assert (listed.query["topic"], listed.query["status"]) == ("trigger.events", "PENDING")
    assert listed.query["until"], "what fails again while this goes on is not sent again"
    assert [post.json["ids"] for post in posts] == [oldest_first[:20], oldest_first[20:]]
    assert result.stdout == "replayed 20 of 30\n"
    assert "10 could not be replayed, the first: d9: the broker is away" in result.stderr
    assert result.exit_code == 1


def test_a_dry_run_shows_them_and_sends_nothing(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/dead-letters", {"data": [LETTER], "next_cursor": None})
    result = hopline("dlq", "replay", "--all", "--dry-run")
    assert [one.method for one in api.seen] == ["GET"]
    assert "d1\t" in result.stdout
    assert result.stderr == "1 would be replayed\n"


@pytest.mark.parametrize("said", [(), ("d1", "--all"), ("d1", "--dry-run"), ("d1", "--stage", "route")])
def test_replay_wants_to_know_which(hopline: Hopline, api: CannedApi, said: tuple[str, ...]) -> None:
    assert hopline("dlq", "replay", *said).exit_code == 2
    assert api.seen == []
