"""A filter finds in records what a search finds in the history."""

import orjson
import pytest

from ingress.live.matching import Chosen, holds
from schemas.conditions import read_condition
from schemas.search import RunFilter, read_filter
from tests.ingress.live.records import Partition
from tests.ingress.test_search import EXPECTED, VALUES
from tests.sinks.records import TENANT

DOCUMENT = (
    '{"customer": {"tier": "Gold", "age": 7}, "items": [{"price": 9.5}], "n": null, "text": "A refund"}'
)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("input.customer.tier=Gold", True), ("input.customer.tier=gold", False),
        ("input.customer.tier!=gold", True), ("input.customer.age=7", True), ("input.customer.age=7.0", True),
        ('input.customer.age="7"', False), ("input.customer.age>=7", True), ("input.customer.age<7", False),
        ("input.items[0].price<10", True), ("input.items[1].price<10", False), ("input.n=null", True),
        ("input.missing=null", True), ("input.missing!=1", True), ("input~REFUND", True),
        ("input.text~refund", True), ("input.customer~gold", True), ("input.missing~x", False),
        ("input.customer.tier>Golc", True), ("input.customer.tier>1", False), ("input.customer.age>a", False),
    ],
)  # fmt: skip
def test_conditions(condition: str, found: bool) -> None:
    assert holds(read_condition(condition), DOCUMENT) is found


@pytest.mark.parametrize("condition", EXPECTED)
def test_conditions_hold_where_a_search_finds_them_to(condition: str) -> None:
    read = read_condition(condition)
    documents = {
        name: orjson.dumps(value).decode() if read.of == "input" else "" for name, value in VALUES.items()
    }
    assert {name for name, document in documents.items() if holds(read, document)} == EXPECTED[condition]


def test_what_is_no_json_has_no_values() -> None:
    assert not holds(read_condition("output.a=1"), "")


@pytest.mark.parametrize(
    ("parameter", "of_states", "needs_run"),
    [
        ("workflow_id=a", False, False), ("app_id=a", False, False), ("version=1", False, True),
        ("created_by=ada", False, True), ("trigger_type=webhook", False, True),
        ("where=input.a=1", False, True), ("where=output.a=1", True, False), ("status=FAILED", True, False),
        ("error=x", True, False), ("min_duration=0", True, False), ("max_tokens=0", True, False),
    ],
)  # fmt: skip
def test_what_changes_chooses_states(parameter: str, of_states: bool, needs_run: bool) -> None:
    chosen = Chosen(
        read_filter(RunFilter, [(parameter.partition("=")[0], parameter.partition("=")[2])]), TENANT
    )
    assert (chosen.of_states, chosen.needs_run) == (of_states, needs_run)


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({"version": "1,2"}, True), ({"version": "2"}, False), ({"created_by": "ada"}, True),
        ({"created_by": "bob"}, False), ({"where": "input.a=1"}, True), ({"where": "input.a=2"}, False),
        ({"trigger_type": "webhook,manual"}, True), ({"trigger_type": "manual"}, False),
    ],
)  # fmt: skip
def test_what_never_changes_chooses_runs(given: dict[str, str], fits: bool) -> None:
    run = Partition().run(version="1", created_by="ada").record
    assert Chosen(read_filter(RunFilter, given.items()), TENANT).fits_run(run, "WEBHOOK") is fits


@pytest.mark.parametrize(
    "given", [{"version": "1"}, {"trigger_type": "webhook", "app_id": "a"}, {"where": "input.a=1"}]
)
def test_the_history_is_asked_for_what_chooses_runs_and_no_more(given: dict[str, str]) -> None:
    asked = Chosen(read_filter(RunFilter, [*given.items(), ("status", "FAILED")]), TENANT).of_runs
    assert asked == read_filter(RunFilter, given.items())
