"""`GET /api/v1/stats`: what is configured, and what has become of the events of a while, in counts."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import Malformed
from ingress.figures import Figures, Rollups, While
from ingress.keys import CLICKHOUSE, FEED
from ingress.operation import Operation, Query
from ingress.reading import NO_HISTORY, time_of
from ingress.responses import json_answer
from ingress.wire import Answer
from schemas.models import DeploymentStatus, WorkflowDeployment
from transport.definitions import Definitions
from transport.errors import TransportError

_WHILE = timedelta(days=1)
_PATIENCE_S = 5.0
"""Whoever asks for counts each few seconds would rather have those that are known."""


class Percentiles(Answer):
    """Seconds."""

    p50: float
    p95: float
    p99: float


class DeploymentStats(Answer):
    """Of workflows, and of the times that they were deployed, as far as those are remembered."""

    deployed: int
    """Workflows whose triggers look at events."""
    succeeded: int
    failed: int
    average_s: float | None
    """How long the successful ones took."""


class RunStats(Answer):
    """Runs by their status now."""

    total: int
    running: int
    paused: int
    succeeded: int
    partial_succeeded: int
    failed: int
    stopped: int
    failure_rate: float | None
    """Failed, of those that ended; null where none has."""
    retries: int
    """Attempts at nodes that were tried again."""
    tokens: int
    elapsed_s: Percentiles | None
    """From start to end."""
    queue_latency_s: Percentiles | None
    """From the acceptance of the event to the start."""


class TriggerStats(Answer):
    """Trigger logs by their status now: one for each workflow that an event was for."""

    total: int
    pending: int
    running: int
    success: int
    failed: int
    """Duplicates, and what was refused, included."""
    stopped: int
    duplicates: int
    retries: int


class NodeStats(Answer):
    """Executions of nodes; each attempt is one."""

    total: int
    failed: int
    exceptions: int
    """Those that failed and whose run went on by their branch for errors."""
    retried: int
    tokens: int
    price: dict[str, float]
    """By currency."""


class LetterStats(Answer):
    """Records that were given up on, by their status now."""

    total: int
    pending: int
    replayed: int


class HistoryStats(Answer):
    """What has become of the events that were accepted from `since` on, up to and without `until`."""

    since: datetime
    until: datetime
    runs: RunStats
    triggers: dict[str, TriggerStats]
    """By type; those without an event are left out."""
    nodes: NodeStats
    dead_letters: LetterStats


class Stats(Answer):
    """Of the caller's tenant."""

    service: str = "hopline"
    total_workflows: int
    """With a draft or a published version."""
    published_workflows: int
    total_triggers: int
    trigger_types: dict[str, int]
    """Triggers by type, whether they look at events or not."""
    deployments: DeploymentStats
    history: HistoryStats | None
    """Null where it cannot be read; `history_unavailable` says why."""
    history_unavailable: str | None = None
    """Why there is no history."""


async def show(request: web.Request) -> web.Response:
    """Counts for programs, from memory and from the rollups: fast, however much there is.

    The history lags by seconds. It is of whole minutes, of hours where more than two days are asked for, of
    days beyond two months.
    """
    until = time_of(request, "until") or datetime.now(UTC)
    since = time_of(request, "since") or until - _WHILE
    if since >= until:
        raise Malformed("since must be before until")
    tenant_id = request[CALLER].tenant_id
    history, why = await _history(request, tenant_id, While.around(since, until))
    counts = _configured(request.app[FEED].definitions, tenant_id)
    return json_answer(Stats(**counts, history=history, history_unavailable=why))


async def _history(request: web.Request, tenant_id: str, of: While) -> tuple[HistoryStats | None, str | None]:
    clickhouse = request.app[CLICKHOUSE]
    if clickhouse is None:
        return None, NO_HISTORY
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return _of_history(await Rollups(clickhouse).figures(tenant_id, of), of), None
    except TimeoutError:
        return None, f"ClickHouse has not answered within {_PATIENCE_S:g} s"
    except TransportError as failed:
        return None, str(failed)


def _configured(definitions: Definitions, tenant_id: str) -> dict[str, Any]:
    versions = definitions.workflows
    owned = [one for one, found in versions.items() if next(found.heads).tenant_id == tenant_id]
    types = Counter(one.type for one in definitions.triggers.heads if one.tenant_id == tenant_id)
    deployments = (one for one in definitions.deployments.values() if one.tenant_id == tenant_id)
    return {
        "total_workflows": len(owned),
        "published_workflows": sum(one in definitions.latest for one in owned),
        "total_triggers": types.total(),
        "trigger_types": dict(sorted(types.items())),
        "deployments": _deployments(deployments),
    }


def _deployments(found: Iterable[WorkflowDeployment]) -> DeploymentStats:
    deployed, took_s, failed = 0, [], 0
    for deployment in found:
        deployed += deployment.deployment_status is DeploymentStatus.DEPLOYED
        for one in deployment.history:
            if one.action != "deploy" or one.finished_at is None:
                continue
            if one.deployment_status is DeploymentStatus.DEPLOYED:
                took_s.append((one.finished_at - one.started_at).total_seconds())
            else:
                failed += 1
    average_s = sum(took_s) / len(took_s) if took_s else None
    return DeploymentStats(deployed=deployed, succeeded=len(took_s), failed=failed, average_s=average_s)


def _of_history(figures: Figures, of: While) -> HistoryStats:
    runs, nodes = figures.runs, figures.nodes
    ended = runs["succeeded"] + runs["partial_succeeded"] + runs["failed"] + runs["stopped"]
    elapsed_s, queue_latency_s = runs.pop("elapsed_s"), runs.pop("queue_latency_s")
    return HistoryStats(
        since=of.since,
        until=of.until,
        runs=RunStats(
            **runs,
            failure_rate=runs["failed"] / ended if ended else None,
            elapsed_s=_percentiles(elapsed_s) if ended else None,
            queue_latency_s=_percentiles(queue_latency_s) if runs["total"] else None,
        ),
        triggers={row.pop("trigger_type"): TriggerStats(**row) for row in figures.triggers},
        nodes=NodeStats(
            **{name: sum(row[name] for row in nodes) for name in _SUMMED},
            price={row["currency"]: row["price"] for row in nodes if row["price"]},
        ),
        dead_letters=LetterStats(**figures.dead_letters),
    )


_SUMMED = ("total", "failed", "exceptions", "retried", "tokens")


def _percentiles(values: Sequence[float]) -> Percentiles:
    p50, p95, p99 = values
    return Percentiles(p50=p50, p95=p95, p99=p99)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/stats",
        handler=show,
        summary="Count what is configured, and what has happened",
        tag="operation",
        answer=Stats,
        query=(
            Query("since", "events accepted at or after this, else of the day before `until`; RFC 3339"),
            Query("until", "events accepted before this, else until now; RFC 3339"),
        ),
        errors=(400,),
    ),
)
