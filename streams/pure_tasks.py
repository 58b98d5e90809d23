"""Tasks that are done as they come: pure nodes, where a deployment makes every node a hop."""

from schemas.codec import Record
from schemas.ids import now_us
from schemas.references import may_have_references
from streams.engine.pure import PureResult, execute_pure_json, is_pure
from streams.executors.outcome import Outcome
from streams.offload import DOCUMENT_BYTES, size_of
from streams.results import payload_of


def done_at_once(task: Record) -> str | None:
    """The payload of the task's result, without waiting for anything.

    None for what the executors do, for a node that looks at values which are elsewhere, and where anything is
    out of the ordinary: a result that is too large for a message, a node that is late, any failure of ours.
    Nothing has happened then, and it is done again where there is time to do it right.
    """
    if not is_pure(task["node_type"]) or any(map(may_have_references, (task["config"], task["inputs"]))):
        return None
    started_at, deadline_at = now_us(), task["deadline_at"]
    if deadline_at is not None and deadline_at <= started_at:
        return None
    try:
        result = execute_pure_json(task["node_type"], task["config"], task["inputs"])
        payload = payload_of(task, pure_outcome(result), result.outputs, started_at)
    except Exception:  # whatever it is, it is found again, and told to the run
        return None
    return payload if size_of(payload) <= DOCUMENT_BYTES else None


def pure_outcome(result: PureResult) -> Outcome:
    """As executors say it."""
    return Outcome(
        "succeeded" if result.status == "succeeded" else "failed",
        dict(result.outputs),
        dict(result.process_data),
        result.error,
        result.error_type,
        result.edge_source_handle,
        writes=result.writes,
    )
