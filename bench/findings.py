"""What an audit has found: how often each kind of fault, and a few examples."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SHOWN = 5


@dataclass(slots=True)
class Findings:
    """Begins clean. `str` is one line with the counts of all kinds."""

    acknowledged: int
    """Events that were answered with 2xx at least once."""
    repeats: int
    """Further requests for them that were."""
    words: Mapping[str, str]
    """Kind of fault -> what the line calls it."""
    besides: tuple[str, ...] = ()
    """What was looked at besides events, counted, for the line."""
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    """Kind of fault -> a few of what it was found at."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.counts.values())

    def __str__(self) -> str:
        found = ", ".join(f"{self.counts.get(kind, 0):,} {word}" for kind, word in self.words.items())
        looked_at = (f"{self.acknowledged:,} events acknowledged and {self.repeats:,} repeats", *self.besides)
        return f"{', '.join(looked_at)}: {found}"

    def find(self, kind: str, example: str) -> None:
        """Counts one more fault."""
        self.add(kind, 1, (example,))

    def add(self, kind: str, count: int, examples: Iterable[str] = ()) -> None:
        """Counts so many more."""
        assert kind in self.words, f"no kind of fault: {kind}"
        self.counts[kind] = self.counts.get(kind, 0) + count
        if count:
            shown = self.examples.setdefault(kind, [])
            shown.extend(list(examples)[: _SHOWN - len(shown)])
