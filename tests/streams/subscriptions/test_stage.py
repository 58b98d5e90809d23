"""The stage takes on as many attempts as can be made, and comes back to the others."""

from dataclasses import dataclass, field

from schemas.models import TriggerSubscription
from streams.subscriptions.attempts import install
from streams.subscriptions.rows import Lease
from streams.subscriptions.stage import Subscriptions
from tests.streams.kept import KeptRows
from tests.streams.subscriptions.partition import CODEC, subscription

NOW = 1_800_000_000.0


@dataclass
class Attempts:
    """That go on until they are told to end."""

    most: int
    begun: list[str] = field(default_factory=list)
    ended: int = 0

    @property
    def room(self) -> int:
        return self.most - len(self.begun) + self.ended

    def begin(self, subscription: TriggerSubscription, lease: Lease, key: str) -> None:
        if subscription.id not in self.begun:
            self.begun.append(subscription.id)


class Shell:
    """As the real one: all that is due, then the writes."""

    def __init__(self, attempts: Attempts, rows: int) -> None:
        self.stage = Subscriptions(CODEC, attempts)
        self.table = KeptRows()
        for number in range(rows):
            one = subscription(id=f"s{number}", credential_expires_at=int(NOW))
            self.table[one.id] = install(None, one, NOW - 7200).encode()

    def turn(self, now: float, *, kept: bool = True) -> int:
        """How many rows were written."""
        decisions = [self.stage.on_due(key, row, self.table, now) for key, row in self.table.items()]
        writes = {key: row for one in decisions for key, row in one.writes.items() if row is not None}
        if kept:
            self.table.update(writes)
        return len(writes)


def test_only_so_many_at_a_time() -> None:
    attempts = Attempts(3)
    shell = Shell(attempts, 10)
    assert shell.turn(NOW) == 3
    assert attempts.begun == []
    assert shell.turn(NOW) == 0
    assert len(attempts.begun) == 3
    assert shell.turn(NOW + 1) == 0
    attempts.ended = 2
    assert shell.turn(NOW + 2) == 2
    shell.turn(NOW + 2)
    assert len(attempts.begun) == 5


def test_a_place_that_came_to_nothing_is_given_back() -> None:
    attempts = Attempts(3)
    shell = Shell(attempts, 10)
    assert shell.turn(NOW, kept=False) == 3
    # Its partition went elsewhere; others have theirs, and find room when the time of those is over.
    shell.table = KeptRows({key: row for key, row in shell.table.items() if key > "s4"})
    assert shell.turn(NOW + 60) == 0
    assert shell.turn(NOW + 121) == 3
