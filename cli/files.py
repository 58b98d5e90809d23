"""What commands read from files and from JSON in options."""

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from cli.errors import CommandFailed

FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


def read_bytes(path: Path) -> bytes:
    """The file, or stdin for `-`. Raises `CommandFailed`."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as refused:
        raise CommandFailed(f"cannot read {path}: {refused.strerror}") from refused


def read_text(path: Path) -> str:
    """The file in UTF-8. Raises `CommandFailed`."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as wrong:
        raise CommandFailed(f"{path} is not text in UTF-8: {wrong}") from wrong


def secret_text(value: str) -> str:
    """The value itself, or for `@FILE` what the file has: an option's value is seen by every process of the
    machine. Raises `CommandFailed`."""
    return read_text(Path(value[1:])).strip() if value.startswith("@") else value


class JsonObject(click.ParamType):
    """An option whose value is a JSON object, or `@FILE` or `FILE.json` with one in it."""

    name = "json|@file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Wrong usage unless it is an object."""
        if isinstance(value, dict):
            return value
        is_file = value.startswith("@") or value.endswith(".json")
        text = self._file(value.removeprefix("@"), param, ctx) if is_file else value
        try:
            parsed = orjson.loads(text)
        except orjson.JSONDecodeError as wrong:
            self.fail(f"{value} is not JSON: {wrong}", param, ctx)
        if not isinstance(parsed, dict):
            self.fail(f"{value} is not a JSON object", param, ctx)
        return parsed

    def _file(self, name: str, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        try:
            return read_bytes(Path(name))
        except CommandFailed as unreadable:
            self.fail(unreadable.message, param, ctx)
