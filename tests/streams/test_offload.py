"""What is too large for messages and for the history: records and rows in, records and uploads out."""

from typing import Any, get_args

import orjson
import pytest

from schemas.references import MARK, digest_of, document_digest, reference, value_key
from schemas.summaries import OFFLOADED, SUMMARY_BYTES
from streams.offload import (
    DOCUMENT_BYTES,
    MOST_BYTES,
    VALUE_BYTES,
    Mode,
    Offload,
    Owner,
    brief,
    packed,
    packed_outputs,
    packed_row,
    row_digest,
    slim,
)
from transport.values import Upload

OWNER = Owner("t", "0b9e2d6c-0000-5000-8000-000000000001")
PRODUCTION, DEBUGGING, STEP = "app-run", "debugging", "single-step"
SMALL, THRESHOLD, HUGE = 10, 1000, MOST_BYTES + 1000


def document(size: int) -> str:
    """A JSON object of so many bytes."""
    return orjson.dumps({"a": "x" * (size - 8)}).decode()


def slimmed(given: str, limit: int) -> tuple[dict[str, Any], list[Upload]]:
    uploads: list[Upload] = []
    record = slim({"id": "r", "outputs": given}, ("inputs", "outputs"), OWNER, limit, uploads)
    return orjson.loads(record["outputs"]), uploads


@pytest.mark.parametrize(
    ("mode", "triggered_from", "offloads"),
    [
        ("NEVER", PRODUCTION, (False, False, True)),
        ("NEVER", DEBUGGING, (False, False, True)),
        ("ALWAYS", PRODUCTION, (True, True, True)),
        ("ALWAYS", STEP, (True, True, True)),
        ("SELECTIVE", PRODUCTION, (False, True, True)),
        ("SELECTIVE", DEBUGGING, (False, True, True)),
        ("SYNC_ONLY", PRODUCTION, (False, False, True)),
        ("SYNC_ONLY", DEBUGGING, (False, True, True)),
        ("SYNC_ONLY", STEP, (False, True, True)),
    ],
)
def test_the_mode_says_what_the_history_keeps(
    mode: Mode, triggered_from: str, offloads: tuple[bool, ...]
) -> None:
    limit = Offload(mode, THRESHOLD).limit(triggered_from)
    for size, expected in zip((SMALL, THRESHOLD + 1, HUGE), offloads, strict=True):
        shown, uploads = slimmed(document(size), limit)
        assert (OFFLOADED in shown, len(uploads)) == (expected, int(expected)), size


def test_there_are_no_other_modes() -> None:
    assert set(get_args(Mode)) == {"NEVER", "ALWAYS", "SELECTIVE", "SYNC_ONLY"}


def test_what_is_as_large_as_the_threshold_stays() -> None:
    limit = Offload("SELECTIVE", THRESHOLD).limit(PRODUCTION)
    assert slimmed(document(THRESHOLD), limit)[1] == []
    wide = orjson.dumps(
        {"a": "é" * 500}
    ).decode()  # its characters are less than the threshold, its bytes not
    assert len(wide) < THRESHOLD < len(wide.encode())
    assert len(slimmed(wide, limit)[1]) == 1


def test_no_threshold_lets_more_through_than_messages_take() -> None:
    assert Offload("SELECTIVE", 10 * MOST_BYTES).limit(PRODUCTION) == MOST_BYTES


def test_a_record_keeps_a_summary_and_says_where_the_whole_is() -> None:
    given = document(HUGE)
    shown, (upload,) = slimmed(given, THRESHOLD)
    mark = shown.pop(OFFLOADED)
    assert upload.key == value_key("t", OWNER.id, mark["digest"])
    assert upload.content == given.encode()
    assert mark == {"owner": OWNER.id, "digest": digest_of(given.encode()), "size": HUGE}
    assert shown["a"].startswith("xxx")
    assert shown["a"].endswith("...")
    assert len(shown["a"]) <= SUMMARY_BYTES + 3


@pytest.mark.parametrize("nothing", [None, "", "{}"])
def test_nothing_is_not_offloaded(nothing: str | None) -> None:
    uploads: list[Upload] = []
    record = {"outputs": nothing}
    assert slim(record, ("inputs", "outputs"), OWNER, -1, uploads) is record
    assert uploads == []


