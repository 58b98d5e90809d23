"""Half a minute of it: what was posted, and what the system looks like at its end."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.endurance.parts import Parts, disk_mb
from bench.procs import Usage
from transport.admin import describe_topics
from transport.settings import KafkaSettings

WORKERS, SINK = "workers", "sink"
"""Consumer groups."""


@dataclass(frozen=True, slots=True)
class State:
    """Of the system at one moment. By part, except for the lag."""

    usage: Mapping[str, Usage]
    pss_mb: Mapping[str, float]
    disk_mb: Mapping[str, float]
    lag: Mapping[str, int]
    """See `behind`."""
    load_1m: float
    """Of the machine."""


async def look(parts: Parts, data: Path, kafka: KafkaSettings) -> State:
    """What it costs to ask is the same each time. Raises `BrokerUnreachable`."""
    used = await asyncio.to_thread(parts.usage)
    return State(
        used,
        await asyncio.to_thread(parts.pss_mb),
        await asyncio.to_thread(disk_mb, data),
        await behind(kafka),
        os.getloadavg()[0],
    )


async def behind(kafka: KafkaSettings) -> Mapping[str, int]:
    """Consumer group -> messages that are not done and committed. Raises `BrokerUnreachable`."""
    topics = await describe_topics(kafka)
    return {
        group: sum(topic.lag.get(kafka.full_name(group), 0) for topic in topics) for group in (WORKERS, SINK)
    }
