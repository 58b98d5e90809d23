"""No order of faults makes an event lost, doubled or stuck. `HYPOTHESIS_PROFILE=deep` looks for longer."""

import logging
import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Protocol

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
SETTINGS = settings(
    max_examples=10_000 if DEEP else 60, stateful_step_count=30 if DEEP else 15, derandomize=not DEEP,
    database=None, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
)  # fmt: skip


def test_no_counterexample_is_found() -> None:
    logging.disable(logging.CRITICAL)
    try:
        run_state_machine_as_test(Protocol, settings=SETTINGS)
    finally:
        logging.disable(logging.NOTSET)
