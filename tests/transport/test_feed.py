"""What a feed makes of records that it cannot use."""

import logging
from collections.abc import Iterator
from typing import Any, cast

import orjson
import pytest
from confluent_kafka import Message

from schemas.codec import SingleObjectCodec
from schemas.models import AppTrigger, DeploymentStatus, Entity
from transport.definitions import TRIGGERS, WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.settings import KafkaSettings

CODEC = SingleObjectCodec()
SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:9")
GOOD = AppTrigger(
    id="good", app_id="a", workflow_id="w", type="WEBHOOK", config={"webhook_id": "0123456789abcdef"}
)


class Arrived:
    """The part of a `Message` that a feed looks at."""

    def __init__(self, topic: str, offset: int, key: bytes, value: bytes) -> None:
        self._given = {"topic": topic, "offset": offset, "key": key, "value": value}

    def error(self) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return lambda: self._given[name]


def arrived(offset: int, body: Any, key: bytes = b"good", topic: str = TRIGGERS) -> Message:
    text = body.model_dump_json() if isinstance(body, Entity) else orjson.dumps(body).decode()
    record = {"id": "x", "kind": "x", "tenant_id": "t", "body": text, "updated_at": 0, "updated_by": None}
    value = CODEC.encode("Definition", record)
    return cast(Message, Arrived(SETTINGS.full_name(topic), offset, key, value))


@pytest.fixture
def feed() -> Iterator[DefinitionsFeed]:
    made = DefinitionsFeed(SETTINGS, CODEC)
    yield made
    made._consumer.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "OF_A_LATER_RELEASE"},
        {"config": {"webhook_id": "0123456789abcdef", "of_a_later_release": 1}},
        {"config": {}, "deployment_status": "UNDEPLOYED"},
        {"deployment_status": "OF_A_LATER_RELEASE"},
    ],
)
def test_a_trigger_that_cannot_be_used_is_left_out(
    feed: DefinitionsFeed, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    given = {**GOOD.model_dump(mode="json"), **changes}
    with caplog.at_level(logging.ERROR, logger="transport.feed"):
        feed._apply([arrived(0, {**given, "id": "bad"}, b"bad"), arrived(1, GOOD), arrived(2, given)])
    said = [one.getMessage() for one in caplog.records if one.name == "transport.feed"]
    assert [one.partition(" is unreadable")[0] for one in said] == [
        "definition bad at definitions.triggers/0",
        "definition good at definitions.triggers/2",
    ]
    assert feed.definitions.triggers["good"].config == GOOD.config, "as it was before"
    holder = feed.definitions.at("WEBHOOK", "0123456789abcdef")
    assert holder is not None
    assert (holder.id, list(feed.definitions.triggers)) == ("good", ["good"])
    assert feed.offset(TRIGGERS) == 3


def test_a_key_that_says_nothing_does_not_keep_others_from_being_read(feed: DefinitionsFeed) -> None:
    nothing = Arrived(SETTINGS.full_name(WORKFLOWS), 0, b"\xff", b"")
    feed._apply([cast(Message, nothing), arrived(1, None, b"no version", WORKFLOWS), arrived(0, GOOD)])
    assert list(feed.definitions.triggers) == ["good"]
    assert (feed.offset(WORKFLOWS), feed.offset(TRIGGERS)) == (2, 1)


def test_a_trigger_that_is_undeployed_has_no_address(feed: DefinitionsFeed) -> None:
    undeployed = GOOD.model_copy(update={"deployment_status": DeploymentStatus.UNDEPLOYED})
    feed._apply([arrived(0, GOOD), arrived(1, undeployed)])
    assert feed.definitions.at("WEBHOOK", "0123456789abcdef") is None
    assert list(feed.definitions.triggers) == ["good"]
