"""How far a reader of all partitions has come. As text it is the id of the event that was told last."""

import re

from ingress.live.changes import Change, Place, Places

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(r"[0-9a-z]{1,13}(~[0-9a-z]{1,13}(\.[1-9])?)*")
_MOST_CHARS = 16_384


class Positions:
    """For each partition the offset from which nothing has been taken yet, and the records before it that are
    held back: of those, so many events have been told."""

    def __init__(self, next_offsets: Places) -> None:
        self.next = dict(next_offsets)
        self._held: dict[Place, dict[int, int]] = {}
        self._texts: dict[Place, str] = {}

    @classmethod
    def parse(cls, text: str, topics: tuple[str, ...], partitions: int) -> "Positions":
        """The inverse of `str`, of a deployment with so many partitions. Raises `ValueError`."""
        wrong = ValueError("the id is not one that a stream of these runs has given")
        if len(text) > _MOST_CHARS:
            raise wrong
        lists = [part.split("_") for part in text.split("-")]
        if [len(one) for one in lists] != [partitions] * len(topics):
            raise wrong
        found = cls({})
        for topic, parts in zip(topics, lists, strict=True):
            for number, part in enumerate(parts):
                if not _FORM.fullmatch(part):
                    raise wrong
                found._read(Place(topic, number), part)
        return found

    def __str__(self) -> str:
        """By topic and partition, in order, to the base of 36."""
        topics: dict[str, list[str]] = {}
        for place in sorted(self.next):
            text = self._texts.get(place)
            if text is None:
                text = self._texts[place] = self._text(place)
            topics.setdefault(place.topic, []).append(text)
        return "-".join("_".join(parts) for parts in topics.values())

    @property
    def begins(self) -> Places:
        """Where to read on: from the first record that is held back."""
        return {
            place: min((*self._held.get(place, ()), offset), default=offset)
            for place, offset in self.next.items()
        }

    def forget_before(self, firsts: Places) -> bool:
        """Skips what is no longer kept. Whether that was anything that has not been told."""
        lost = [place for place, offset in self.begins.items() if offset < firsts[place]]
        for place in lost:
            self.next[place] = max(self.next[place], firsts[place])
            held = self._held.get(place, {})
            self._held[place] = {offset: told for offset, told in held.items() if offset >= firsts[place]}
            self._texts.pop(place, None)
        return bool(lost)

    def take(self, change: Change) -> int | None:
        """A record has come. How many of its events were told before; None for one that was dealt with."""
        place = Place(change.topic, change.partition)
        held = self._held.setdefault(place, {})
        if change.offset < self.next[place]:
            return held.get(change.offset)
        self.next[place] = change.offset + 1
        held[change.offset] = 0
        self._texts.pop(place, None)
        return 0

    def told(self, change: Change) -> None:
        """One more event of a record that has others."""
        place = Place(change.topic, change.partition)
        self._held[place][change.offset] += 1
        self._texts.pop(place, None)

    def done(self, change: Change) -> None:
        """Nothing of it is left to be told."""
        place = Place(change.topic, change.partition)
        self._held[place].pop(change.offset, None)
        self._texts.pop(place, None)

    def _text(self, place: Place) -> str:
        held = self._held.get(place) or {}
        parts = [_written(self.next[place])]
        parts += (_written(offset) + (f".{told}" if told else "") for offset, told in sorted(held.items()))
        return "~".join(parts)

    def _read(self, place: Place, text: str) -> None:
        first, *others = text.split("~")
        self.next[place] = int(first, 36)
        for other in others:
            offset, _, told = other.partition(".")
            self._held.setdefault(place, {})[int(offset, 36)] = int(told or 0)


def _written(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
