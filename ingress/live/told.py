"""What a reader has been told of one run. As text it is the id of the event that was told last.

It names no place in Kafka or ClickHouse: another ingress goes on from it, whichever of the two has the
records by then.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable

from ingress.live.changes import ENDED, Event, Mark

_RUN = 0
_NOTHING = Mark(0, 0)
_END = Mark(2**31, ENDED)
"""Of a node execution that is over: nothing follows, whatever the attempt."""
_FORM = re.compile(
    r"(\d{1,9})\.(\d)/((?:\d{1,7}(?:-\d{1,7})?(?:,|(?=/)))*)/((?:\d{1,7}\.\d{1,9}\.\d(?:,|$))*)"
)
_MOST_NODES = 100_000


class _Spans:
    """A set of numbers, as the spans that it consists of: few, since nodes end about as they begin."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, firsts: Iterable[int] = (), lasts: Iterable[int] = ()) -> None:
        """Ascending, and none next to another."""
        self._firsts = list(firsts)
        self._lasts = list(lasts)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number)
        return at > 0 and number <= self._lasts[at - 1]

    def __str__(self) -> str:
        """As 1-12,14."""
        spans = zip(self._firsts, self._lasts, strict=True)
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)

    def add(self, number: int) -> None:
        """One more, or one that is there."""
        if number in self:
            return
        at = bisect_right(self._firsts, number)
        goes_before = at < len(self._firsts) and self._firsts[at] == number + 1
        if at and self._lasts[at - 1] == number - 1:
            self._lasts[at - 1] = number
            if goes_before:
                self._lasts[at - 1] = self._lasts.pop(at)
                del self._firsts[at]
        elif goes_before:
            self._firsts[at] = number
        else:
            self._firsts.insert(at, number)
            self._lasts.insert(at, number)

    def copy(self) -> "_Spans":
        return _Spans(self._firsts, self._lasts)


class Told:
    """Of the run itself, and of each node by its index."""

    __slots__ = ("_ended", "_open")

    def __init__(self) -> None:
        self._open: dict[int, Mark] = {}
        """Of the run, and of nodes that are not over."""
        self._ended = _Spans()

    @classmethod
    def parse(cls, text: str) -> "Told":
        """The inverse of `str`. Raises `ValueError` for anything else."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("the id is not one that a stream of a run has given")
        told = cls()
        told.set(_RUN, Mark(int(found[1]), int(found[2])))
        told._ended = _read_spans(found[3])
        for one in filter(None, found[4].split(",")):
            index, attempt, phase = map(int, one.split("."))
            told.set(index, Mark(attempt, phase))
        return told

    def __str__(self) -> str:
        """Some 10 characters for a run whose nodes follow one another, and a few for each that is open."""
        run = self.mark()
        opened = ((i, mark) for i, mark in sorted(self._open.items()) if i != _RUN)
        nodes = ",".join(f"{i}.{mark.number}.{mark.phase}" for i, mark in opened)
        return f"{run.number}.{run.phase}/{self._ended}/{nodes}"

    def copy(self) -> "Told":
        """One that goes its own way."""
        other = Told()
        other._open, other._ended = dict(self._open), self._ended.copy()
        return other

    def mark(self, step: int = _RUN) -> Mark:
        """How far the node has been told of, by default the run."""
        return _END if step in self._ended else self._open.get(step, _NOTHING)

    def set(self, step: int, mark: Mark) -> None:
        """This has been told."""
        if step != _RUN and mark.phase == ENDED:
            self._open.pop(step, None)
            self._ended.add(step)
        else:
            self._open[step] = mark

    def add(self, event: Event) -> None:
        """Likewise."""
        self.set(event.step, event.mark)

    @property
    def ended(self) -> bool:
        """Whether all has been told: the end of the run comes last."""
        return self.mark().phase == ENDED


def _read_spans(text: str) -> _Spans:
    """The inverse of `str`. Raises `ValueError`."""
    spans = [span.partition("-") for span in filter(None, text.split(","))]
    firsts = [int(first) for first, _, _ in spans]
    lasts = [int(last or first) for first, _, last in spans]
    numbers = [number for span in zip(firsts, lasts, strict=True) for number in span]
    if numbers != sorted(numbers) or (numbers and not 0 < numbers[0] <= numbers[-1] <= _MOST_NODES):
        raise ValueError("the id tells of nodes that a run cannot have")
    return _Spans(firsts, lasts)
