"""Options of the form NAME=VALUE, and what their values mean for the start node of a workflow."""

from collections.abc import Iterable, Mapping
from typing import Any

import click
import orjson

from cli.errors import CommandFailed

_JSON_TYPES = frozenset({"number", "checkbox", "json_object", "object", "file", "file-list"})


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


def typed_inputs(pairs: Iterable[tuple[str, str]], variables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The values as the start node's `variables` want them: text as it is, anything else read as JSON.

    Raises `CommandFailed` for a name that the start node does not have, and for a value that does not fit.
    """
    types = {str(one.get("variable")): str(one.get("type")) for one in variables}
    inputs = {}
    for name, text in pairs:
        if name not in types:
            known = ", ".join(types) or "nothing"
            raise CommandFailed(f"the workflow takes no input {name!r}; it takes {known}")
        inputs[name] = _value(name, text, types[name])
    return inputs


def _value(name: str, text: str, kind: str) -> Any:
    if kind not in _JSON_TYPES:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise CommandFailed(f"input {name!r} is of type {kind}, which {text!r} is not") from wrong