def test_a_value_that_went_by_reference_is_shown_by_its_summary_whatever_the_mode() -> None:
    large = orjson.dumps("y" * 1_000_000)
    given = orjson.dumps({"text": reference(large, "y" * 1_000_000), "n": 1}).decode()
    shown, (upload,) = slimmed(given, Offload("NEVER").limit(PRODUCTION))
    assert shown["n"] == 1
    assert shown["text"].startswith("yyy")
    assert MARK not in str(shown)
    assert shown[OFFLOADED]["size"] == len(given) + len(large)
    assert upload.content == given.encode()


def test_what_is_a_summary_already_stays_one() -> None:
    limit = Offload("ALWAYS").limit(PRODUCTION)
    shown, _ = slimmed(document(HUGE), limit)
    assert slimmed(orjson.dumps(shown).decode(), limit) == (shown, [])


def test_a_mark_is_no_way_around_the_limit() -> None:
    forged = {OFFLOADED: {"owner": OWNER.id, "digest": "0" * 64, "size": 1}, "a": "x" * HUGE}
    shown, uploads = slimmed(orjson.dumps(forged).decode(), THRESHOLD)
    assert len(uploads) == 1
    assert len(orjson.dumps(shown)) < 2 * SUMMARY_BYTES


def test_a_large_document_of_a_message_is_a_reference() -> None:
    uploads: list[Upload] = []
    assert packed(document(DOCUMENT_BYTES), OWNER, uploads) == document(DOCUMENT_BYTES)
    assert uploads == []
    given = document(DOCUMENT_BYTES + 1)
    short = packed(given, OWNER, uploads)
    assert document_digest(short) == digest_of(given.encode())
    assert uploads == [OWNER.upload(given.encode())]
    assert len(short) < 200


def test_a_large_row_is_a_reference() -> None:
    uploads: list[Upload] = []
    here = b"x" * DOCUMENT_BYTES
    assert packed_row(here, OWNER, uploads) is here
    assert packed_row(None, OWNER, uploads) is None
    assert row_digest(here) is None
    assert uploads == []
    row = packed_row(here + b"x", OWNER, uploads)
    assert row is not None
    assert row_digest(row) == digest_of(here + b"x")
    assert uploads == [OWNER.upload(here + b"x")]


def test_each_large_output_of_an_executor_is_a_reference() -> None:
    uploads: list[Upload] = []
    large = orjson.dumps("x" * VALUE_BYTES)
    found = packed_outputs({"large": large, "small": b'{"n": 1}'}, OWNER, uploads)
    outputs = orjson.loads(orjson.dumps(found))
    assert outputs["small"] == {"n": 1}
    assert outputs["large"][MARK] == digest_of(large)
    assert outputs["large"]["size"] == len(large)
    assert uploads == [OWNER.upload(large)]


def test_the_same_content_of_two_runs_is_two_objects() -> None:
    other = Owner("t", "0b9e2d6c-0000-5000-8000-000000000002")
    assert OWNER.upload(b"1").key != other.upload(b"1").key
    assert OWNER.upload(b"1") == OWNER.upload(b"1")


def test_metadata_is_cut_where_it_fits_into_no_message() -> None:
    small = orjson.dumps({"total_tokens": 3}).decode()
    assert brief(small) is small
    assert brief(None) is None
    rounds = {str(index): {"text": "x" * 100_000} for index in range(100)}
    large = orjson.dumps({"loop_variable_map": rounds, "total_tokens": 3, "loop_id": "l"}).decode()
    told = orjson.loads(brief(large) or "")
    assert (told["total_tokens"], told["loop_id"]) == (3, "l")
    assert told["loop_variable_map"]["0"]["text"].endswith("...")
    assert len(orjson.dumps(told)) < 2 * SUMMARY_BYTES


def test_metadata_shows_what_references_stand_for() -> None:
    value = orjson.dumps("x" * VALUE_BYTES)
    given = {"loop_variable_map": {"0": {"text": reference(value, "x" * VALUE_BYTES)}}}
    text = orjson.loads(brief(orjson.dumps(given).decode()) or "")["loop_variable_map"]["0"]["text"]
    assert text.startswith("xxx")
    assert text.endswith("...")
