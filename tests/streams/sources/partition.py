"""One partition of the stage of sources, with workers that have it in turn."""

from typing import Any, cast

import aiohttp
import orjson

from schemas.codec import SingleObjectCodec
from schemas.secrets import SecretBox
from streams.shell.stage import Record
from streams.sources.oauth import AccessTokens
from streams.sources.stage import Sources
from streams.sources.tokens import TokenRow, key_of
from streams.sources.watchers import Watchers
from tests.streams.kept import KeptRows
from transport.errors import SendFailed
from transport.feed import DefinitionsFeed
from transport.plugin_http import PluginHttp
from transport.producer import Position, Send

CODEC = SingleObjectCodec()
BOX = SecretBox(b"k" * 32)


class Partition:
    """Its table, and the commands that were sent to it, each of which its owner decides at once."""

    def __init__(self) -> None:
        self.table = KeptRows()
        self.log: list[Send] = []
        self.decided = 0
        self.owner: Owner | None = None
        self.away: set[str] = set()
        """Kinds that the broker does not take."""

    async def send(self, send: Send) -> Position:
        """As a producer does."""
        if self.read(send)["kind"] in self.away:
            raise SendFailed("Local: Message timed out")
        self.log.append(send)
        self.decide()
        return Position(send.topic, 0, len(self.log))

    def decide(self) -> None:
        """What is there, by who has it."""
        while self.owner is not None and self.decided < len(self.log):
            send = self.log[self.decided]
            record = Record(send.topic, 0, self.decided, send.key, send.value, (), 0)
            for key, row in self.owner.stage.decide(record, self.table, 0).writes.items():
                if row is None:
                    self.table.pop(key, None)
                else:
                    self.table[key] = row
            self.decided += 1

    def read(self, send: Send) -> dict[str, Any]:
        """The command, with its payload."""
        command: dict[str, Any] = CODEC.decode("SourceCommand", send.value)
        return {**command, "payload": orjson.loads(command["payload"])}

    @property
    def kinds(self) -> list[str]:
        """Of the commands so far."""
        return [self.read(send)["kind"] for send in self.log]

    def row(self, source_id: str) -> TokenRow:
        """What is kept for its tokens."""
        return TokenRow.decode(self.table[key_of(source_id)])

    def bytes(self) -> bytes:
        """All that it holds."""
        return b"".join([*self.table.values(), *(send.value or b"" for send in self.log)])


class Owner:
    """A worker, which has the partition until there is another."""

    def __init__(
        self, partition: Partition, session: aiohttp.ClientSession, box: SecretBox | None = BOX, read: int = 5
    ) -> None:
        """`read`: how far it has read the triggers."""
        self.read = read
        feed = cast(DefinitionsFeed, self)
        self.tokens = AccessTokens(PluginHttp(session), partition, CODEC, feed, box)
        self.stage = Sources(feed, CODEC, cast(Watchers, None), self.tokens)
        partition.owner = self

    def offset(self, topic: str) -> int:
        """As its feed says."""
        return self.read
