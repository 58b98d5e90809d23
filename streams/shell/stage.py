"""What the layers above say about themselves: what a stage reads, keeps and does. No Faust, no Kafka."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

from transport.producer import Send
from transport.values import Upload


@dataclass(slots=True)
class Record:
    """One message as it was read. `topic` is the registry's name, without the prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int
    tenant_id: str | None = None
    """Whose it is, of what does not say so itself and is given up on: a row, or what a source has."""


class Kept(Protocol):
    """What a stage has kept for the partition of a record, its own undelivered writes included."""

    def get(self, key: str) -> bytes | None:
        """The row's value, None when there is none. Does not block."""

    def under(self, prefix: str, most: int | None = None) -> list[str]:
        """The keys that begin with `prefix`, in order, or the first so many of them: it ends with
        `rows.BREAK` and has no other."""


class Held(Protocol):
    """The rows of a stage in the partitions that this worker has, as far as they are confirmed."""

    @property
    def partitions(self) -> Set[int]:
        """Of its source, and of its table."""

    def get(self, partition: int, key: str) -> bytes | None:
        """The row, None when there is none."""

    def items(self, partition: int) -> Iterator[tuple[str, bytes]]:
        """All of a partition, in no order."""


class Companion(Protocol):
    """What goes on beside the records of a stage while its partitions are here: a watcher of mailboxes."""

    def begin(self, held: Held) -> None:
        """The partitions are recovered. `held` is good until `end`."""

    async def end(self) -> None:
        """Returns when nothing goes on any more, the sooner the better: the partitions are about to have
        another owner. May be called without a `begin`."""


@dataclass(slots=True)
class Decision:
    """What follows from one record or one row that is due."""

    sends: list[Send] = field(default_factory=list)
    writes: dict[str, bytes | None] = field(default_factory=dict)
    """Rows of the stage's table; None deletes. The partition is that of the record, so the record's key
    must decide it in the same way as the row's owner expects."""
    uploads: list[Upload] = field(default_factory=list)
    """Objects that the sends and writes refer to."""
    again_s: float | None = None
    """Of a row that is due and has been served, but stays due until something else changes it: after how many
    seconds it is served again. A restart serves it at once. None is soon."""


@dataclass(frozen=True)
class Stage:
    """Ordered and stateful: the records of a partition are decided one after the other.

    For each batch the shell confirms the uploads, then the sends, then the writes, then acknowledges. After a
    crash in between, the same record is decided again on what was kept before it, so `decide` must be
    deterministic in its record and what is kept.
    """

    name: str
    source: str
    """Registry name of the topic it reads."""
    decide: Callable[[Record, Kept, float], Decision]
    """Record, kept rows, unix time. Raises `NotYet` to be asked again later; any other exception sends
    the record to the dead letters."""
    table: str | None = None
    """What it keeps goes to the topic `changelog.<table>`; None keeps nothing."""
    due: Callable[[str, bytes], float | None] | None = None
    """Row key and value to the unix time at which the row wants attention; None for never."""
    on_due: Callable[[str, bytes, Kept, float], Decision] | None = None
    """What is done at that time: row key and value, kept rows, unix time. Without it the row is deleted, as
    an expiry needs."""
    owner: Callable[[str, bytes], str | None] | None = None
    """Row key and value to the tenant whose it is, for its dead letter. May raise whatever it likes."""
    companion: Companion | None = None
    """Only for a stage with a table."""
    format: int = 1
    """Counts the forms that the bytes of its rows have had. It reads all of them; a worker that meets rows of
    a greater one stops. See docs/upgrades.md before raising it."""


@dataclass(frozen=True)
class TaskStage:
    """Stateless and concurrent: each record on its own, in any order, acknowledged when its sends are
    confirmed. A record may be executed twice after a crash or a rebalance."""

    name: str
    sources: tuple[str, ...]
    execute: Callable[[Record], list[Send] | Coroutine[Any, Any, list[Send]]]
    """What follows from the record, if it needs no waiting, else how to come by it. Any exception, of this
    call or of the coroutine, sends the record to the dead letters."""
    concurrency: int
    """How many records are executed at the same time in one worker."""


class NotYet(Exception):
    """Raised by `decide` when something it needs is not here yet, such as a definition under way."""

    def __init__(self, wait: Callable[[], Awaitable[None]]) -> None:
        """`wait` returns when it makes sense to decide again; it must be bounded by its owner."""
        super().__init__("decide again later")
        self.wait = wait
