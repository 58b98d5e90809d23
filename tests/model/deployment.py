"""All of the model together: workers with the real stages around a broker, and what may happen to them."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import cast
from zlib import crc32

from obstore.store import MemoryStore
from prometheus_client import CollectorRegistry

from streams import app
from streams.dead_letters import dead_letter
from streams.execute import QUEUES
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.registry import Executors
from streams.metrics import WorkerMetrics
from streams.settings import WorkerSettings
from streams.shell.stage import Stage, TaskStage
from tests.model import flows
from tests.model.broker import Broker
from tests.model.flows import CODEC, Accepted
from tests.model.group import Group
from tests.model.loop import Clock
from tests.model.process import DEAD, Disk, Process, is_giving_up
from transport.definitions import TRIGGERS
from transport.producer import Send
from transport.storage import Storage
from transport.values import ValueStore

BEGIN_S = 1_800_000_000.0
NAMES = ("w1", "w2")

STAGES = (
    ("trigger.events", "changelog.dedup"),
    ("gate.commands", "changelog.gates"),
    ("run.commands", "changelog.runs"),
    ("schedule.commands", "changelog.schedules"),
    ("conversation.commands", "changelog.conversations"),
    *((queue,) for queue in QUEUES),
)
"""The topics of each stage."""
SOURCES = [topics[0] for topics in STAGES]

_DELAYS_S = (0, 0, 0, 3, 40)
"""How long nodes take."""
_MOST_ROUNDS = 10_000
_SETTINGS = WorkerSettings(finished_ttl_s=flows.HOUR_S)


class Deployment:
    """The workers `w1` and `w2`, not yet started."""

    def __init__(self, clock: Clock, *, seed: int = 0, is_lasting: bool = False, most: int = 500) -> None:
        """`seed`: how nodes turn out. `is_lasting`: whether the tables of a worker survive it. `most`: of
        one fetch."""
        self.clock = clock
        self.broker = Broker(clock)
        self.group = Group(clock, self.broker, STAGES)
        self.processes: dict[str, Process] = {}
        self.accepted: list[Accepted] = []
        """In the order in which they were."""
        self.failures: list[BaseException] = []
        """Why processes have ended themselves, if they should not have."""
        self._disks = {name: Disk(is_lasting=is_lasting) for name in NAMES}
        self._seed = seed
        self._most = most
        self._calls: Counter[str] = Counter()
        self._feed = flows.new_feed()
        self._metrics = WorkerMetrics(CollectorRegistry())
        self._values = ValueStore(Storage(MemoryStore()))
        self.broker.on_append = self._wake

    # What happens in it --------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Starts a worker that is not there."""
        self.processes[name] = Process(
            name,
            self.clock,
            self.broker,
            self.group,
            self._disks[name],
            stages=self._stages,
            bury=partial(dead_letter, CODEC),
        )
        self.processes[name].source.most = self._most
        self.settle()

    def cut_power(self, name: str) -> None:
        """The machine of a worker goes down."""
        if name in self.processes:
            self.processes[name].kill()
        self._disks[name].forget()
        self.settle()

    def accept(self, event: Accepted) -> None:
        """Ingress has the broker's word for it."""
        self.accepted.append(event)
        self.say(event.send())

    def say(self, send: Send) -> None:
        """Somebody else than a worker sends this."""
        self.broker.append(send)
        self.settle()

    def install(self) -> list[int]:
        """Deploys the schedule; its times in microseconds."""
        trigger, times = flows.schedule(self.clock.us())
        self._feed.definitions.apply(TRIGGERS, trigger.key, trigger)
        self.say(flows.set_schedule(trigger, self.clock.us()))
        return times

    def settle(self) -> None:
        """Everybody does what can be done without further time."""
        for _ in range(_MOST_ROUNDS):
            self._bring_out_the_dead()
            went_on = [process.pump() for process in self._alive()]
            if not any(went_on):
                return
        raise AssertionError("the workers turn in a circle")

    def pass_time(self, seconds: float) -> None:
        """All at once: whatever was due in between is now."""
        self.clock.now += seconds
        self.group.beat(list(self._alive()))
        self.settle()

    def heal(self) -> None:
        """Whoever is stopped goes on, whatever is held up arrives, and there is a worker."""
        for process in self._alive():
            process.go_on()
            process.link.restore()
            process.hold_commits(held=False)
            process.source.skips = 0
        self.settle()
        if not self.processes:
            self.start(NAMES[0])

    @property
    def is_quiet(self) -> bool:
        """Whether all that there is has been acknowledged."""
        links = all(process.link.is_empty for process in self._alive())
        return links and self.group.is_stable and not self.broker.lag(SOURCES)

    def commit(self) -> None:
        """Everybody commits what is safe."""
        for process in self._alive():
            process.commit()
        self.settle()

    # Inside --------------------------------------------------------------------------------------------

    def _alive(self) -> Iterator[Process]:
        return iter([self.processes[name] for name in sorted(self.processes)])

    def _bring_out_the_dead(self) -> None:
        for name, process in list(self.processes.items()):
            if process.state == DEAD:
                del self.processes[name]
                if process.given_up is not None and not is_giving_up(process.given_up):
                    self.failures.append(process.given_up)
                self.failures += process.loop.failures

    def _wake(self) -> None:
        for process in self.processes.values():
            process.source.wake()

    async def _execute(self, call: NodeCall) -> Outcome:
        """Each call of a node turns out in a way of its own."""
        self._calls[call.execution_id] += 1
        count = self._calls[call.execution_id]
        dice = crc32(f"{self._seed}/{call.execution_id}/{count}".encode())
        if delay_s := _DELAYS_S[dice % len(_DELAYS_S)]:
            await asyncio.sleep(delay_s)
        if (dice >> 8) % 4 == 0:
            return Outcome("failed", error=f"call {count}", error_type="Broken")
        return Outcome("succeeded", {"result": f"{call.execution_id} {count}"})

    def _stages(self, process: Process) -> tuple[list[Stage], list[TaskStage]]:
        executors = cast(Executors, SimpleNamespace(execute=self._execute))
        return app._stages(
            _SETTINGS, self._feed, CODEC, executors, None, self._metrics, self._values, process.interruptions
        )
