"""Writes Avro records by code made for their schema: see docs/adr/0033.

fastavro looks at the schema again for each value: what a field is, which branch of a union fits. Here that is
done once, and comes out as the text of a function, as `dataclasses` makes its own. The bytes are the same.
Format: Avro specification 1.11, "Binary Encoding".
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
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
    """Zigzag, then seven bits to a byte, the lowest first. Raises `ValueError` beyond 64 bits.

    Remembers the last ones: times come again in the records of a run.
    """
    if not _LEAST <= number <= _MOST:
        raise ValueError(f"{number} has more than 64 bits")
    left = number << 1 ^ number >> 63
    if left >> 49 and not left >> 56:
        # Eight groups, as the times of our days have: it takes half as long without the loop.
        return bytes(
            (
                left & 0x7F | 0x80,
                left >> 7 & 0x7F | 0x80,
                left >> 14 & 0x7F | 0x80,
                left >> 21 & 0x7F | 0x80,
                left >> 28 & 0x7F | 0x80,
                left >> 35 & 0x7F | 0x80,
                left >> 42 & 0x7F | 0x80,
                left >> 49,
            )
        )
    groups = bytearray()
    while left > 0x7F:
        groups.append(left & 0x7F | 0x80)
        left >>= 7
    groups.append(left)
    return bytes(groups)


class _Longs(dict[int, bytes]):
    """Integers as they are written. The small ones are at hand, as most are sizes."""

    def __init__(self, before: bytes = b"") -> None:
        """`before`: what comes before each."""
        self._before = before
        super().__init__((number, before + encode_long(number)) for number in range(1 << 12))

    def __missing__(self, number: int) -> bytes:
        return self._before + encode_long(number)


_NAMES: dict[str, Any] = {
    "NULL": _NULL, "OTHER": _OTHER, "LONG": _Longs(), "SOME": _Longs(_OTHER), "join": b"".join,
    "pack": struct.Struct("<d").pack,
}  # fmt: skip
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
        lines, parts = [f"def {name}(head, record):"], ["head"]
        for index, field in enumerate(schema["fields"]):
            key, value, head = repr(field["name"]), f"value{index}", f"head{index}"
            found = f"record.get({key}, {field['default']!r})" if "default" in field else f"record[{key}]"
            lines += _indented([f"{value} = {found}", *self._field(field["type"], value, head)])
            parts += (head, value)
        self.lines += [*lines, f"    return join(({', '.join(parts)}))"]
        return name

    def _field(self, kind: Any, value: str, head: str) -> list[str]:
        """Makes bytes of `value`: first `head`, then what is in `value` from then on."""
        if not isinstance(kind, list):
            return [self._some(kind, value, head, "LONG", "b''")]
        if len(kind) != len((_NULL, _OTHER)) or kind[0] != "null":
            raise _Unsupported
        some = self._some(kind[1], value, head, "SOME", "OTHER")
        return [f"if {value} is None:", f"    {head}, {value} = NULL, b''", "else:", f"    {some}"]

    def _some(self, kind: Any, value: str, head: str, longs: str, before: str) -> str:
        match self._named(kind):
            case "string":
                return f"{value} = {value}.encode(); {head} = {longs}[len({value})]"
            case "long" | "int":
                return f"{head}, {value} = {longs}[{value}], b''"
            case "double":
                return f"{head}, {value} = {before}, pack({value})"
            case symbols if symbols.startswith(_ENUM):
                return f"{head}, {value} = {before}, {symbols}[{value}]"
            case function:
                return f"{head}, {value} = b'', {function}({before}, {value})"

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


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
