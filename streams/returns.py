"""Workflows called as tools: from the end of the run back to the tool node. See `streams.calls`."""

from collections.abc import Mapping
from typing import Any

import orjson

from schemas.codec import Record
from schemas.files import is_file
from schemas.ids import called_run_id
from schemas.references import MARK, references_in, resolved
from streams.engine.errors import NodeFailure
from streams.engine.state import PARTIAL_SUCCEEDED, SUCCEEDED
from streams.executors.tools.errors import ToolRuntimeInvocationError
from streams.executors.tools.executor import NO_JSON
from streams.fetching import Fetcher
from streams.offload import Owner, packed, packed_outputs
from transport.values import Upload

_CALLER_HAS_ENDED = "the node that had called this run waits for it no longer"

MAY_PRECEDE_START = "may_precede_start"
"""In the payload of a cancel: its run may not have begun yet, and is not to then."""

_RESERVED = frozenset({"text", "files", "json"})
"""Outputs of every tool node: an output of the workflow of that name is in `json` alone."""


def result_for(caller: Mapping[str, Any], run: Record, fetcher: Fetcher, uploads: list[Upload]) -> Record:
    """The command that tells the caller how the run has ended; adds to `uploads`.

    `run`: its record, with all of its outputs or references to them. Raises `NotYet` while one of those is
    under way.
    """
    owner = Owner(run["tenant_id"], caller["workflow_run_id"])
    try:
        contents = {name: orjson.dumps(value) for name, value in _outputs(run, fetcher).items()}
        error = None
    except NodeFailure as failure:
        contents, error = {}, f"run {run['id']} {failure.reason}"
    payload = {
        "node_execution_id": caller["node_execution_id"],
        "status": "failed" if error else "succeeded",
        "outputs": packed_outputs(contents, owner, uploads),
        "process_data": {"workflow_run_id": run["id"]},
        "error": error,
        "error_type": ToolRuntimeInvocationError.__name__ if error else None,
        "execution_metadata": {"tool_info": caller["tool_info"], "total_tokens": run["total_tokens"]},
        "started_at": run["created_at"],
        "finished_at": run["finished_at"],
    }
    return {
        "command_id": f"result/{caller['node_execution_id']}",
        "kind": "NODE_RESULT",
        "workflow_run_id": caller["workflow_run_id"],
        "tenant_id": run["tenant_id"],
        **{name: caller[name] for name in ("app_id", "workflow_id", "version")},
        "workflows_offset": 0,
        "issued_at": run["finished_at"],
        "payload": packed(orjson.dumps(payload).decode(), owner, uploads),
    }


def cancellation(execution_id: str, tenant_id: str, issued_at: int) -> Record:
    """The command that ends the run that a tool node has called, or is about to call.

    It may come before that run: then that is never to begin. Where the node calls something else, nothing
    comes of it.
    """
    run_id = called_run_id(execution_id)
    return {
        "command_id": f"cancel/{run_id}",
        "kind": "CANCEL",
        "workflow_run_id": run_id,
        "tenant_id": tenant_id,
        **dict.fromkeys(("app_id", "workflow_id", "version"), ""),
        "workflows_offset": 0,
        "issued_at": issued_at,
        "payload": orjson.dumps({"reason": _CALLER_HAS_ENDED, MAY_PRECEDE_START: True}).decode(),
    }


def _outputs(run: Record, fetcher: Fetcher) -> dict[str, Any]:
    """Raises `NodeFailure` where there are none to give."""
    if run["status"] not in (SUCCEEDED, PARTIAL_SUCCEEDED):
        raise NodeFailure(f"has ended {run['status']}: {run['error']}")
    outputs = orjson.loads(run["outputs"] or "{}")
    owner, brought = Owner(run["tenant_id"], run["id"]), dict[str, Any]()
    for found in references_in(outputs):
        fetcher.bring(owner, found[MARK], brought)
        if isinstance(gone := brought[found[MARK]], NodeFailure):
            raise NodeFailure(f"has given what is not there any more: {gone.reason}")
    return _as_of_a_tool(resolved(outputs, brought))


def _as_of_a_tool(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """As in Dify: files apart, the rest as a text and as JSON; and each by its name besides."""
    files = {name: found for name, value in outputs.items() if (found := _files(value))}
    rest = {name: value for name, value in outputs.items() if name not in files}
    return {
        **{name: value for name, value in rest.items() if name not in _RESERVED},
        "text": orjson.dumps(rest).decode(),
        "files": [file for found in files.values() for file in found],
        "json": [rest or NO_JSON],
    }


def _files(value: Any) -> list[Any]:
    """A file, or a list of nothing else."""
    found = value if isinstance(value, list) else [value]
    return found if found and all(map(is_file, found)) else []
