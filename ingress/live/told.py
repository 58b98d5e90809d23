"""What a reader has been told of one run. As text it is the id of the event that was told last.

It names no place in Kafka or ClickHouse: another ingress goes on from it, whichever of the two has the
records by then.
"""

import re

from ingress.live.changes import ENDED, Event, Mark

_RUN = 0
_NOTHING = Mark(0, 0)
_END = Mark(2**31, ENDED)
"""Of a node execution that is over: nothing follows, whatever the attempt."""
_FORM = re.compile(
    r"(\d{1,9})\.(\d)/((?:\d{1,7}(?:-\d{1,7})?(?:,|(?=/)))*)/((?:\d{1,7}\.\d{1,9}\.\d(?:,|$))*)"
)
_MOST_NODES = 100_000


class Told:
    """Of the run itself, and of each node by its index."""

    __slots__ = ("_marks",)

    def __init__(self, marks: dict[int, Mark] | None = None) -> None:
        self._marks = marks or {}

    @classmethod
    def parse(cls, text: str) -> "Told":
        """The inverse of `str`. Raises `ValueError` for anything else."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("the id is not one that a stream of a run has given")
        marks = {_RUN: Mark(int(found[1]), int(found[2]))}
        for span in filter(None, found[3].split(",")):
            first, _, last = span.partition("-")
            if int(last or first) > _MOST_NODES:
                raise ValueError("the id tells of more nodes than a run can have")
            marks |= dict.fromkeys(range(int(first), int(last or first) + 1), _END)
        for one in filter(None, found[4].split(",")):
            index, attempt, phase = map(int, one.split("."))
            marks[index] = Mark(attempt, phase)
        return cls(marks)

    def __str__(self) -> str:
        """Some 10 characters for a run whose nodes follow one another, and a few for each that is open."""
        run = self._marks.get(_RUN, _NOTHING)
        ended = sorted(i for i, mark in self._marks.items() if i and mark.phase == ENDED)
        opened = ((i, mark) for i, mark in sorted(self._marks.items()) if i and mark.phase != ENDED)
        nodes = ",".join(f"{i}.{mark.number}.{mark.phase}" for i, mark in opened)
        return f"{run.number}.{run.phase}/{','.join(_spans(ended))}/{nodes}"

    def copy(self) -> "Told":
        """One that goes its own way."""
        return Told(dict(self._marks))

    def mark(self, step: int = _RUN) -> Mark:
        """How far the node has been told of, by default the run."""
        return self._marks.get(step, _NOTHING)

    def set(self, step: int, mark: Mark) -> None:
        """This has been told."""
        self._marks[step] = _END if step and mark.phase == ENDED else mark

    def add(self, event: Event) -> None:
        """Likewise."""
        self.set(event.step, event.mark)

    @property
    def ended(self) -> bool:
        """Whether all has been told: the end of the run comes last."""
        return self.mark().phase == ENDED


def _spans(numbers: list[int]) -> list[str]:
    """Ascending numbers as 1-12 and 14."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return [str(first) if first == last else f"{first}-{last}" for first, last in spans]
