"""Filters on GitHub events: as `on:` of a workflow of GitHub Actions reads them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.triggers.github_filters import MOST_COMMITS, MOST_PATHS, EventFilter, Ref, authors_of, ref_of
from tests.octokit.payloads import of_event, payloads


def refusal(wanted: dict[str, Any], payload: dict[str, Any], event: str = "push") -> str | None:
    return EventFilter.model_validate(wanted).refusal(event, payload)


def pushed(ref: str = "refs/heads/main", *paths: str, **more: Any) -> dict[str, Any]:
    commits = [{"added": [one], "modified": [], "removed": []} for one in paths]
    return {"ref": ref, "commits": commits, **more}


@pytest.mark.parametrize(
    ("wanted", "ref", "passes"),
    [
        ({}, "refs/heads/a", True),
        ({}, "refs/tags/a", True),
        ({"branches": ["main"]}, "refs/heads/main", True),
        ({"branches": ["main"]}, "refs/heads/dev", False),
        ({"branches": ["**"]}, "refs/tags/v1", False),
        ({"branches-ignore": ["dev"]}, "refs/heads/main", True),
        ({"branches-ignore": ["dev"]}, "refs/heads/dev", False),
        ({"branches-ignore": ["dev"]}, "refs/tags/v1", False),
        ({"branches-ignore": ["dev/**", "!dev/keep"]}, "refs/heads/dev/keep", True),
        ({"tags": ["v*"]}, "refs/tags/v1", True),
        ({"tags": ["v*"]}, "refs/heads/v1", False),
        ({"tags-ignore": ["v*"]}, "refs/tags/x", True),
        ({"tags-ignore": ["v*"]}, "refs/tags/v1", False),
        ({"tags-ignore": ["v*"]}, "refs/heads/main", False),
        ({"branches": ["main"], "tags": ["v*"]}, "refs/tags/v1", True),
        ({"branches": ["main"], "tags": ["v*"]}, "refs/heads/main", True),
        ({"branches": ["main"], "tags": ["v*"]}, "refs/heads/v1", False),
        ({"branches": ["refs/heads/main"]}, "refs/heads/main", False),
        ({"branches": ["heads/x"]}, "refs/heads/heads/x", True),
    ],
)
def test_who_filters_branches_alone_is_not_told_of_tags(wanted: Any, ref: str, passes: bool) -> None:
    assert (refusal(wanted, pushed(ref)) is None) is passes


@pytest.mark.parametrize(
    ("wanted", "paths", "passes"),
    [
        ({"paths": ["src/**"]}, ["README.md", "src/a.py"], True),
        ({"paths": ["src/**"]}, ["README.md"], False),
        ({"paths": ["src/**"]}, [], False),
        ({"paths": ["src/**", "!src/docs/**"]}, ["src/docs/a"], False),
        ({"paths": ["src/**", "!src/docs/**"]}, ["src/docs/a", "src/a"], True),
        ({"paths-ignore": ["docs/**"]}, ["docs/a"], False),
        ({"paths-ignore": ["docs/**"]}, ["docs/a", "src/a"], True),
        ({"branches": ["main"], "paths": ["src/**"]}, ["src/a"], True),
        ({"branches": ["dev"], "paths": ["src/**"]}, ["src/a"], False),
    ],
)
def test_one_path_that_fits_is_enough(wanted: Any, paths: list[str], passes: bool) -> None:
    assert (refusal(wanted, pushed("refs/heads/main", *paths)) is None) is passes


def test_removed_and_modified_files_are_changed_files() -> None:
    commits = [{"added": [], "modified": ["a/x"], "removed": []}, {"removed": ["b/y"]}]
    for path in ("a/*", "b/*"):
        assert refusal({"paths": [path]}, {"ref": "refs/heads/m", "commits": commits}) is None


def test_paths_are_not_looked_at_where_a_tag_is_pushed() -> None:
    assert refusal({"paths": ["src/**"]}, pushed("refs/tags/v1", "README.md")) is None


def test_a_push_that_is_too_large_to_look_at_passes() -> None:
    commits = [{"added": ["README.md"]}] * (MOST_COMMITS + 1)
    assert refusal({"paths": ["src/**"]}, {"ref": "refs/heads/m", "commits": commits}) is None
    assert refusal({"paths": ["src/**"]}, {"ref": "refs/heads/m", "commits": commits[1:]}) is not None
    many = [{"added": [str(n) for n in range(MOST_PATHS + 1)]}]
    assert refusal({"paths": ["src/**"]}, {"ref": "refs/heads/m", "commits": many}) is None


@pytest.mark.parametrize(
    ("event", "payload", "expected"),
    [
        (
            "pull_request",
            {"pull_request": {"base": {"ref": "main"}, "head": {"ref": "topic"}}},
            ("branch", "main"),
        ),
        ("merge_group", {"merge_group": {"base_ref": "refs/heads/main"}}, ("branch", "main")),
        ("workflow_run", {"workflow_run": {"head_branch": "dev"}}, ("branch", "dev")),
        ("create", {"ref": "v1", "ref_type": "tag"}, ("tag", "v1")),
        ("delete", {"ref": "topic/a", "ref_type": "branch"}, ("branch", "topic/a")),
        ("release", {"release": {"tag_name": "v2"}}, ("tag", "v2")),
        ("issues", {"ref": "refs/heads/main"}, None),
        ("check_run", {"check_run": {"check_suite": {"head_branch": None}}}, None),
    ],
)
def test_what_an_event_is_about(event: str, payload: Any, expected: Any) -> None:
    found = ref_of(event, payload)
    assert found == (Ref(*expected) if expected else None)


def test_an_event_without_a_branch_is_not_of_any() -> None:
    payload = {"check_suite": {"head_branch": None}}
    assert refusal({"branches": ["**"]}, payload, "check_suite") == "the event has neither branch nor tag"


def test_actions_by_either_name() -> None:
    for name in ("actions", "types"):
        assert refusal({name: ["opened"]}, {"action": "opened"}, "issues") is None
        assert refusal({name: ["opened"]}, {"action": "closed"}, "issues") == "action 'closed' is not wanted"
    assert refusal({"actions": ["opened"]}, {}, "issues") is not None


@pytest.mark.parametrize(
    ("event", "payload", "found"),
    [
        (
            "push",
            {"commits": [{"author": {"name": "Ada", "email": "a@x", "username": "ada"}}]},
            {"Ada", "a@x", "ada"},
        ),
        ("push", {"commits": [], "head_commit": {"author": {"name": "Bo"}}}, {"Bo"}),
        ("push", {"commits": [], "head_commit": None, "sender": {"login": "x"}}, set()),
        ("issue_comment", {"comment": {"user": {"login": "c"}}, "issue": {"user": {"login": "i"}}}, {"c"}),
        ("issues", {"issue": {"user": {"login": "i"}}, "sender": {"login": "s"}}, {"i"}),
        ("release", {"release": {"author": {"login": "r"}}}, {"r"}),
        ("star", {"sender": {"login": "s"}}, {"s"}),
        ("star", {}, set()),
    ],
)
def test_who_has_written_it(event: str, payload: Any, found: set[str]) -> None:
    assert authors_of(event, payload) == found


def test_one_author_is_enough_and_found_anywhere() -> None:
    commits = [{"author": {"email": "bot@ci"}}, {"author": {"email": "ada@corp.example"}}]
    payload = {"ref": "refs/heads/m", "commits": commits}
    assert refusal({"author": [r"@corp\.example$"]}, payload) is None
    assert refusal({"authors": [r"^@corp"]}, payload) == "no author is wanted"


@pytest.mark.parametrize(
    ("wanted", "event", "said"),
    [
        ({"branches": ["a"], "branches-ignore": ["b"]}, "push", "cannot be used together"),
        ({"tags": ["a"], "tags_ignore": ["b"]}, "push", "cannot be used together"),
        ({"paths": ["a"], "paths-ignore": ["b"]}, "push", "cannot be used together"),
        ({"branches": ["!a"]}, "push", "add one without"),
        ({"paths": ["a[b"]}, "push", "a ] is missing"),
        ({"authors": ["(a"]}, "push", "no regular expression"),
        ({"branch": ["a"]}, "push", "Extra inputs"),
        ({"branches": ["a"]}, "issues", "does not name a branch"),
        ({"tags": ["a"]}, "pull_request", "does not name a tag"),
        ({"paths": ["a"]}, "pull_request", "does not name the paths"),
    ],
)
def test_what_cannot_be_is_refused(wanted: Any, event: str, said: str) -> None:
    with pytest.raises((ValidationError, ValueError), match=said):
        EventFilter.model_validate(wanted).check(event)


def test_it_is_stored_as_it_is_read() -> None:
    wanted = EventFilter.model_validate({"branches-ignore": ["a"], "types": ["opened"], "author": ["x"]})
    assert EventFilter.model_validate(wanted.model_dump(mode="json")) == wanted


def test_real_pushes_and_pull_requests() -> None:
    tags = [one for one in of_event("push") if one["ref"].startswith("refs/tags/")]
    assert tags
    assert all(refusal({"tags": ["simple-*"]}, one) is None for one in tags)
    assert all(refusal({"branches": ["**"]}, one) is not None for one in tags)
    requests = list(of_event("pull_request"))
    bases = {one["pull_request"]["base"]["ref"] for one in requests}
    for base in bases:
        passed = [one for one in requests if refusal({"branches": [base]}, one, "pull_request") is None]
        assert {one["pull_request"]["base"]["ref"] for one in passed} == {base}


def test_no_real_payload_is_too_much() -> None:
    everything = EventFilter.model_validate(
        {"types": ["x"], "branches": ["x"], "tags": ["x"], "paths": ["x"], "authors": ["^$"]}
    )
    for one in payloads():
        assert everything.refusal(one.event, one.payload) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = (
    "ref",
    "commits",
    "head_commit",
    "pull_request",
    "sender",
    "action",
    "comment",
    "release",
    "check_run",
)


@given(
    st.dictionaries(st.sampled_from(MEMBERS), JSON),
    st.sampled_from(["push", "pull_request", "release", "check_run"]),
)
def test_whoever_has_the_secret_may_send_anything(payload: dict[str, Any], event: str) -> None:
    """Nothing is raised, whatever has another type than GitHub gives it."""
    for wanted in (
        {"branches": ["**"]},
        {"tags": ["**"]},
        {"paths": ["**"]},
        {"authors": ["."]},
        {"types": ["x"]},
    ):
        refusal(wanted, payload, event)
