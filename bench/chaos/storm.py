"""Carries a plan of faults out on a fleet, while somebody else sends it events."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bench.chaos import damage
from bench.chaos.cluster import Broker, NoLeader
from bench.chaos.faults import Blow, Fault, Kind, Role
from bench.chaos.fleet import ChaosFleet
from bench.chaos.places import Place
from bench.progress import Say
from schemas.topics import TOPICS

_WHOLE_TIMEOUT_S = 45.0
_LEADER_TIMEOUT_S = 30.0
_POLL_S = 0.2
_LED = (*TOPICS, "__consumer_offsets")


def targets(workers: int, ingresses: int, sinks: int) -> Mapping[Role, int]:
    """How many there are to choose of: for the brokers, whose leader falls."""
    return {
        Role.WORKER: workers,
        Role.INGRESS: ingresses,
        Role.SINK: sinks,
        Role.CLICKHOUSE: 1,
        Role.BROKER: len(_LED) * 1_000,
    }


class Storm:
    """One run of it."""

    def __init__(self, fleet: ChaosFleet, seed: int, say: Say) -> None:
        """`seed` decides what is lost of the files."""
        self.done: Counter[Kind] = Counter()
        """Faults that are over."""
        self._fleet = fleet
        self._seed = seed
        self._say = say
        # With two of the three away nothing can be accepted: that is the outage, which comes often enough.
        self._one_broker = asyncio.Lock()
        self._places: Mapping[Role, Sequence[Place]] = {
            Role.WORKER: fleet.workers,
            Role.INGRESS: fleet.ingresses,
            Role.SINK: fleet.sinks,
            Role.CLICKHOUSE: [fleet.clickhouse],
        }

    async def blow(self, faults: Sequence[Fault], seconds: float) -> None:
        """Returns when all faults are over. Raises `DidNotComeBack` and `NoLeader`, in an `ExceptionGroup`.

        A fault waits until what it strikes has got over the one before.
        """
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                await asyncio.sleep(max(0.0, began + fault.at * seconds - time.monotonic()))
                group.create_task(self._strike(fault))

    async def _strike(self, fault: Fault) -> None:
        if fault.role is Role.BROKER:
            async with self._one_broker:
                await self._strike_brokers(fault)
                if not await self._fleet.cluster.until_whole(_WHOLE_TIMEOUT_S):
                    self._say("the brokers are not in sync yet")
        else:
            await self._strike_place(fault, self._places[fault.role][fault.which])
        self.done[fault.role, fault.blow] += 1

    async def _strike_place(self, fault: Fault, place: Place) -> None:
        self._tell(fault, place)
        match fault.blow:
            case Blow.KILL:
                await place.kill(fault.seconds)
            case Blow.TERMINATE:
                await place.terminate(fault.seconds)
            case Blow.FREEZE:
                await place.freeze(fault.seconds)
            case Blow.POWER_LOSS:
                await place.kill(fault.seconds, self._power_loss(fault, place))
            case Blow.DISK_DAMAGE:
                await place.kill(fault.seconds, self._disk_damage(fault, place))

    async def _strike_brokers(self, fault: Fault) -> None:
        topic = _LED[fault.which % len(_LED)]
        match fault.blow:
            case Blow.KILL_LEADER:
                await (await self._leader(fault, topic)).kill(fault.seconds)
            case Blow.FREEZE_LEADER:
                await (await self._leader(fault, topic)).freeze(fault.seconds)
            case Blow.TERMINATE:
                await (await self._leader(fault, topic)).terminate(fault.seconds)
            case Blow.KILL_CONTROLLER:
                await (await self._controller(fault)).kill(fault.seconds)
            case Blow.FREEZE_CONTROLLER:
                await (await self._controller(fault)).freeze(fault.seconds)
            case Blow.OUTAGE:
                await self._outage(fault)

    async def _outage(self, fault: Fault) -> None:
        ingress = self._fleet.ingresses[fault.which % len(self._fleet.ingresses)]
        self._say(f"fault {fault.number}: no broker for {fault.seconds:.1f} s")
        async with asyncio.TaskGroup() as group:
            for broker in self._fleet.brokers:
                group.create_task(broker.kill(fault.seconds))
            # By then it has taken to its spool.
            await asyncio.sleep(fault.seconds * 0.8)
            await ingress.kill(0.0, self._power_loss(fault, ingress))

    async def _leader(self, fault: Fault, topic: str) -> Place:
        name = self._fleet.kafka.full_name(topic) if topic in TOPICS else topic
        partition = fault.which // len(_LED)
        broker = await _found(lambda: self._fleet.cluster.leader(name, partition))
        return self._told_place(fault, broker, f"leader of {topic}")

    async def _controller(self, fault: Fault) -> Place:
        broker = await _found(self._fleet.cluster.controller)
        return self._told_place(fault, broker, "controller")

    def _told_place(self, fault: Fault, broker: Broker, what: str) -> Place:
        place = next(place for place in self._fleet.brokers if place.process is broker)
        self._tell(fault, place, f" ({what})")
        return place

    def _tell(self, fault: Fault, place: Place, what: str = "") -> None:
        blow = fault.blow.replace("`", "")
        self._say(f"fault {fault.number}: {place.name}{what}: {blow}, {fault.seconds:.1f} s")

    def _power_loss(self, fault: Fault, place: Place) -> Callable[[], str]:
        chance = self._chance(fault)
        if fault.role is Role.WORKER:
            return lambda: damage.power_loss_of_stores(self._fleet.stores_of(place), chance)
        return lambda: damage.torn_record(self._fleet.spool_of(place), chance)

    def _disk_damage(self, fault: Fault, place: Place) -> Callable[[], str]:
        chance = self._chance(fault)
        return lambda: damage.damage_of_store(self._fleet.stores_of(place), chance)

    def _chance(self, fault: Fault) -> random.Random:
        return random.Random(f"damage {self._seed} {fault.number}")


async def _found(find: Callable[[], Awaitable[Broker]]) -> Broker:
    """Asks again while a partition has no leader. Raises `NoLeader` when that takes too long."""
    deadline = time.monotonic() + _LEADER_TIMEOUT_S
    while True:
        try:
            return await find()
        except NoLeader:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_POLL_S)
