"""Watches mailboxes: each new message becomes an event, once.

A message is named by its folder, UIDVALIDITY and UID. It is published, then marked as read, then the position
moves beyond it; a crash in between publishes it again under the same name. When the server has given new UIDs
(another UIDVALIDITY), what had arrived before the last message that was seen is not new, whatever its UID.
"""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar

from schemas.codec import Codec
from schemas.ids import entity_id, now_us
from schemas.models import AppTriggerStatus
from schemas.triggers.email import EmailConfig
from streams.dead_letters import dead_letter
from streams.shell.stage import Record
from streams.sources.email.mailbox import Connections, Head, LoginRefused, Mailbox
from streams.sources.email.parsing import Attachment, Mail, parse_mail
from streams.sources.events import SourceEvent
from streams.sources.oauth import AccessTokens
from streams.sources.watching import Unavailable, Watch
from transport.errors import StorageUnavailable
from transport.files import FileStore, StoredFile, describe

_BATCH = 20
"""Messages after which the position is kept."""

_MOST_TOGETHER = 1000
"""Messages of one second that are remembered: copied mailboxes may have all of theirs in one."""

_BEGINNING_BYTES = 256 * 1024
"""Of a message that is larger than it may be."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a folder has been read."""

    uidvalidity: int
    uid: int
    """The last that was seen."""
    arrived_s: float
    """When the newest of those had arrived that were seen."""
    at_arrival: tuple[str, ...]
    """Fingerprints of those that had arrived in that very second, the last ones where they are many."""

    def beyond(self, head: Head) -> "Position":
        """With one more message seen."""
        if head.arrived_s > self.arrived_s:
            return Position(self.uidvalidity, head.uid, head.arrived_s, (fingerprint(head),))
        together = self.at_arrival
        if head.arrived_s == self.arrived_s:
            together = (*together, fingerprint(head))[-_MOST_TOGETHER:]
        return Position(self.uidvalidity, head.uid, self.arrived_s, together)

    def has_seen(self, head: Head) -> bool:
        """By its arrival, where UIDs mean nothing."""
        if head.arrived_s == self.arrived_s:
            return fingerprint(head) in self.at_arrival
        return head.arrived_s < self.arrived_s

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Position":
        """As it was kept."""
        return cls(**{**kept, "at_arrival": tuple(kept["at_arrival"])})


def fingerprint(head: Head) -> str:
    """Of a message, whatever its UID."""
    return sha256(head.header).hexdigest()[:16]


