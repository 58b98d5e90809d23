"""`hopline dlq`."""

import orjson

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

LETTER = {
    "id": "d1", "created_at": "t", "status": "PENDING", "stage": "route", "topic": "trigger.events",
    "partition": 3, "offset": 7,
    "reason": "UndecodableValue: \x1b[31mno", "value": "AAEC", "stack": "Traceback\n  here",
}  # fmt: skip


def test_list_and_show(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/dead-letters", {"data": [LETTER]})
    api.says("GET /api/v1/dead-letters/d1", LETTER)
    listed = hopline("dlq", "list", "--status", "pending")
    assert api.seen[0].query == {"status": "PENDING", "limit": "20"}
    assert "trigger.events\t3\t7\t" in listed.stdout
    shown = hopline("dlq", "show", "d1").stdout
    assert "Traceback\n  here" in shown
    assert "\x1b" not in shown


def test_replay_by_id_goes_on_after_a_failure(hopline: Hopline, api: CannedApi) -> None:
    api.refuses("POST /api/v1/dead-letters/d1/replay", 404, "no such letter")
    api.says("POST /api/v1/dead-letters/d2/replay", {}, 202)
    result = hopline("dlq", "replay", "d1", "d2", "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout) == {"replayed": 1, "failed": ["d1: no such letter"]}
    assert "1 could not be replayed" in result.stderr
