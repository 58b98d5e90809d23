"""Runs one script: defines its module, calls `main` with the arguments, and answers with JSON."""

import io
import json
import linecache
import sys
import traceback
from types import ModuleType, TracebackType
from typing import Any

from streams.executors.sandbox.inside.spec import Spec

SCRIPT = "<code>"
"""The file name of the script in tracebacks."""

_MAX_ERROR_CHARS = 2_000
_MAX_TRACEBACK_CHARS = 8_000


def run(request: bytes, spec: Spec) -> bytes:
    """Takes `{"code", "inputs"}`, returns `{"result": {...}}` or `{"error", "traceback"}`, all JSON."""
    # Bound before the script runs, which may well replace them.
    loads, dumps = json.loads, json.dumps
    try:
        message = loads(request)
        result = _call_main(message["code"], message["inputs"])
        reply = dumps({"result": result}, ensure_ascii=False, allow_nan=False).encode()
    except BaseException as error:  # SystemExit and KeyboardInterrupt of a script are its failures too
        return dumps(_describe(error)).encode()
    finally:
        _flush_output()
    if len(reply) > spec.output_bytes:
        return dumps({"error": _too_large(len(reply), spec.output_bytes)}).encode()
    return reply


def capture_output(limit_bytes: int) -> None:
    """Sends what the script prints to descriptor 1 until the limit is reached, then nowhere."""
    stream = io.TextIOWrapper(
        io.BufferedWriter(_CappedOutput(limit_bytes)), "utf-8", "backslashreplace", line_buffering=True
    )
    sys.stdout = sys.stderr = stream


class _CappedOutput(io.RawIOBase):
    def __init__(self, limit_bytes: int) -> None:
        self._remaining = limit_bytes
        self._file = io.FileIO(1, "wb", closefd=False)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Claims to have written everything: a chatty script is truncated, not failed."""
        kept = bytes(data[: self._remaining])
        self._remaining -= len(kept)
        self._file.write(kept)
        return len(data)


def _call_main(code: str, inputs: dict[str, Any]) -> dict[str, Any]:
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    linecache.cache[SCRIPT] = (len(code), None, code.splitlines(keepends=True), SCRIPT)
    exec(compile(code, SCRIPT, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the sandbox's purpose
    main = getattr(module, "main", None)
    if not callable(main):
        raise TypeError("the code defines no function main")
    result = main(**inputs)
    if not isinstance(result, dict):
        raise TypeError(f"main must return a dict, got {type(result).__name__}")
    return result


def _describe(error: BaseException) -> dict[str, str]:
    """The last line of the traceback with its line in the script, and the script's part of the rest."""
    inner = _script_part(error.__traceback__)
    text = traceback.format_exception_only(type(error), error)[-1].strip()[:_MAX_ERROR_CHARS]
    if line := _line(error, inner):
        text += f" (line {line})"
    lines = traceback.format_exception(type(error), error, inner)
    return {"error": text, "traceback": "".join(lines)[-_MAX_TRACEBACK_CHARS:]}


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


def _flush_output() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return  # the script closed or replaced it: what it printed is its own loss


def _too_large(size: int, limit: int) -> str:
    return f"the result of main is {size} bytes of JSON, the limit is {limit} (HOPLINE_SANDBOX_OUTPUT_BYTES)"
