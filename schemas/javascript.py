"""Whether a script in JavaScript compiles and has a `main`, said by the engine that is to run it."""

import re
from collections.abc import Iterator

import _quickjs

# The engine compiles the whole script before its first statement, and this one ends it.
_END_AT_ONCE = "throw 0;"
_ENDED = "0\nundefined"
_MAX_MEMORY_BYTES = 64 << 20
_MAX_SECONDS = 1

_PLACE = re.compile(r"\n\s+at .*?<input>:(\d+):\d+")
_ASSIGNS_MAIN = re.compile(r"\bmain\s*=(?![=>])")


def faults(code: str) -> Iterator[str]:
    """Why a code node could not run it; nothing for a script that defines a function `main`."""
    context = _quickjs.Context()
    context.set_memory_limit(_MAX_MEMORY_BYTES)
    context.set_time_limit(_MAX_SECONDS)
    try:
        context.eval(_END_AT_ONCE + code.replace("\0", "\ufffd"))
    except _quickjs.JSException as error:
        if str(error) != _ENDED:
            yield f"does not compile, {_explained(str(error))}"
        elif not _declares_main(context) and not _ASSIGNS_MAIN.search(code):
            yield "has no function main"


def _explained(text: str) -> str:
    message, place = text.partition("\n")[0], _PLACE.search(text)
    return f"line {place[1]}: {message}" if place else message


def _declares_main(context: _quickjs.Context) -> bool:
    """Declarations are bound before the first statement; `const main` is so without a value."""
    try:
        return bool(context.eval("'main' in globalThis || typeof main !== 'undefined'"))
    except _quickjs.JSException:
        return True