class EmailSource:
    """The `SourceKind` of mailboxes."""

    type: ClassVar[str] = EmailConfig.type

    def __init__(
        self,
        connections: Connections,
        tokens: AccessTokens,
        files: FileStore,
        codec: Codec,
        max_bytes: int,
    ) -> None:
        """`max_bytes`: of a message that is fetched whole."""
        self._connections = connections
        self._tokens = tokens
        self._files = files
        self._codec = codec
        self._max_bytes = max_bytes

    def subject(self, settings: EmailConfig) -> str:
        """The folder."""
        return settings.subject_uri

    def slots(self, settings: EmailConfig) -> int:
        """One: a folder is read in order."""
        return 1

    async def watch(self, watch: Watch) -> None:
        """Over one connection. Raises `Unavailable`, `SendFailed`."""
        config = watch.settings
        assert isinstance(config, EmailConfig)
        token = await self._tokens.token(watch.trigger, config.oauth) if config.oauth is not None else None
        with closing(Mailbox(self._connections, config)) as mailbox:
            try:
                await mailbox.open(token)
            except LoginRefused:
                self._tokens.forget(watch.trigger)
                raise
            position = await self._begin(watch, mailbox)
            while True:
                position = await self._collect(watch, mailbox, position)
                watch.works()
                await mailbox.wait(config.check_interval, watch.news)

    async def _begin(self, watch: Watch, mailbox: Mailbox) -> Position:
        """The position to go on from; takes the messages that cannot be found by their UIDs."""
        kept = None if watch.position is None else Position.of(watch.position)
        if kept is not None and kept.uidvalidity == mailbox.uidvalidity:
            return kept
        # INTERNALDATE has whole seconds: what came in the second of `since_s` counts.
        before = kept or Position(0, 0, int(watch.since_s) - 0.5, ())
        day = datetime.fromtimestamp(before.arrived_s, UTC).date() - timedelta(days=1)
        position = Position(mailbox.uidvalidity, 0, before.arrived_s, before.at_arrival)
        uids = await mailbox.since(day)
        for start in range(0, len(uids), _BATCH):
            heads = await mailbox.heads(uids[start : start + _BATCH])
            position = await self._take(watch, mailbox, position, heads, before)
        # What has been moved here with an older date may have a greater UID, and is not new either.
        position = replace(position, uid=max([mailbox.last_uid, *uids]))
        await watch.keep(asdict(position))
        return position

    async def _collect(self, watch: Watch, mailbox: Mailbox, position: Position) -> Position:
        """Takes what is new, and keeps the position."""
        uids = await mailbox.after(position.uid)
        for start in range(0, len(uids), _BATCH):
            heads = await mailbox.heads(uids[start : start + _BATCH])
            position = await self._take(watch, mailbox, position, heads, None)
            await watch.keep(asdict(position))
        return position

    async def _take(
        self, watch: Watch, mailbox: Mailbox, position: Position, heads: list[Head], before: Position | None
    ) -> Position:
        """The messages, but for those that `before` has seen."""
        for head in heads:
            if before is None or not before.has_seen(head):
                await self._publish(watch, mailbox, head)
                position = position.beyond(head)
        return position

    async def _publish(self, watch: Watch, mailbox: Mailbox, head: Head) -> None:
        whole = head.size <= self._max_bytes
        content = await mailbox.content(head.uid, self._max_bytes if whole else _BEGINNING_BYTES)
        if content is None:  # somebody has deleted it
            return
        config = watch.settings
        assert isinstance(config, EmailConfig)
        place = f"{config.subject_uri};UIDVALIDITY={mailbox.uidvalidity}/;UID={head.uid}"
        name = f"{sha256(config.subject_uri.encode()).hexdigest()[:8]}-{mailbox.uidvalidity}-{head.uid}"
        try:
            # Beside the loop: a large message takes seconds.
            mail = await asyncio.to_thread(parse_mail, content, whole=whole)
        except Exception as error:
            await watch.send([self._buried(watch, place, head, content, error)])
            return
        data = _data(config, mail, head)
        wanted = config.refusal(data) is None
        data["body"]["attachments"] = await self._attachments(watch, name, mail, save=wanted)
        event = SourceEvent(identity=name, event_type="email.received", source=place, data=data)
        await watch.publish([event])
        if wanted and config.mark_as_read and watch.trigger.status is AppTriggerStatus.ACTIVE:
            await mailbox.mark_read(head.uid)

    async def _attachments(self, watch: Watch, name: str, mail: Mail, *, save: bool) -> list[dict[str, Any]]:
        """As files where they are wanted, else what they are."""
        config = watch.settings
        assert isinstance(config, EmailConfig)
        if save and config.attachments:
            return [
                await self._saved(watch, f"{name}/{number}", attachment)
                for number, attachment in enumerate(mail.attachments)
            ]
        return [
            {"filename": one.filename, "mime_type": one.mime_type, "size": len(one.content)}
            for one in mail.attachments
        ]

    async def _saved(self, watch: Watch, name: str, attachment: Attachment) -> dict[str, Any]:
        """Under an id that follows from the message: the same file, however often."""
        filename, mime_type = describe(attachment.filename, attachment.mime_type)
        trigger = watch.trigger
        file = StoredFile(
            id=entity_id("mail", trigger.id, name),
            tenant_id=trigger.tenant_id,
            filename=filename,
            mime_type=mime_type,
            size=len(attachment.content),
            created_at=now_us(),
            created_by=trigger.created_by,
        )
        try:
            await self._files.save(file, attachment.content)
        except StorageUnavailable as unavailable:
            raise Unavailable(
                f"the object storage does not take an attachment: {unavailable}"
            ) from unavailable
        return {**self._files.value(file, "local_file"), "content_id": attachment.content_id}

    def _buried(self, watch: Watch, place: str, head: Head, content: bytes, error: Exception) -> Any:
        """A message that nobody can read, as a dead letter: the next one is not to wait for it."""
        record = Record(
            place, 0, head.uid, watch.trigger.id.encode(), content, (),
            int(head.arrived_s * 1000), watch.trigger.tenant_id,
        )  # fmt: skip
        return dead_letter(self._codec, "sources", record, error)


def _data(config: EmailConfig, mail: Mail, head: Head) -> dict[str, Any]:
    arrived = datetime.fromtimestamp(head.arrived_s, UTC).isoformat().replace("+00:00", "Z")
    body = {**mail.body, "folder": config.folder, "uid": head.uid, "arrived_at": arrived, "size": head.size}
    return {"type": "email", "body": body, "metadata": {"folder": config.folder, "uid": head.uid}}
