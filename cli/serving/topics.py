"""Before any role works, its topics exist: whichever is the first creates them."""

import logging

from transport.admin import create_topics
from transport.settings import KafkaSettings

log = logging.getLogger(__name__)


async def ensure_topics(kafka: KafkaSettings) -> None:
    """Raises `BrokerUnreachable`, `TopicsMismatch`."""
    for name in await create_topics(kafka):
        log.info("created topic %s", name)
