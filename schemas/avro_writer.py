"""Writes Avro records by code made for their schema: see docs/adr/0033.

fastavro looks at the schema again for each value: what a field is, which branch of a union fits. Here that is
done once, and comes out as the text of a function, as `dataclasses` makes its own. The bytes are the same.
Format: Avro specification 1.11, "Binary Encoding".
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

Write = Callable[[bytes, Mapping[str, Any]], bytes]
"""What comes first, and a record: its body behind that. Raises `KeyError`, `AttributeError`, `TypeError`,
`ValueError` or `struct.error` for one that does not fit."""

_NULL, _OTHER = b"\x00", b"\x02"
"""What begins a value of a union of null and something else."""

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


def writer_for(schema: Any) -> Write | None:
    """Of a schema as `fastavro.parse_schema` gives it. None unless it is a record of strings, integers,
    doubles, enums, such records, and unions of null and one of these: the others are left to fastavro."""
    module = _Module()
    try:
        name = module.function(schema)
    except _Unsupported:
        return None
    exec("\n".join(module.lines), module.names)  # noqa: S102 - made of nothing but our schemas
    write: Write = module.names[name]
    return write


@lru_cache(1 << 12)
def encode_long(number: int) -> bytes:
    """Zigzag, then seven bits to a byte, the lowest first. Raises `ValueError` beyond 64 bits."""
    if not _LEAST <= number <= _MOST:
        raise ValueError(f"{number} has more than 64 bits")
    return _groups(number << 1 ^ number >> 63)


def _groups(left: int) -> bytes:
    groups = bytearray()
    while left > 0x7F:
        groups.append(left & 0x7F | 0x80)
        left >>= 7
    groups.append(left)
    return bytes(groups)


class _Ends(dict[int, bytes]):
    """What a number ends with, by all but the lowest 14 bits of its zigzag: times that are within 8 ms of
    each other have it in common. Only the last ones are remembered."""

    def __missing__(self, left: int) -> bytes:
        if left >> 50:
            raise ValueError("a number of more than 64 bits")
        if len(self) >= _MOST_ENDS:
            self.clear()
        self[left] = end = _groups(left)
        return end


_MOST_ENDS = 1 << 10
_ENDS = _Ends()
_GROUPS = [bytes((bits | 0x80,)) for bits in range(1 << 7)]


class _Longs(dict[int, bytes]):
    """Integers as they are written. The small ones are at hand, as most are sizes."""

    def __init__(self, before: bytes = b"") -> None:
        """`before`: what comes before each."""
        self._before = before
        super().__init__((number, before + encode_long(number)) for number in range(1 << 12))

    def __missing__(self, number: int) -> bytes:
        left = number << 1
        if left >> 14 > 0:
            return self._before + _GROUPS[left & 0x7F] + _GROUPS[left >> 7 & 0x7F] + _ENDS[left >> 14]
        return self._before + encode_long(number)


_NAMES: dict[str, Any] = {
    "NULL": _NULL, "OTHER": _OTHER, "LONG": _Longs(), "SOME": _Longs(_OTHER), "join": b"".join,
    "pack": struct.Struct("<d").pack,
}  # fmt: skip
_TEXTS = ("string", ["null", "string"])
_ENUM = "symbols_"


class _Unsupported(Exception):
    """A type that no code is made for."""


class _Module:
    """The text of the functions for a schema and for the records in it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names = dict(_NAMES)
        """What they use."""
        self._types: dict[str, str] = {}
        """Those that have been defined: where they come again they are only named."""

    def function(self, schema: Any) -> str:
        """Adds the one that writes a record; gives its name."""
        if not isinstance(schema, dict) or schema["type"] != "record":
            raise _Unsupported
        name = self._types[schema["name"]] = f"write_{len(self._types)}"
        fields = schema["fields"]
        self.names[f"{name}_fields"] = itemgetter(*(field["name"] for field in fields))
        self.names[f"{name}_defaults"] = {one["name"]: one["default"] for one in fields if "default" in one}
        values = ", ".join(f"value{index}" for index in range(len(fields)))
        lines, parts = _opening(name, values), ["head"]
        for index, field in enumerate(fields):
            value, size = f"value{index}", f"size{index}"
            lines += _indented(self._field(field["type"], value, size))
            parts += (size, value) if field["type"] in _TEXTS else (value,)
        self.lines += [*lines, f"    return join(({', '.join(parts)}))"]
        return name

    def _field(self, kind: Any, value: str, size: str) -> list[str]:
        """Makes bytes of `value`, and of a text also what comes before it, in `size`."""
        if not isinstance(kind, list):
            return [self._some(kind, value, size, "LONG", "b''")]
        if len(kind) != len((_NULL, _OTHER)) or kind[0] != "null":
            raise _Unsupported
        null = f"{size}, {value} = NULL, b''" if kind in _TEXTS else f"{value} = NULL"
        some = self._some(kind[1], value, size, "SOME", "OTHER")
        return [f"if {value} is None:", f"    {null}", "else:", f"    {some}"]

    def _some(self, kind: Any, value: str, size: str, longs: str, before: str) -> str:
        match self._named(kind):
            case "string":
                return f"{value} = {value}.encode(); {size} = {longs}[len({value})]"
            case "long" | "int":
                return f"{value} = {longs}[{value}]"
            case "double":
                return f"{value} = {before} + pack({value})"
            case symbols if symbols.startswith(_ENUM):
                return f"{value} = {before} + {symbols}[{value}]"
            case function:
                return f"{value} = {function}({before}, {value})"

    def _named(self, kind: Any) -> str:
        """A primitive type, the name of the symbols of an enum, or that of the function for a record."""
        if kind in ("string", "long", "int", "double"):
            return str(kind)
        known = self._types.get(kind if isinstance(kind, str) else kind.get("name"))
        if known is not None:
            return known
        if not isinstance(kind, dict) or kind["type"] != "enum":
            return self.function(kind)
        symbols = self._types[kind["name"]] = f"{_ENUM}{len(self._types)}"
        self.names[symbols] = {symbol: encode_long(place) for place, symbol in enumerate(kind["symbols"])}
        return symbols


def _opening(name: str, values: str) -> list[str]:
    """Takes all fields at once, as they are mostly all there."""
    return [
        f"def {name}(head, record):",
        "    try:",
        f"        {values} = {name}_fields(record)",
        "    except KeyError:",
        f"        {values} = {name}_fields({{**{name}_defaults, **record}})",
    ]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
