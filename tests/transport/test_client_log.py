"""What clients of Kafka say while no broker answers, each thing once."""

import logging
import socket
import time

import pytest
from confluent_kafka import Consumer

from transport.client_log import REPEATED_S, client_log


def _record(text: str, at: float) -> logging.LogRecord:
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, text, None, None)
    record.created = at
    return record


def test_what_was_said_is_said_again_after_a_while() -> None:
    heard = client_log("tests.a_while").filter
    assert heard(_record("FAIL rdkafka#consumer-1: refused after 0ms", 1000.0))
    assert not heard(_record("FAIL rdkafka#consumer-2: refused after 31ms", 1001.0))
    assert heard(_record("FAIL rdkafka#consumer-1: timed out after 31ms", 1002.0))
    assert heard(_record("FAIL rdkafka#consumer-1: refused after 0ms", 1000.0 + REPEATED_S))


def test_one_filter_however_many_clients() -> None:
    assert client_log("tests.many") is client_log("tests.many")
    assert len(client_log("tests.many").filters) == 1


def test_a_client_without_a_broker_tells_it_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        settings = {"bootstrap.servers": f"127.0.0.1:{port}", "group.id": "g", "reconnect.backoff.ms": 20}
        consumer = Consumer({**settings, "log_level": 3}, logger=client_log("tests.nobody"))
        try:
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                consumer.poll(0.1)
        finally:
            consumer.close()
    assert [record.name for record in caplog.records if "Connection refused" in record.message] == [
        "tests.nobody.librdkafka"
    ]
