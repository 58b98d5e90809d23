"""Is a broker there? For health checks: bounded, and without a consumer or a message."""

import asyncio

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from transport.settings import KafkaSettings


class BrokerProbe:
    """Holds one admin client, so that asking often opens no connections."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 2})

    async def reachable(self, timeout_s: float) -> bool:
        """Whether a broker has answered a metadata request within `timeout_s`."""
        try:
            await asyncio.to_thread(self._admin.list_topics, timeout=timeout_s)
        except KafkaException:
            return False
        return True
