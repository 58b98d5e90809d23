"""The dashboards are those that the program writes, ask only for what there is, and overlap nowhere."""

import re
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import orjson
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.build import BOARDS, FOLDER, files
from deploy.grafana.panels import PROMETHEUS, Board
from tests.deploy.expressions import unknown

Json = dict[str, Any]

_INTERVALS = {"$__rate_interval": "5m", "$__range": "6h"}


def panels(board: Board) -> list[Json]:
    return [panel for panel in board.json()["panels"] if panel["type"] != "row"]


def targets(board: Board, datasource: Json) -> Iterator[tuple[str, Json]]:
    for panel in panels(board):
        for target in panel["targets"]:
            if target["datasource"] == datasource:
                yield panel["title"], target


def test_the_files_are_what_the_program_writes() -> None:
    written = {path: path.read_bytes() for path in FOLDER.glob("*.json")}
    assert written == files(), "run make dashboards"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_each_expression_asks_for_what_the_code_exposes(board: Board) -> None:
    for title, target in targets(board, PROMETHEUS):
        expression = target["expr"]
        for macro, value in _INTERVALS.items():
            expression = expression.replace(macro, value)
        assert unknown(expression) == set(), title
        legends = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        kept = {label for found in re.findall(r"by \(([^)]*)\)", expression) for label in found.split(", ")}
        # Without a grouping a series has all labels; the figure of one series needs no legend.
        assert not kept or legends in (kept - {"le"}, set()), title


def missing(given: Any, known: Any, place: str = "") -> Iterator[str]:
    """What of `given` is not in `known`."""
    if isinstance(given, dict) and isinstance(known, dict):
        for name, value in given.items():
            yield from missing(value, known.get(name), f"{place}.{name}")
    elif isinstance(given, list) and isinstance(known, list) and len(given) == len(known):
        for number, (one, other) in enumerate(zip(given, known, strict=True)):
            yield from missing(one, other, f"{place}[{number}]")
    elif given != known:
        yield place


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_grafana_knows_each_field(board: Board) -> None:
    register_default_plugins()
    given = board.json()
    assert list(missing(given, _as_grafana_reads(given))) == []
    given["panels"][1]["options"]["colour"] = "red"
    assert list(missing(given, _as_grafana_reads(given))) == [".panels[1].options.colour"]


def _as_grafana_reads(board: Json) -> Json:
    read: Json = orjson.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    return read


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_panels_have_a_place_and_a_word_each(board: Board) -> None:
    shown = board.json()
    ids = [panel["id"] for panel in shown["panels"]]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in shown["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart or above
    assert all(first["y"] <= second["y"] for first, second in pairwise(places))
    for panel in panels(board):
        assert panel["description"].endswith((".", "Hopline")), panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs) > 0


def test_no_two_boards_have_one_address() -> None:
    assert len({board.json()["uid"] for board in BOARDS}) == len(BOARDS)


def test_each_dashboard_file_is_one() -> None:
    for path in FOLDER.glob("*.json"):
        board = orjson.loads(path.read_bytes())
        assert board["uid"] == f"hopline-{path.stem}"
        assert {v["name"] for v in board["templating"]["list"]} >= {"prometheus", "clickhouse"}
