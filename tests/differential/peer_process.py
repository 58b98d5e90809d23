"""graphon, in a process of its own."""

import json
import subprocess
from dataclasses import fields
from pathlib import Path
from types import TracebackType

from tests.differential.job import Job, Node, Result
from tests.graphs import Json

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-graphon/bin/python"
RUNNER = Path(__file__).with_name("peer") / "runner.py"


class Refused(Exception):
    """graphon does not take the graph."""


class Peer:
    """One child for many jobs, one at a time. Blocks."""

    def __enter__(self) -> "Peer":
        self._child = subprocess.Popen(
            [PYTHON, RUNNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        # Its input ends, so it does; what it still has to say is nobody's business.
        self._child.communicate(timeout=30)

    def run(self, job: Job) -> Result:
        """Raises `Refused`."""
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps(job.for_peer()) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        assert line, f"graphon's process has ended: {self._child.poll()}"
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return Result(
            answer["status"],
            answer["error"],
            answer["outputs"],
            answer["order"],
            [_node(one) for one in answer["nodes"]],
            answer["asked"],
            answer["called"],
        )


def _node(given: Json) -> Node:
    return Node(**{one.name: given[one.name] for one in fields(Node)})
