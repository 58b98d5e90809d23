"""What a run leaves on the topics, with their offsets."""

from typing import Any

from ingress.live.changes import LOGS, NODES, RUNS, Change
from tests.sinks import records

RUN = "00000000-0000-4000-8000-000000000001"


class Partition:
    """Both topics of one partition, written by a run at a time. The records come back in the order in which
    they were written, each with the next offset of its topic."""

    def __init__(self, run_id: str = RUN, number: int = 0) -> None:
        self.run_id = run_id
        self.number = number
        self._ends = {RUNS: 0, NODES: 0, LOGS: 0}

    def run(self, status: str = "RUNNING", revision: int = 1, **changes: Any) -> Change:
        """A record of the run."""
        ended = None if status in ("RUNNING", "PAUSED") else records.START_US + 9
        record = {
            "outputs": None, "error": None, "elapsed_time": 0.0, "total_tokens": 0, "total_steps": 0,
            "exceptions_count": 0, "created_by_role": "end_user", "created_by": None, "finished_at": ended,
            "trigger_log_id": None, **records.run(id=self.run_id, status=status, revision=revision),
            **changes,
        }  # fmt: skip
        return self._next(RUNS, record)

    def node(self, index: int, status: str = "succeeded", attempt: int = 1, **changes: Any) -> Change:
        """A record of one attempt at a node: the first of it, if `revision` says nothing else."""
        execution = f"00000000-0000-4000-8000-{int(self.run_id[-4:]):04}{index:04}{attempt:04}"
        ended = None if status in ("running", "paused") else records.START_US + index
        record = {
            "inputs": None, "process_data": None, "outputs": '{"n": 1}', "error": None, "elapsed_time": 0.0,
            "execution_metadata": None, "created_by_role": "end_user", "created_by": None,
            "predecessor_node_id": None, "index": index, "id": execution, "node_execution_id": execution,
            "node_id": f"n{index}", "node_type": "code", "title": f"N{index}", "revision": 1,
            "workflow_run_id": self.run_id, "status": status, "finished_at": ended,
            "created_at": records.START_US + index - 1, "event_at": records.START_US, **changes,
        }  # fmt: skip
        if status == "retry":
            record["execution_metadata"] = f'{{"retry_index": {attempt}}}'
        return self._next(NODES, {**records.node(), **record})

    def log(self, trigger_type: str) -> Change:
        """A record of the trigger log of the run."""
        log = records.trigger_log(workflow_run_id=self.run_id, trigger_type=trigger_type)
        return self._next(LOGS, log)

    def _next(self, topic: str, record: dict[str, Any]) -> Change:
        self._ends[topic] += 1
        return Change(topic, self.number, self._ends[topic] - 1, record)
