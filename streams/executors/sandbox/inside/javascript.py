"""Calls `main` of a script in JavaScript: QuickJS, in the confined process itself, and a prelude in front.

QuickJS takes its memory with malloc and never starts threads, so the limits on the process hold for it as
they do for Python. Values cross as JSON text: the binding cuts strings at null characters.
"""

import hashlib
import hmac
import importlib.machinery
import importlib.util
import json
import re
import resource
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_PRELUDE = Path(__file__).with_name("prelude.js")
_MODULE = "_quickjs"
_FRAME = "\n    at "
_PLACE = re.compile(r"<input>:(\d+):\d+\)?$", re.MULTILINE)
# Our own frames are told from the script's by their line numbers: the binding gives all code the same name.
_PRELUDE_LINE = 100_000
_MAX_STACK_BYTES = 4 << 20
_MAX_RANDOM_BYTES = 65_536
_HOST_FUNCTIONS = ("print", "digest", "randomHex")


class JavaScriptError(Exception):
    """What the script threw, in one line; its stack has one line for each call that is not ours."""

    def __init__(self, message: str, stack: str = "") -> None:
        super().__init__(message)
        self.stack = "\n".join(line for line in stack.splitlines() if not _is_ours(line))

    @property
    def line(self) -> int | None:
        """The innermost line of the script."""
        found = _PLACE.search(self.stack)
        return int(found[1]) if found else None


class JavaScript:
    """The engine, loaded once in the zygote: each script has a context of its own."""

    def __init__(self, library: str) -> None:
        """`library`: path of the binding's extension module. Raises `OSError` or `ImportError`."""
        # By its path, for the zygote knows no packages. Scripts in Python have no use for it.
        loader = importlib.machinery.ExtensionFileLoader(_MODULE, library)
        spec = importlib.util.spec_from_file_location(_MODULE, library, loader=loader)
        if spec is None:
            raise ImportError(f"{library} is no extension module")
        self._engine = importlib.util.module_from_spec(spec)
        loader.exec_module(self._engine)
        sys.modules.pop(_MODULE, None)
        self._prelude = "\n" * _PRELUDE_LINE + _PRELUDE.read_text("utf-8").rstrip()

    def call_main(self, code: str, inputs: Mapping[str, Any]) -> Any:
        """What `main(inputs)` returns, once its promise is kept if it is one. Raises `JavaScriptError`."""
        context = self._engine.Context()
        context.set_max_stack_size(_stack_bytes())
        step = _prepared(context, self._prelude)
        try:
            context.eval(code)
        except self._engine.JSException as error:
            raise _thrown(str(error)) from None
        step("start", json.dumps(inputs))
        return _result(_settled(context, step))


def _settled(context: Any, step: Callable[..., Any]) -> dict[str, Any]:
    """The outcome, after as many turns of the event loop as it takes."""
    while True:
        while context.execute_pending_job():
            pass
        if (text := step("outcome")) is not None:
            found: dict[str, Any] = json.loads(text)
            return found
        if (wait_ms := step("pause")) is None:
            raise JavaScriptError("Error: the promise that main returned is never settled")
        time.sleep(wait_ms / 1000)
        step("fire")


def _prepared(context: Any, prelude: str) -> Callable[..., Any]:
    """Runs the prelude with the host's functions, which scripts do not see; returns its way in."""
    for name, function in zip(_HOST_FUNCTIONS, (_print, _digest, _random_hex), strict=True):
        context.add_callable(f"host_{name}", function)
    given = ", ".join(f"{name}: host_{name}" for name in _HOST_FUNCTIONS)
    step: Callable[..., Any] = context.eval(f"{prelude}({{{given}}})")
    context.eval("; ".join(f"delete globalThis.host_{name}" for name in _HOST_FUNCTIONS))
    return step


def _print(text: str) -> None:
    print(json.loads(text))


def _digest(algorithm: str, key: str | None, fed: str) -> str | None:
    """Of bytes in hexadecimal, as hexadecimal; None for an unknown algorithm."""
    name = algorithm.lower().replace("-", "").replace("sha3", "sha3_")
    if name not in hashlib.algorithms_guaranteed or name.startswith("shake"):
        return None
    if key is None:
        return hashlib.new(name, bytes.fromhex(fed), usedforsecurity=False).hexdigest()
    return hmac.new(bytes.fromhex(key), bytes.fromhex(fed), name).hexdigest()


def _random_hex(size: float) -> str:
    return secrets.token_hex(min(int(size), _MAX_RANDOM_BYTES))


def _stack_bytes() -> int:
    """Half of what the kernel gives the main thread, so that the engine notices before the kernel does."""
    soft = resource.getrlimit(resource.RLIMIT_STACK)[0]
    return _MAX_STACK_BYTES if soft == resource.RLIM_INFINITY else min(_MAX_STACK_BYTES, soft // 2)


def _thrown(text: str) -> JavaScriptError:
    """From the binding's text: the error, then its stack, which is `undefined` for what is no Error."""
    message, _, stack = text.partition(_FRAME)
    if not stack:
        message = "Uncaught " + message.removesuffix("\nundefined")
    return JavaScriptError(message.strip(), _FRAME.removeprefix("\n") + stack if stack else "")


def _is_ours(frame: str) -> bool:
    place = _PLACE.search(frame)
    return place is not None and int(place[1]) >= _PRELUDE_LINE


def _result(outcome: dict[str, Any]) -> Any:
    if "error" in outcome:
        raise JavaScriptError(str(outcome["error"]), str(outcome.get("stack") or ""))
    return outcome["result"]
