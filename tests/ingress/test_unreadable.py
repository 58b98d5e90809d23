"""Definitions that nobody can read become dead letters, those that are there and those that come."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ingress.metrics import Metrics
from ingress.unreadable import burying
from schemas.codec import SingleObjectCodec
from schemas.ids import dead_letter_id
from schemas.letters import Return
from tests.ingress.stand_ins import Sent
from tests.sinks.records import message
from transport.feed import Unreadable

CODEC = SingleObjectCodec()
APPS = "definitions.apps"


def unreadable(offset: int, headers: Any = ()) -> Unreadable:
    found = message(APPS, b"of a later release", offset)
    return Unreadable(
        cast(
            Any,
            SimpleNamespace(
                key=found.key,
                value=found.value,
                partition=found.partition,
                offset=found.offset,
                headers=lambda: headers,
                timestamp=found.timestamp,
            ),
        ),
        "ValidationError: no such type",
    )


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_those_that_are_there_and_those_that_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.unreadable._AGAIN_S", 0.001)
    feed: Any = SimpleNamespace(unreadable={(APPS, "a"): unreadable(3)}, on_unreadable=None)
    sent, metrics = Sent(fails=True), Metrics()
    back = Return("0b9e2d6c-0000-5000-8000-000000000001", 1, "definitions").header()
    async with burying(feed, cast(Any, sent), CODEC, metrics):
        feed.on_unreadable(APPS, unreadable(4, [back]))
        await asyncio.sleep(0.02)
        sent.fails = False
        await until(lambda: len(sent.sends) == 2)
    assert feed.on_unreadable is None
    first, again = (CODEC.decode("DeadLetter", send.value) for send in sent.sends)
    assert (first["id"], first["attempts"]) == (dead_letter_id(APPS, 0, 3, 0), 1)
    assert (first["value"], first["stage"]) == (b"of a later release", "definitions")
    assert (again["offset"], again["attempts"], again["revision"]) == (4, 2, 3)
    counted = metrics.dead_letters.labels("definitions", "ValidationError")._value.get()
    assert counted == 2
