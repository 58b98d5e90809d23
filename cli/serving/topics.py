"""Before any role works, its topics exist, and others know the schemas that it writes with."""

import asyncio
import logging

from transport.admin import create_topics
from transport.settings import KafkaSettings
from transport.shared_schemas import share_schemas

log = logging.getLogger(__name__)


async def ensure_topics(kafka: KafkaSettings) -> list[str]:
    """The names of those that were not there. Raises `BrokerUnreachable`, `TopicsMismatch`."""
    created = await create_topics(kafka)
    for name in created:
        log.info("created topic %s", name)
    if shared := await asyncio.to_thread(share_schemas, kafka):
        log.info("other releases can now read what this one writes: %s", ", ".join(shared))
    return created
