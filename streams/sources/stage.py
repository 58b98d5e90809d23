"""The stage of sources: keeps how far their watchers have come. A row belongs to who owns its partition."""

from typing import Any

import orjson

from schemas.codec import Codec
from streams.shell.stage import Decision, Kept, Record, Stage
from streams.sources import tokens
from streams.sources.calendar import rows as calendars
from streams.sources.commands import SCHEMA, TOPIC
from streams.sources.oauth import AccessTokens
from streams.sources.rows import SourceRow, prefix_of, row_due
from streams.sources.tokens import TokenRow
from streams.sources.watchers import Watchers
from transport.feed import DefinitionsFeed


class Sources:
    """Reads `source.commands`; keeps `sources`. Its companion are the watchers, which publish events."""

    def __init__(self, feed: DefinitionsFeed, codec: Codec, watchers: Watchers, access: AccessTokens) -> None:
        self._feed = feed
        self._codec = codec
        self._watchers = watchers
        self._access = access

    def stage(self) -> Stage:
        """The declaration that the shell runs."""
        return Stage(
            "sources",
            TOPIC,
            self.decide,
            table="sources",
            due=row_due,
            on_due=self.on_due,
            companion=self._watchers,
        )

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        """One command."""
        told = self._codec.decode(SCHEMA, record.value)
        key = told["source_id"]
        match told["kind"]:
            case "POSITION":
                return Decision(writes={key: SourceRow(**orjson.loads(told["payload"])).encode()})
            case "SYNCED":
                return calendars.install(key, orjson.loads(told["payload"]), kept)
            case "REMOVE":
                gone = [key, *kept.under(prefix_of(key))]
                return Decision(writes=dict.fromkeys(gone))
            case "LOOK":
                # Nothing depends on it: a watcher that has not heard looks by itself before long.
                self._watchers.look(key)
                return Decision()
            case "REFRESH":
                return self._refresh(key, orjson.loads(told["payload"]), told["issued_at"] / 1e6, kept)
            case "TOKEN":
                return _with_token(key, orjson.loads(told["payload"]), kept)
            case kind:
                raise ValueError(f"unknown kind of source command {kind}")

    def on_due(self, key: str, row: bytes, kept: Kept, now: float) -> Decision:
        """The time of an event in a calendar has come."""
        return calendars.fire(key, row, self._feed, self._codec)

    def _refresh(self, source_id: str, payload: dict[str, Any], at_s: float, kept: Kept) -> Decision:
        """By the time of the command: whoever decides it gives the turn to the same one."""
        key = tokens.key_of(source_id)
        stored = kept.get(key)
        row = tokens.asked(TokenRow.decode(stored) if stored is not None else None, payload, at_s)
        self._access.answer(payload["attempt"], row)
        return Decision(writes={key: row.encode()} if row is not None else {})


def _with_token(source_id: str, payload: dict[str, Any], kept: Kept) -> Decision:
    """Of a source that is forgotten it is of no use."""
    key = tokens.key_of(source_id)
    stored = kept.get(key)
    if stored is None:
        return Decision()
    return Decision(writes={key: tokens.told(TokenRow.decode(stored), payload).encode()})
