"""What a worker is told becomes what its engine keeps to."""

import pytest

from schemas.ids import now_us
from streams.engine.options import Options
from streams.settings import WorkerSettings

GIVEN = {
    "HOPLINE_RUN_MAX_STEPS": "7",
    "HOPLINE_RUN_MAX_S": "8",
    "HOPLINE_RUN_MAX_LOOP_ROUNDS": "9",
    "HOPLINE_RUN_MAX_DEPTH": "2",
    "HOPLINE_RUN_MAX_HOP_MB": "1",
    "HOPLINE_RUN_MAX_WAIT_S": "3",
    "HOPLINE_NODE_TIMEOUT_S": "4.5",
    "HOPLINE_NODE_QUEUE_S": "0",
    "HOPLINE_EVERY_NODE_A_HOP": "true",
}


def test_the_limits_of_a_run_are_those_of_dify() -> None:
    limits = Options(max_steps=500, max_run_s=1200, max_loop_rounds=100, max_depth=5, clock=now_us)
    assert WorkerSettings().engine_options(now_us) == limits


def test_each_limit_of_a_run_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    assert WorkerSettings().engine_options(now_us) == Options(
        max_steps=7, max_run_s=8, max_loop_rounds=9, max_depth=2, max_wait_s=3, max_node_s=4.5,
        node_queue_s=0, max_hop_bytes=1024 * 1024, every_node_a_hop=True, clock=now_us,
    )  # fmt: skip


@pytest.mark.parametrize("name", [name for name in GIVEN if "MAX" in name or "TIMEOUT" in name])
def test_a_run_without_room_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "0")
    with pytest.raises(ValueError, match=name.removeprefix("HOPLINE_").lower()):
        WorkerSettings()
