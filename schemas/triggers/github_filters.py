"""What of a GitHub event a trigger wants: branches, tags, paths, actions and authors, as GitHub Actions
understands them.

Source: GitHub Docs, "Workflow syntax for GitHub Actions", `on.push`, `on.pull_request`, `on.workflow_run`.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator

from schemas.filter_patterns import FilterPatterns
from schemas.paths import lookup
from schemas.regexes import Regex, compile_regex

Payload = Mapping[str, Any]

BRANCHES: Mapping[str, str] = {
    "push": "ref",
    "create": "ref",
    "delete": "ref",
    "workflow_dispatch": "ref",
    "repository_dispatch": "branch",
    "pull_request": "pull_request.base.ref",
    "pull_request_review": "pull_request.base.ref",
    "pull_request_review_comment": "pull_request.base.ref",
    "pull_request_review_thread": "pull_request.base.ref",
    "merge_group": "merge_group.base_ref",
    "workflow_run": "workflow_run.head_branch",
    "workflow_job": "workflow_job.head_branch",
    "check_suite": "check_suite.head_branch",
    "check_run": "check_run.check_suite.head_branch",
}
"""Events that have a branch -> where in the payload. Of a pull request it is the one to merge into."""

TAGS: Mapping[str, str] = {
    "push": "ref",
    "create": "ref",
    "delete": "ref",
    "workflow_dispatch": "ref",
    "release": "release.tag_name",
}

MOST_COMMITS = 1_000
"""Of a push with more GitHub Actions makes no diff, and runs whatever the paths."""
MOST_PATHS = 3_000
"""Of a push with more it is not looked for one that fits: it does."""

_WRITTEN_IN = ("comment", "review", "pull_request", "issue", "discussion", "release")
"""What has an author, the closest to the event first."""


def _patterns(given: tuple[str, ...]) -> tuple[str, ...]:
    FilterPatterns(given)
    return given


Patterns = Annotated[tuple[str, ...], AfterValidator(_patterns)]


class Ref(NamedTuple):
    """What an event is about in the repository."""

    kind: str
    """`branch` or `tag`."""
    name: str


class EventFilter(BaseModel):
    """What is wanted of one kind of event. What is left out lets everything through."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    actions: Annotated[
        tuple[str, ...], Field(validation_alias=AliasChoices("actions", "types"), max_length=100)
    ] = ()
    """`opened`, `synchronize` and the like."""
    branches: Patterns = ()
    branches_ignore: Annotated[
        Patterns, Field(validation_alias=AliasChoices("branches-ignore", "branches_ignore"))
    ] = ()
    tags: Patterns = ()
    tags_ignore: Annotated[Patterns, Field(validation_alias=AliasChoices("tags-ignore", "tags_ignore"))] = ()
    paths: Patterns = ()
    """At least one changed file fits. Pushes only: other deliveries do not name the files."""
    paths_ignore: Annotated[
        Patterns, Field(validation_alias=AliasChoices("paths-ignore", "paths_ignore"))
    ] = ()
    """At least one changed file does not fit."""
    authors: Annotated[
        tuple[Regex, ...], Field(validation_alias=AliasChoices("authors", "author"), max_length=100)
    ] = ()
    """Regular expressions (RE2), found anywhere in the login, name or mail address of an author of a commit;
    for other events in the login of who wrote the comment, review, pull request or issue."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        for name in ("branches", "tags", "paths"):
            if getattr(self, name) and getattr(self, f"{name}_ignore"):
                raise ValueError(f"{name} and {name}-ignore cannot be used together: use ! in {name}")
        return self

    def check(self, event: str) -> None:
        """Raises `ValueError` for what events of that kind do not have."""
        for used, known, what in (
            (self.branches or self.branches_ignore, event in BRANCHES, "a branch"),
            (self.tags or self.tags_ignore, event in TAGS, "a tag"),
            (self.paths or self.paths_ignore, event == "push", "the paths of changed files"),
        ):
            if used and not known:
                raise ValueError(f"a delivery of the event {event} does not name {what}")

    def refusal(self, event: str, payload: Payload) -> str | None:
        """Why such an event is not wanted."""
        action = payload.get("action")
        if self.actions and action not in self.actions:
            return f"action {action!r} is not wanted"
        ref = ref_of(event, payload)
        if (why := self._ref_refusal(ref)) is not None:
            return why
        if not self._touches(ref, payload):
            return "no changed path is wanted"
        if self.authors and not self._has_author(event, payload):
            return "no author is wanted"
        return None

    def _ref_refusal(self, ref: Ref | None) -> str | None:
        about_branches = bool(self.branches or self.branches_ignore)
        about_tags = bool(self.tags or self.tags_ignore)
        if not about_branches and not about_tags:
            return None
        if ref is None:
            return "the event has neither branch nor tag"
        # Who filters only one of the two is not told of the other.
        if not (about_branches if ref.kind == "branch" else about_tags):
            return f"{ref.kind} {ref.name!r} is not wanted"
        wanted = self._branches if ref.kind == "branch" else self._tags
        ignored = self.branches_ignore if ref.kind == "branch" else self.tags_ignore
        return None if wanted.match(ref.name) != bool(ignored) else f"{ref.kind} {ref.name!r} is not wanted"

    def _touches(self, ref: Ref | None, payload: Payload) -> bool:
        """Whether a push changes what is wanted. Paths are not looked at where a tag is pushed."""
        if not (self.paths or self.paths_ignore) or (ref is not None and ref.kind == "tag"):
            return True
        paths = changed_paths(commits := commits_of(payload))
        if len(commits) > MOST_COMMITS or len(paths) > MOST_PATHS:
            return True
        return any(self._paths.match(path) != bool(self.paths_ignore) for path in paths)

    def _has_author(self, event: str, payload: Payload) -> bool:
        regexes = [compile_regex(one) for one in self.authors]
        people = authors_of(event, payload)
        return any(regex.search(person) for person in people for regex in regexes)

    @cached_property
    def _branches(self) -> FilterPatterns:
        return FilterPatterns(self.branches or self.branches_ignore)

    @cached_property
    def _tags(self) -> FilterPatterns:
        return FilterPatterns(self.tags or self.tags_ignore)

    @cached_property
    def _paths(self) -> FilterPatterns:
        return FilterPatterns(self.paths or self.paths_ignore)


def ref_of(event: str, payload: Payload) -> Ref | None:
    """The branch or tag; None where the event is about neither."""
    if event == "release":
        found, name = lookup(payload, TAGS[event])
        return Ref("tag", name) if found and isinstance(name, str) else None
    found, name = lookup(payload, BRANCHES[event]) if event in BRANCHES else (False, None)
    if not found or not isinstance(name, str):
        return None
    if name.startswith("refs/tags/"):
        return Ref("tag", name.removeprefix("refs/tags/"))
    # Creations and deletions have the bare name, and say beside it what it is of.
    kind = "tag" if payload.get("ref_type") == "tag" else "branch"
    return Ref(kind, name.removeprefix("refs/heads/"))


def commits_of(payload: Payload) -> list[Payload]:
    """Of a push; what is no object is none."""
    commits = payload.get("commits")
    return [one for one in commits if isinstance(one, Mapping)] if isinstance(commits, list) else []


def changed_paths(commits: Iterable[Payload]) -> set[str]:
    """Every file that one of them has added, modified or removed."""
    lists = (commit.get(how) for commit in commits for how in ("added", "modified", "removed"))
    return {path for paths in lists if isinstance(paths, list) for path in paths if isinstance(path, str)}


def authors_of(event: str, payload: Payload) -> set[str]:
    """Logins, names and mail addresses."""
    if event == "push":
        commits = commits_of(payload) or [_member(payload, "head_commit")]
        authors = [_member(commit, "author") for commit in commits]
        return _texts(author.get(key) for author in authors for key in ("username", "name", "email"))
    written = (_member(payload, part) for part in _WRITTEN_IN)
    writers = (_member(one, "user") or _member(one, "author") for one in written)
    writer = next(filter(None, writers), None) or _member(payload, "sender")
    return _texts([writer.get("login")])


def _texts(values: Iterable[Any]) -> set[str]:
    return {one for one in values if isinstance(one, str) and one}


def _member(value: Payload, name: str) -> Payload:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}
