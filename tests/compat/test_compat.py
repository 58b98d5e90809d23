"""This release goes on with what earlier ones have written, and what it writes itself is on record."""

from typing import Any

import orjson
import pytest

from schemas.codec import SingleObjectCodec
from schemas.topics import TOPICS
from tests.compat.messages import messages
from tests.compat.releases import newest, recorded, releases
from tests.compat.runs import follow, runs
from tests.compat.samples import as_json, samples
from transport.definitions import MODELS

CODEC = SingleObjectCodec()


def _entries(name: str) -> list[Any]:
    return [
        pytest.param(release, entry, id=f"{release}-{entry}")
        for release, entries in recorded(name).items()
        for entry in entries
    ]


@pytest.mark.parametrize(("release", "kind"), _entries("rows"))
def test_rows_of_every_release_say_what_they_said(release: str, kind: str) -> None:
    """A later release may read more in them; what its own model lets out when it is empty may be missing."""
    entry = recorded("rows")[release][kind]
    said, says = entry["means"], as_json(samples()[kind].view(bytes.fromhex(entry["bytes"])))
    if isinstance(said, dict):
        says = {name: value for name, value in says.items() if name in said}
    assert says == said


@pytest.mark.parametrize(("release", "topic"), _entries("messages"))
def test_messages_of_every_release_are_read(release: str, topic: str) -> None:
    value = bytes.fromhex(recorded("messages")[release][topic])
    record = CODEC.decode(str(TOPICS[topic].schema), value)
    if topic in MODELS and record["body"] is not None:
        MODELS[topic].model_validate(orjson.loads(record["body"]))


@pytest.mark.parametrize(("release", "name"), _entries("runs"))
def test_runs_of_every_release_come_to_their_end(release: str, name: str) -> None:
    entry = recorded("runs")[release][name]
    assert follow(name, entry) == entry["ends"]


HOW = (
    "what is written has changed. If the release before cannot read it, raise `format` of the stage, see "
    f"docs/upgrades.md. Then add it with `python -m tests.compat.record {len(releases()) + 1:04}`"
)


def test_what_is_written_is_on_record() -> None:
    known = {kind: entry["bytes"] for kind, entry in newest("rows").items()}
    assert {kind: sample.encoded.hex() for kind, sample in samples().items()} == known, HOW


def test_messages_are_on_record() -> None:
    assert messages() == newest("messages"), HOW


def test_runs_are_on_record() -> None:
    assert runs() == newest("runs"), HOW
