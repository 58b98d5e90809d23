"""What a run that is under way can be told, by whoever may see it."""

from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import NotFound
from ingress.keys import CODEC, FEED, PRODUCER
from ingress.reading import history
from schemas.codec import Codec
from schemas.ids import now_us
from schemas.models import WorkflowRun
from transport.definitions import WORKFLOWS
from transport.producer import Send


async def named_run(request: web.Request) -> WorkflowRun:
    """The run of the path. Raises `NotFound`, also for a run of another tenant."""
    run_id = request.match_info["run_id"]
    run = await history(request).run(run_id, request[CALLER].tenant_id)
    if run is None:
        raise NotFound(f"no run has the id {run_id}; a new one is here a moment after it began")
    return run


class Addressee(Protocol):
    """A run, or what runs a single node."""

    @property
    def id(self) -> str: ...
    @property
    def tenant_id(self) -> str: ...
    @property
    def app_id(self) -> str | None: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def version(self) -> str: ...


async def tell(
    request: web.Request, run: Addressee, kind: str, command_id: str, payload: Mapping[str, Any]
) -> None:
    """Returns when the command is durable. Raises `Unavailable`."""
    named = {
        "workflow_run_id": run.id,
        "tenant_id": run.tenant_id,
        "app_id": run.app_id or "",
        "workflow_id": run.workflow_id,
        "version": run.version,
    }
    offset = request.app[FEED].offset(WORKFLOWS)
    command = run_command(
        request.app[CODEC],
        named,
        kind=kind,
        command_id=command_id,
        payload=payload,
        workflows_offset=offset,
    )
    await request.app[PRODUCER].send(command)


def run_command(
    codec: Codec,
    run: Mapping[str, str],
    *,
    kind: str,
    command_id: str,
    payload: Mapping[str, Any],
    workflows_offset: int,
) -> Send:
    """The message. `run`: its workflow_run_id, tenant_id, app_id, workflow_id and version."""
    record = {
        **run,
        "command_id": command_id,
        "kind": kind,
        "workflows_offset": workflows_offset,
        "issued_at": now_us(),
        "payload": orjson.dumps(payload).decode(),
    }
    return Send("run.commands", run["workflow_run_id"].encode(), codec.encode("RunCommand", record))
