"""Samples that a schedule starts."""

from itertools import takewhile
from pathlib import Path

from cli.sampling.deployment import Deployment
from cli.sampling.sample import Installed, Sample
from schemas.ids import dedup_key, new_id, now_us, schedule_event_id, schedule_id
from schemas.triggers.schedule import ScheduleConfig, from_us

_WEEK_US = 7 * 24 * 3_600_000_000


async def install(at: Deployment, folder: Path, sample: Sample, workflow_id: str) -> Installed:
    """See `SampleKind.install`. Its external id makes one schedule of many calls."""
    trigger = await at.create(
        "triggers", type="SCHEDULE", workflow_id=workflow_id, name=sample.name, config=sample.trigger.config
    )
    return Installed(sample, folder, workflow_id, trigger_id=trigger["id"])


async def fire(at: Deployment, installed: Installed) -> str:
    """See `SampleKind.fire`: its latest time, as a backfill, since the next one may be days away."""
    config, trigger_id = (
        ScheduleConfig.model_validate(installed.sample.trigger.config),
        installed.trigger_id,
    )
    now, backfill_id = now_us(), new_id()
    *_, latest = takewhile(lambda moment: moment <= now, config.times(now - _WEEK_US))
    moment = from_us(latest).isoformat()
    body = {"start": moment, "end": moment, "backfill_id": backfill_id}
    await at.call("POST", f"/api/v1/triggers/{trigger_id}/backfill", json=body)
    fired = schedule_id(trigger_id, latest // 1000, backfill_id)
    return schedule_event_id(dedup_key("SCHEDULE", trigger_id, fired))
