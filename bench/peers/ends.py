"""When the end of each run of Hopline is in Kafka: from then on nothing that fails can undo it."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import orjson

from bench.reading import Topic
from schemas.codec import SingleObjectCodec
from transport.settings import KafkaSettings


@contextmanager
def ends_read(kafka: KafkaSettings) -> Iterator[dict[str, float]]:
    """Afterwards: order id -> unix seconds at which this process had the end of its run, as any reader would.

    Of the runs that have ended well meanwhile. Raises `KafkaException` without a broker.
    """
    at: dict[str, float] = {}
    read: list[tuple[float, bytes]] = []
    over = threading.Event()
    with closing(Topic(kafka, "runs", new_only=True)) as topic:
        thread = threading.Thread(target=_read, args=(topic, read, over), daemon=True)
        thread.start()
        try:
            yield at
        finally:
            over.set()
            thread.join()
    at |= _by_order(read)


def _read(topic: Topic, read: list[tuple[float, bytes]], over: threading.Event) -> None:
    # Decoded only afterwards: the driver posts in this process.
    while (message := topic.next()) is not None or not over.is_set():
        if message is not None and message.value is not None:
            read.append((time.time(), message.value))


def _by_order(read: Sequence[tuple[float, bytes]]) -> Iterator[tuple[str, float]]:
    codec, seen = SingleObjectCodec(), set[str]()
    for at, value in read:
        run = codec.decode("WorkflowRun", value)
        order = orjson.loads(run["inputs"]).get("order_id")
        if run["status"] == "SUCCEEDED" and order is not None and order not in seen:
            seen.add(order)
            yield order, at
