"""What a kind of source implements, and what its watchers are given."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from schemas.models import AppTrigger
from schemas.triggers.config import TriggerConfig
from streams.sources.events import SourceEvent
from transport.producer import Send


class Unavailable(Exception):
    """The source cannot be watched at the moment, or not with this configuration: tried again later. The text
    says why, for whoever has configured it; never a secret."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """One watcher's view of what it watches."""

    trigger: AppTrigger
    slot: int
    """Which of its trigger's watchers this is."""
    settings: TriggerConfig
    """Of the trigger, with its secrets in the clear."""
    position: Mapping[str, Any] | None
    """As it was last kept; None for a subject that has not been watched before."""
    since_s: float
    """Unix time from which on what happens is wanted, where there is no position."""
    publish: Callable[[Sequence[SourceEvent]], Awaitable[None]]
    """Returns when the broker has all of them. Raises `SendFailed`."""
    keep: Callable[[Mapping[str, Any]], Awaitable[None]]
    """Keeps a position, for whoever watches next; to be called when the events before it are published.
    Raises `SendFailed`."""
    send: Callable[[Sequence[Send]], Awaitable[None]]
    """Likewise, any messages."""
    works: Callable[[], None]
    """To be called whenever the source has answered: an error before that is over."""
    news: Callable[[float], Awaitable[None]]
    """Returns when somebody says that there is news, or after so many seconds."""


class SourceKind(Protocol):
    """One kind of source. Its watchers are tasks, one for each of its triggers (and slots)."""

    type: ClassVar[str]
    """`TriggerConfig.type`."""

    def subject(self, settings: Any) -> str:
        """What is watched, without secrets: positions in it mean nothing in another."""

    def slots(self, settings: Any) -> int:
        """How many watchers a trigger has, which may be in different workers."""

    async def watch(self, watch: Watch) -> None:
        """Until cancelled. What is raised is logged, and the watcher begins again after a while."""
