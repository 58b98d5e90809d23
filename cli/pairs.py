"""Options of the form NAME=VALUE, and what their values mean for the start node of a workflow."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from cli.errors import CommandFailed

_FILE_TYPES = frozenset({"file", "file-list"})
_JSON_TYPES = frozenset({"number", "checkbox", "json_object", "object"}) | _FILE_TYPES


class Pair(click.ParamType):
    """NAME=VALUE."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Wrong usage without a name and an equals sign."""
        if isinstance(value, tuple):
            return value
        name, equals, content = value.partition("=")
        if not name or not equals:
            self.fail(f"{value!r} is not like NAME=VALUE", param, ctx)
        return name, content


Upload = Callable[[Path], Any]
"""Stores a file of this machine; the file as an input. Raises `CommandFailed`, `OSError`."""


def typed_inputs(
    pairs: Iterable[tuple[str, str]], variables: Iterable[Mapping[str, Any]], upload: Upload
) -> dict[str, Any]:
    """The values as the start node's `variables` want them: text as it is, anything else read as JSON; for a
    file, `@path` uploads one. A list of files takes several pairs.

    Raises `CommandFailed` for a name that the start node does not have, and for a value that does not fit.
    """
    types = {str(one.get("variable")): str(one.get("type")) for one in variables}
    inputs: dict[str, Any] = {}
    for name, text in pairs:
        if name not in types:
            known = ", ".join(types) or "nothing"
            raise CommandFailed(f"the workflow takes no input {name!r}; it takes {known}")
        value = _value(name, text, types[name], upload)
        if types[name] == "file-list":
            value = [*inputs.get(name, ()), *(value if isinstance(value, list) else [value])]
        inputs[name] = value
    return inputs


def _value(name: str, text: str, kind: str, upload: Upload) -> Any:
    if kind not in _JSON_TYPES:
        return text
    if kind in _FILE_TYPES and text.startswith("@"):
        try:
            return upload(Path(text[1:]))
        except OSError as error:
            raise CommandFailed(f"input {name!r}: {text[1:]} cannot be read: {error.strerror}") from error
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise CommandFailed(f"input {name!r} is of type {kind}, which {text!r} is not") from wrong
