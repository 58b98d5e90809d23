"""Calls `main` of a script in Python, and says what it raised."""

import json
import linecache
import os
import sys
import traceback
from base64 import b64decode
from collections.abc import Iterator
from types import ModuleType, TracebackType
from typing import Any

SCRIPT = "<code>"
"""The file name of the script in tracebacks."""

_LENT = {"json": json, "b64decode": b64decode}
"""What Dify's runner imports behind the script: published scripts use it without an import of their own."""


def call_main(code: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """What `main(**inputs)` returns. Raises what the script raises, `TypeError` for no main or no dict."""
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    linecache.cache[SCRIPT] = (len(code), None, code.splitlines(keepends=True), SCRIPT)
    exec(compile(code, SCRIPT, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the sandbox's purpose
    module.__dict__.update(_LENT)
    main = getattr(module, "main", None)
    if not callable(main):
        raise TypeError("the code defines no function main")
    result = main(**inputs)
    if not isinstance(result, dict):
        raise TypeError(f"main must return a dict, got {type(result).__name__}")
    return result


def describe(error: BaseException) -> tuple[str, int | None, str]:
    """The last line of the traceback, the line in the script, and the script's part of the traceback."""
    inner = _script_part(error.__traceback__)
    text = traceback.format_exception_only(type(error), error)[-1].strip() + _advice(error)
    return text, _line(error, inner), "".join(traceback.format_exception(type(error), error, inner))


def _advice(error: BaseException) -> str:
    """What an operator can do about it, where that is plain."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        if package == error.name and package not in sys.stdlib_module_names:
            return "; the operator adds packages to code nodes with HOPLINE_SANDBOX_PACKAGES"
    if any(_is_of_socket(cause) for cause in _causes(error)):
        on = "HTTP_PROXY" in os.environ
        return "; the network is " + ("reached through HTTP_PROXY only" if on else "off for this code node")
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _is_of_socket(error: BaseException) -> bool:
    """Whether it is one of those that a script gets where there is no network: no address, no socket."""
    if type(error).__name__ != "gaierror" and not isinstance(error, PermissionError):
        return False
    frames = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].endswith("/socket.py")


def _script_part(frame: TracebackType | None) -> TracebackType | None:
    while frame is not None and frame.tb_frame.f_code.co_filename != SCRIPT:
        frame = frame.tb_next
    return frame


def _line(error: BaseException, frame: TracebackType | None) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == SCRIPT:
        return error.lineno
    line = None
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == SCRIPT:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
