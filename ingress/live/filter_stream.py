"""What happens in all runs that fit a filter, from now on, or from where a reader was."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, aclosing
from time import monotonic

from ingress.errors import Malformed
from ingress.live.changes import LOGS, NODES, RUNS, Change, Place
from ingress.live.gathering import Gathering, Sent
from ingress.live.listener import Listener
from ingress.live.matching import Chosen
from ingress.live.past import Past
from ingress.live.positions import Positions
from ingress.live.tail import Tail

_NEAR = 500
"""Records that are read while the newest are kept for later."""
_ASK_S = 0.25
"""How often the history is asked about runs that it does not have yet."""
_GIVE_UP_S = 10.0


class FilterStream:
    """Of one reader. `open`, then `more`, then `close`. It is never over."""

    is_over = False

    def __init__(
        self, tail: Tail, past: Past | None, *, chosen: Chosen, last_id: str, max_bytes: int
    ) -> None:
        """`past`: for filters that need it. `last_id`: from which event on; empty for what happens now."""
        self.listener = Listener(None, max_bytes)
        self.has_gap = False
        """Whether something between `last_id` and what is told is no longer kept."""
        self._tail = tail
        self._past = past
        self._chosen = chosen
        self._last_id = last_id
        self._gathering = Gathering(chosen, Positions({}))
        self._places: list[Place] = []
        self._behind: AsyncGenerator[list[Change]] | None = None
        self._asked: dict[str, float] = {}
        self._ask_at = 0.0
        self._stack = AsyncExitStack()

    @property
    def id(self) -> str:
        """From which another stream goes on."""
        return str(self._gathering.positions)

    async def open(self) -> list[Sent]:
        """Nothing is told at once. Raises `Malformed` for an id that is none, `TransportError`."""
        await self._stack.enter_async_context(self._tail.using())
        topics = [RUNS] if self._chosen.of_states else [NODES, RUNS]
        topics += [LOGS] if self._chosen.needs_trigger else []
        self._places = await self._tail.places(*topics)
        if self._last_id:
            positions = await self._back(topics)
            self._behind = self._catch_up(positions)
        else:
            positions = Positions(await self._tail.join(self.listener, self._places))
        self._gathering = Gathering(self._chosen, positions)
        return []

    async def more(self, timeout_s: float) -> list[Sent]:
        """What happens next; nothing after so long."""
        if self._behind is not None:
            changes = await anext(self._behind, None)
            if changes is None:
                self._behind = None
        else:
            changes = await self.listener.get(self._patience(timeout_s))
        now = monotonic()
        sent = [one for change in changes or () for one in self._gathering.take(change, now)]
        sent += self._gathering.overdue(now)
        return sent + await self._judge()

    async def close(self) -> None:
        """Whatever has been opened."""
        if self._behind is not None:
            await self._behind.aclose()
        self._tail.leave(self.listener)
        await self._stack.aclose()

    async def _back(self, topics: Iterable[str]) -> Positions:
        try:
            positions = Positions.parse(self._last_id, tuple(topics), await self._tail.partitions())
        except ValueError as wrong:
            raise Malformed(str(wrong)) from wrong
        ends, firsts = await self._tail.ends(self._places), await self._tail.firsts(self._places)
        if any(positions.next[place] > end for place, end in ends.items()):
            raise Malformed("the id is of a time that has not come yet, or of another deployment")
        self.has_gap = positions.forget_before(firsts)
        return positions

    async def _catch_up(self, positions: Positions) -> AsyncGenerator[list[Change]]:
        """As fast as it is read, and only near the end does it join those who follow."""
        begins = positions.begins
        while True:
            ends = await self._tail.ends(self._places)
            if sum(ends[place] - begin for place, begin in begins.items()) <= _NEAR:
                break
            async with aclosing(self._tail.read(begins, ends)) as read:
                async for changes in read:
                    yield changes
            begins = ends
        ends = await self._tail.join(self.listener, self._places)
        async with aclosing(self._tail.read(begins, ends)) as read:
            async for changes in read:
                yield changes

    def _patience(self, timeout_s: float) -> float:
        due = self._gathering.next_due
        if due is not None:
            timeout_s = min(timeout_s, due - monotonic())
        if self._asked:
            timeout_s = min(timeout_s, _ASK_S)
        return max(0.0, timeout_s)

    async def _judge(self) -> list[Sent]:
        """Runs that began before: the history says whether they fit, once it has them."""
        unknown, now = self._gathering.unknown, monotonic()
        self._asked = {run_id: self._asked.get(run_id, now) for run_id in unknown}
        if not unknown or self._past is None or now < self._ask_at:
            return []
        self._ask_at = now + _ASK_S
        fitting = await self._past.fitting(self._chosen.of_runs, self._chosen.tenant_id, unknown)
        late = {run_id: False for run_id, asked_at in self._asked.items() if asked_at + _GIVE_UP_S < now}
        judged = {**late, **fitting}
        return [one for i, fits in judged.items() for one in self._gathering.judge(i, fits, now)]
