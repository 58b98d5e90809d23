"""`hopline topics` against the real broker."""

import orjson
import pytest

from schemas.topics import TOPICS
from tests.cli.conftest import Hopline

pytestmark = pytest.mark.broker


def test_create_is_idempotent_and_describe_shows_all(
    hopline: Hopline, broker: str, topic_prefix: str
) -> None:
    env = {"HOPLINE_KAFKA": broker, "HOPLINE_TOPIC_PREFIX": topic_prefix, "HOPLINE_PARTITIONS": "2"}
    created = orjson.loads(hopline("topics", "create", "--json", **env).stdout)["created"]
    assert set(created) == {topic_prefix + name for name in TOPICS}
    assert hopline("topics", "create", **env).stdout == "all topics are there\n"

    states = {s["name"]: s for s in orjson.loads(hopline("topics", "describe", "--json", **env).stdout)}
    assert states.keys() == set(created)
    assert states[f"{topic_prefix}trigger.events"]["partitions"] == 2
    table = hopline("topics", "describe", **env).stdout.splitlines()
    assert table[0] == "topic\tpartitions\tmessages\tlag"
    assert len(table) == len(TOPICS) + 1

    mismatch = hopline("topics", "create", **{**env, "HOPLINE_PARTITIONS": "3"})
    assert mismatch.exit_code == 1
    assert "HOPLINE_PARTITIONS" in mismatch.stderr
