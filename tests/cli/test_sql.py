"""`hopline sql`."""

import orjson

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

RESULT = {
    "columns": ["status", "n"],
    "types": ["String", "UInt64"],
    "rows": [["FAILED", 2]],
    "truncated": False,
}


def test_tsv_when_piped(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/sql", RESULT)
    assert hopline("sql", "SELECT 1").stdout == "status\tn\nFAILED\t2\n"
    assert api.seen[0].json == {"query": "SELECT 1"}


def test_json(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/sql", RESULT)
    assert orjson.loads(hopline("sql", "SELECT 1", "--json").stdout) == [{"status": "FAILED", "n": 2}]


def test_truncation_is_said_on_stderr(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/sql", {**RESULT, "truncated": True})
    result = hopline("sql", "SELECT 1")
    assert "only the first 1 rows" in result.stderr
    assert "only" not in result.stdout


def test_refusal(hopline: Hopline, api: CannedApi) -> None:
    api.refuses("POST /api/v1/sql", 400, "only SELECT is possible here")
    result = hopline("sql", "DROP TABLE x")
    assert (result.exit_code, result.stderr) == (1, "hopline: only SELECT is possible here\n")
