"""The load as a whole: which events come one after the other. Pure; the seed decides all of it."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.chaos.kinds import KINDS, Kind

REPEATED = 0.05
"""Share of the events that are sent a second time though they were acknowledged."""
_MOST_APART_S = 30.0
_MOST_THOUGHT_S = 10.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    id: str
    number: int
    kind: Kind
    inputs: dict[str, Any]
    """All start variables."""
    repeat_after_s: float | None
    """When it is sent again; 0 is at the same time to another ingress, None never."""
    thought_s: float
    """How long somebody thinks before they do something to its run."""
    twice: bool
    """Whether they do it twice."""


def event_ids(seed: int) -> str:
    """What the ids of all events of a seed begin with."""
    return f"chaos{seed}-"


def events(seed: int) -> Iterator[Event]:
    """Without end."""
    chance = random.Random(f"events {seed}")
    kinds = list(KINDS.values())
    weights = [kind.weight for kind in kinds]
    for number in itertools.count():
        yield _event(f"{event_ids(seed)}{number:07d}", number, chance.choices(kinds, weights)[0], chance)


def _event(event_id: str, number: int, kind: Kind, chance: random.Random) -> Event:
    inputs = {"event_id": event_id, **kind.inputs(chance)}
    repeated, apart_s = chance.random() < REPEATED, chance.choice((0.0, chance.uniform(0, _MOST_APART_S)))
    return Event(
        id=event_id,
        number=number,
        kind=kind,
        inputs=inputs,
        repeat_after_s=apart_s if repeated else None,
        thought_s=chance.uniform(0, _MOST_THOUGHT_S),
        twice=chance.random() < 0.3,
    )
