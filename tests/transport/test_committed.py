"""What a commit tells; and that nobody asks for one in the way that ends the process when a broker dies."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.shell.offsets import MOST_OPEN
from transport.committed import Commit

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "transport", "ingress", "streams", "sinks", "cli", "bench")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_admin_client_is_not_asked_for_offsets_of_groups(package: str) -> None:
    files = (ROOT / package).rglob("*.py")
    ours = [file for file in files if not any(part.startswith(".") for part in file.relative_to(ROOT).parts)]
    assert [str(file) for file in ours if ".list_consumer_group_offsets(" in file.read_text()] == []


@given(st.integers(0, 2**62), st.sets(st.integers(1, 5000)))
def test_what_is_done_out_of_order_is_read_back(offset: int, places: set[int]) -> None:
    done = {offset + place for place in places}
    commit = Commit.of(offset, done)
    assert Commit(offset, commit.metadata).done == done
    assert commit.records == offset + len(done)


def test_a_commit_without_gaps_has_no_metadata() -> None:
    assert Commit.of(7, set()) == Commit(7, "")


def test_the_worst_that_a_partition_can_be_is_still_told() -> None:
    done = {place for place in range(1, MOST_OPEN + 2000) if random.Random(place).random() < 0.5}
    commit = Commit.of(0, done)
    assert commit.done == done
    assert len(commit.metadata) <= 4096


def test_too_much_to_be_told_is_left_out() -> None:
    done = {place for place in range(1, 100_000) if random.Random(place).random() < 0.5}
    assert Commit.of(0, done) == Commit(0)


@pytest.mark.parametrize("metadata", ["", "another tool", "2:AAAA", "1:%%%", "1:AAAA", "1:"])
def test_metadata_of_others_says_nothing(metadata: str) -> None:
    assert Commit(3, metadata).done == frozenset()
    assert Commit(3, metadata).records == 3
