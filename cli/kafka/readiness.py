"""Whether a broker answers."""

import asyncio

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

_REQUEST_TIMEOUT_S = 5.0


async def answers(port: int, cluster_id: str) -> bool:
    """Whether a broker of this cluster on 127.0.0.1 answers a metadata request with itself in it.

    At once while nothing listens; else within 5 s.
    """
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return await asyncio.to_thread(_has_registered, port, cluster_id)


def _has_registered(port: int, cluster_id: str) -> bool:
    # librdkafka prints what it logs; that the broker is not there yet is no news.
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    try:
        metadata = admin.list_topics(timeout=_REQUEST_TIMEOUT_S)
    except KafkaException:
        return False
    registered = any(broker.port == port for broker in metadata.brokers.values())
    return registered and metadata.cluster_id == cluster_id
