"""The parts of a run's state, by key: all in memory, or in rows that are read when they are asked for."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import orjson

from streams.engine.errors import UndecodableState


class PartRows(Protocol):
    """The rows of one run's parts as they were before the command."""

    def get(self, key: str) -> bytes | None:
        """None where there is none."""

    def all_keys(self) -> Iterator[str]:
        """All that there are."""


class _NoRows:
    """Those of a run that has none."""

    def get(self, key: str) -> bytes | None:
        """Always None."""
        return None

    def all_keys(self) -> Iterator[str]:
        """Always empty."""
        return iter(())


NO_ROWS: PartRows = _NoRows()


class Parts:
    """Keys and JSON values. A value is replaced, never changed. Whoever replaces one has read it before."""

    __slots__ = ("_changed", "_known", "_rows")

    def __init__(self, known: dict[str, Any] | None = None, rows: PartRows | None = None) -> None:
        """With `rows` what is not in `known` is looked for there; without, `known` is all."""
        self._known: dict[str, Any] = {} if known is None else known
        self._rows = rows
        self._changed: dict[str, bool] = {}
        """Key -> whether there is no row yet; in the order of the changes."""

    @property
    def are_rows(self) -> bool:
        """Whether each is, or is to be, a row of its own."""
        return self._rows is not None

    def get(self, key: str) -> Any:
        """The value, None where there is none. Raises `UndecodableState` for a row that is no JSON."""
        found = self._known.get(key)
        if found is not None or self._rows is None or key in self._known:
            return found
        row = self._rows.get(key)
        try:
            found = self._known[key] = None if row is None else orjson.loads(row)
        except ValueError as wrong:
            raise UndecodableState(f"damaged part {key} of a run state: {wrong}") from wrong
        return found

    def put(self, key: str, value: Any) -> None:
        """Replaces the value."""
        if self._rows is not None and key not in self._changed:
            self._changed[key] = self._known.get(key) is None
        self._known[key] = value

    def drop(self, key: str) -> None:
        """There is no value from now on."""
        if self._rows is None or self._changed.get(key):
            self._known.pop(key, None)
            self._changed.pop(key, None)
        else:
            self.put(key, None)
            self._changed[key] = False

    def keys(self, prefix: str) -> list[str]:
        """Those with a value that begin with `prefix`, in no particular order."""
        known = [key for key, value in self._known.items() if value is not None and key.startswith(prefix)]
        if self._rows is None:
            return known
        return known + [k for k in self._rows.all_keys() if k.startswith(prefix) and k not in self._known]

    def clear(self) -> None:
        """Drops all."""
        if self._rows is None:
            self._known = {}
            return
        for key in self.keys(""):
            self.drop(key)

    def all(self) -> Mapping[str, Any]:
        """The values of a state that is one row."""
        return self._known

    def rows(self) -> dict[str, bytes | None]:
        """What has changed; everything, where there were no rows before."""
        changed = self._known if self._rows is None else self._changed
        return {key: None if (value := self._known[key]) is None else orjson.dumps(value) for key in changed}

    def copy(self) -> "Parts":
        """Changes to it do not show here."""
        copied = Parts(dict(self._known), self._rows)
        copied._changed = dict(self._changed)
        return copied

    def __eq__(self, other: object) -> bool:
        """Whether all values that are known are the same."""
        return isinstance(other, Parts) and self._live() == other._live()

    __hash__ = None  # type: ignore[assignment]

    def _live(self) -> dict[str, Any]:
        plain: dict[str, Any] = orjson.loads(orjson.dumps(self._known))
        return {key: value for key, value in plain.items() if value is not None}
