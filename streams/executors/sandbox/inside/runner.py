"""Runs one script: calls its `main` in its language and answers with JSON."""

import io
import json
import os
import sys
from typing import Any

from streams.executors.sandbox.inside import python
from streams.executors.sandbox.inside.javascript import JavaScript, JavaScriptError
from streams.executors.sandbox.inside.spec import Spec

_MAX_ERROR_CHARS = 2_000
_MAX_TRACEBACK_CHARS = 8_000


def run(request: bytes, spec: Spec, javascript: JavaScript) -> bytes:
    """Takes `{"language", "code", "inputs", "environment"}`.

    Returns `{"result": {...}}` or `{"error", "traceback"}`.
    """
    # Bound before the script runs, which may well replace them.
    loads, dumps = json.loads, json.dumps
    try:
        message = loads(request)
        os.environ.update(message["environment"])
        call_main = javascript.call_main if message["language"] == "javascript" else python.call_main
        result = call_main(message["code"], message["inputs"])
        reply = _encoded(dumps({"result": result}, ensure_ascii=False, allow_nan=False))
    except BaseException as error:  # SystemExit and KeyboardInterrupt of a script are its failures too
        return dumps(_described(error)).encode()
    finally:
        _flush_output()
    if len(reply) > spec.output_bytes:
        return dumps({"error": _too_large(len(reply), spec.output_bytes)}).encode()
    return reply


def _encoded(text: str) -> bytes:
    """In UTF-8, where the halves of a surrogate pair become the character that they are: so `unicode_escape`
    decodes what JSON has escaped. Raises `UnicodeEncodeError` for half of one."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass").encode()


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


def _described(error: BaseException) -> dict[str, str]:
    """The error with the line of the script that it comes from, and the script's part of the stack."""
    if isinstance(error, JavaScriptError):
        text, line, trace = str(error), error.line, f"{error}\n{error.stack}"
    else:
        text, line, trace = python.describe(error)
    text = text[:_MAX_ERROR_CHARS] + (f" (line {line})" if line else "")
    return {"error": text, "traceback": trace[-_MAX_TRACEBACK_CHARS:]}


def _flush_output() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return  # the script closed or replaced it: what it printed is its own loss


def _too_large(size: int, limit: int) -> str:
    return f"the result of main is {size} bytes of JSON, the limit is {limit} (HOPLINE_SANDBOX_OUTPUT_BYTES)"
