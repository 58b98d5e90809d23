"""What waits for a broker that does not take it: bounded, and the loop goes on meanwhile."""

import asyncio
import socket

import pytest

from transport.errors import SendFailed
from transport.producer import Position, Producer, Send
from transport.settings import KafkaSettings

MIB = 1024 * 1024


async def test_what_is_not_acknowledged_is_bounded_and_whoever_has_more_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # Takes connections and never answers, as a broker that is stopped does.
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        producer = Producer(
            KafkaSettings(bootstrap_servers=where, producer_buffer_mb=32), message_timeout_s=1
        )
        value = b"x" * MIB
        sending = [asyncio.create_task(producer.send(Send("t", b"k", value))) for _ in range(100)]
        most = turns = 0
        while not all(one.done() for one in sending):
            most = max(most, producer.queued)
            turns += 1
            await asyncio.sleep(0.01)
        results = await asyncio.gather(*sending, return_exceptions=True)
        await producer.close()
    # With those that have just been given up and not been told of, while others have come in their place.
    assert 0 < most <= 2 * 32 + 5
    assert turns > 10, "the loop was free"
    assert {type(result) for result in results} == {SendFailed}


async def test_what_is_not_sent_within_the_time_to_close_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        producer = Producer(KafkaSettings(bootstrap_servers=where))
        sending = asyncio.create_task(producer.send_all([Send("t", b"k", b"v")] * 3))
        await asyncio.sleep(0)
        await producer.close(0.05)
        with pytest.raises(SendFailed):
            await asyncio.wait_for(sending, 5)


async def test_enough_callers_are_not_kept_waiting_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.producer._DISTANCE_PER_MESSAGE_S", 60)
    monkeypatch.setattr("transport.producer._MOST_DISTANCE_S", 60)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        producer = Producer(KafkaSettings(bootstrap_servers=where))
        sending: list[asyncio.Task[Position]] = []
        handed_over = []
        for callers in (1, 31, 1, 31):
            sending += [asyncio.create_task(producer.send(Send("t", b"k", b"v"))) for _ in range(callers)]
            await asyncio.sleep(0)
            handed_over.append(producer.queued)
        await producer.close(0)
        await asyncio.gather(*sending, return_exceptions=True)
    assert handed_over == [1, 1, 33, 33]


def test_a_buffer_holds_the_largest_message_at_least() -> None:
    with pytest.raises(ValueError, match="32"):
        KafkaSettings(producer_buffer_mb=16)
