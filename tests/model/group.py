"""The modelled coordinator of the consumer group: generations, sessions, rebalances, commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streams.shell.offsets import TopicPartition
from tests.model.broker import PARTITIONS, Broker
from tests.model.loop import Clock
from transport.committed import Commit

if TYPE_CHECKING:
    from tests.model.process import Process

SESSION_S = 6.0
REBALANCE_S = 20.0
"""As `ShellSettings` has them."""


@dataclass(slots=True)
class Member:
    process: "Process"
    heard_at: float
    joined: bool = False
    assigned: frozenset[TopicPartition] = frozenset()


class Group:
    """The eager protocol: in a rebalance everybody lets go of everything, then gets new partitions.

    Members are static. One that comes back within its session gets what it had, in the same generation.
    """

    def __init__(self, clock: Clock, broker: Broker, partitioned: Sequence[Sequence[str]]) -> None:
        """`partitioned`: topics of which the same partition belongs to the same member."""
        self._clock = clock
        self._broker = broker
        self._partitioned = partitioned
        self._members: dict[str, Member] = {}
        self._rebalance_began: float | None = None
        self._refused: set[Process] = set()
        """Expelled while they waited for their partitions: they hear so, and join again."""
        self.generation = 0

    @property
    def is_stable(self) -> bool:
        """Whether everybody has what it will have."""
        return self._rebalance_began is None

    def join(self, process: "Process") -> None:
        """A process is there, or has let go of what it had."""
        known = self._members.get(process.name)
        if known is not None and known.process is not process and self._rebalance_began is None:
            known.process, known.heard_at = process, self._clock.now
            process.assign(known.assigned, self.generation)
            return
        self._members[process.name] = Member(process, self._clock.now, joined=True)
        self._rebalance()

    def leave(self, process: "Process") -> None:
        """A process has stopped."""
        if self._is_member(process):
            del self._members[process.name]
            self._rebalance()

    def commit(self, process: "Process", generation: int, offsets: Mapping[Any, Commit]) -> bool:
        """Refused to whoever is not of this generation. Whose the partitions are is not asked."""
        if not self._is_member(process) or generation != self.generation:
            return False
        self._broker.committed.update({TopicPartition(*tp): at for tp, at in offsets.items()})
        return True

    def beat(self, processes: Sequence["Process"]) -> None:
        """Those that run are heard of, and hear; those that were not heard of for long are expelled."""
        for process in processes:
            if process.is_running:
                self._hear(process)
        for name, member in sorted(self._members.items()):
            silent_s = self._clock.now - member.heard_at
            too_late = (
                self._rebalance_began is not None
                and not member.joined
                and self._clock.now - self._rebalance_began > REBALANCE_S
            )
            if silent_s >= SESSION_S or too_late:
                if member.joined:
                    self._refused.add(member.process)
                del self._members[name]
                self._rebalance()
        self._complete()

    def _hear(self, process: "Process") -> None:
        if self._is_member(process):
            member = self._members[process.name]
            member.heard_at = process.thread.heard_at = self._clock.now
            if self._rebalance_began is not None and not member.joined:
                process.let_go(lost=False)
        elif process in self._refused:
            self._refused.remove(process)
            self.join(process)
        elif process.thread.generation >= 0:
            process.let_go(lost=True)

    def _rebalance(self) -> None:
        if self._rebalance_began is None:
            self._rebalance_began = self._clock.now
            for member in self._members.values():
                # Who comes anew has nothing to let go of.
                member.joined = member.joined and not member.assigned
        for _, member in sorted(self._members.items()):
            if not member.joined and member.process.is_running:
                member.process.let_go(lost=False)
        self._complete()

    def _complete(self) -> None:
        if self._rebalance_began is None or not all(one.joined for one in self._members.values()):
            return
        self._rebalance_began = None
        self.generation += 1
        names = sorted(self._members)
        shares: dict[str, set[TopicPartition]] = {name: set() for name in names}
        if names:
            for place, topics in enumerate(self._partitioned):
                for partition in range(PARTITIONS):
                    # Each generation moves all that can be moved.
                    owner = names[(partition + place + self.generation) % len(names)]
                    shares[owner].update(TopicPartition(topic, partition) for topic in topics)
        for name in names:
            member = self._members[name]
            member.joined, member.assigned = False, frozenset(shares[name])
            member.process.assign(member.assigned, self.generation)

    def _is_member(self, process: "Process") -> bool:
        member = self._members.get(process.name)
        return member is not None and member.process is process
