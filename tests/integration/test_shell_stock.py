"""Why the shell exists: the same fault under stock Faust and under the shell."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.shell_harness import IN, OUT, PARTITIONS, Deployment, events, say, wait_for

pytestmark = pytest.mark.broker

_STOCK = Path(__file__).with_name("stock_faust.py")
_BEFORE = [f"before{number}" for number in range(100)]
_AFTER = [f"after{number}" for number in range(1000)]


def _start_stock(deployment: Deployment) -> None:
    options = {
        "bootstrap": deployment.bootstrap,
        "prefix": deployment.prefix,
        "data_dir": str(deployment.folder),
        "partitions": PARTITIONS,
    }
    with open(deployment.folder / "w1.log", "ab") as output:
        deployment.workers["w1"] = subprocess.Popen(
            [sys.executable, str(_STOCK), json.dumps(options)], stdout=output, stderr=output
        )


def _start_shell(deployment: Deployment) -> None:
    deployment.start("w1", fault="slow-seek")


@pytest.mark.parametrize("shell", [True, False])
def test_what_is_fetched_while_a_recovery_ends(deployment: Deployment, shell: bool) -> None:
    """A worker is killed and comes back to a table and a backlog, on a busy broker (faust issue 596).

    Stock Faust fetches the backlog while it seeks, then clears its queues; the shell can't.
    """
    start = _start_shell if shell else _start_stock
    deployment.produce(IN, events(_BEFORE))
    start(deployment)
    wait_for(lambda: len(set(deployment.ids(OUT))) == len(_BEFORE), "the first events", deployment)
    deployment.stop("w1", signal.SIGKILL)
    deployment.produce(IN, events(_AFTER))
    start(deployment)
    if shell:
        everything = len(_BEFORE) + len(_AFTER)
        wait_for(lambda: len(set(deployment.ids(OUT))) == everything, "the rest", deployment)
    else:
        _wait_until_nothing_moves(deployment)
    missing = {*_BEFORE, *_AFTER} - set(deployment.ids(OUT))
    say(f"{'shell' if shell else 'stock Faust'}: {len(missing)} of {len(_BEFORE) + len(_AFTER)} missing")
    assert (not missing) is shell


def _wait_until_nothing_moves(deployment: Deployment) -> None:
    seen, since = 0, time.monotonic()
    deadline = since + 30
    while time.monotonic() < min(since + 4, deadline) and seen < len(_BEFORE) + len(_AFTER):
        time.sleep(0.3)
        now = len(set(deployment.ids(OUT)))
        if now > max(seen, len(_BEFORE)) or now <= len(_BEFORE):
            # Nothing new yet means that the group still waits for the killed member's session.
            since = time.monotonic()
        seen = now
