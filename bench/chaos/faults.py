"""Which faults there are, and when each of them comes: decided by a seed alone."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Whom a fault is for."""

    WORKER = "worker"
    INGRESS = "ingress"
    SINK = "sink"
    CLICKHOUSE = "ClickHouse"
    BROKER = "broker"


class Blow(StrEnum):
    """What is done."""

    KILL = "`kill -9`"
    TERMINATE = "SIGTERM"
    FREEZE = "SIGSTOP, SIGCONT"
    POWER_LOSS = "power loss: files lose their ends"
    DISK_DAMAGE = "half of a state store's file is gone"
    KILL_LEADER = "`kill -9` of the leader of a topic"
    FREEZE_LEADER = "SIGSTOP, SIGCONT of the leader of a topic"
    KILL_CONTROLLER = "`kill -9` of the active controller"
    FREEZE_CONTROLLER = "SIGSTOP, SIGCONT of the active controller"
    OUTAGE = "`kill -9` of all three, and power loss of an ingress meanwhile"


Kind = tuple[Role, Blow]

# How often in so many: the deck is dealt, shuffled anew, until there are enough.
DECK: Mapping[Kind, int] = {
    (Role.WORKER, Blow.KILL): 5,
    (Role.WORKER, Blow.TERMINATE): 2,
    (Role.WORKER, Blow.FREEZE): 4,
    (Role.WORKER, Blow.POWER_LOSS): 3,
    (Role.WORKER, Blow.DISK_DAMAGE): 1,
    (Role.INGRESS, Blow.KILL): 3,
    (Role.INGRESS, Blow.TERMINATE): 2,
    (Role.INGRESS, Blow.FREEZE): 2,
    (Role.INGRESS, Blow.POWER_LOSS): 1,
    (Role.SINK, Blow.KILL): 2,
    (Role.SINK, Blow.TERMINATE): 1,
    (Role.SINK, Blow.FREEZE): 2,
    (Role.CLICKHOUSE, Blow.KILL): 1,
    (Role.CLICKHOUSE, Blow.TERMINATE): 1,
    (Role.CLICKHOUSE, Blow.FREEZE): 1,
    (Role.BROKER, Blow.KILL_LEADER): 2,
    (Role.BROKER, Blow.FREEZE_LEADER): 1,
    (Role.BROKER, Blow.KILL_CONTROLLER): 1,
    (Role.BROKER, Blow.FREEZE_CONTROLLER): 1,
    (Role.BROKER, Blow.TERMINATE): 1,
    (Role.BROKER, Blow.OUTAGE): 1,
}

_FROZEN_S = (1.0, 20.0)
_DOWN_S = (0.0, 5.0)
# Longer than an ingress waits for a broker before it takes to its spool.
_OUTAGE_S = (10.0, 15.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """One of them."""

    number: int
    at: float
    """When, as a share of the whole time."""
    role: Role
    blow: Blow
    which: int
    """Of those that have the role; of a topic's leaders, whose topic and partition."""
    seconds: float
    """How long it is down, or frozen."""


def plan(count: int, seed: int, which: Mapping[Role, int]) -> list[Fault]:
    """In the order of time, one in each stretch of equal length. `which`: how many there are to choose of.

    The same arguments give the same plan, and the first faults of a longer plan are other ones.
    """
    chance = random.Random(f"chaos {seed}")
    kinds = _dealt(chance)
    faults = []
    for number in range(count):
        role, blow = next(kinds)
        at = (number + chance.uniform(0.1, 0.9)) / count
        chosen, seconds = chance.randrange(which[role]), _seconds(blow, chance)
        faults.append(Fault(number, at, role, blow, chosen, seconds))
    return faults


def table(done: Mapping[Kind, int]) -> str:
    """How often each fault has come, as a table in Markdown."""
    rows = [f"| {role} | {blow} | {done.get((role, blow), 0)} |" for role, blow in DECK]
    total = f"| | all | {sum(done.values())} |"
    return "\n".join(("| role | fault | times |", "|---|---|---|", *rows, total))


def _dealt(chance: random.Random) -> Iterator[Kind]:
    while True:
        cards = [kind for kind, times in DECK.items() for _ in range(times)]
        chance.shuffle(cards)
        yield from cards


def _seconds(blow: Blow, chance: random.Random) -> float:
    match blow:
        case Blow.FREEZE | Blow.FREEZE_LEADER | Blow.FREEZE_CONTROLLER:
            return chance.uniform(*_FROZEN_S)
        case Blow.OUTAGE:
            return chance.uniform(*_OUTAGE_S)
        case _:
            return chance.uniform(*_DOWN_S)
