"""Regular expressions of users: RE2, whose time is linear in the text whatever the expression.

Syntax: https://github.com/google/re2/wiki/Syntax. There are no look-arounds and no back references.
"""

from functools import lru_cache
from typing import Annotated, Any

import re2
from pydantic import AfterValidator

MAX_CHARS = 1_000

_MAX_PROGRAM_BYTES = 1024 * 1024
"""Of a compiled expression: a short one can stand for a very large one, such as (a{1000}){1000}."""


def compile_regex(source: str, *, bounded: bool = True) -> Any:
    """With the methods `search` and `fullmatch` of the standard library's. Raises `ValueError`.

    `bounded`: not for what a program has written, whose length it has seen to.
    """
    if bounded and len(source) > MAX_CHARS:
        raise ValueError(f"a regular expression has at most {MAX_CHARS} characters, not {len(source)}")
    return _compiled(source)


def _checked(source: str) -> str:
    compile_regex(source)
    return source


Regex = Annotated[str, AfterValidator(_checked)]
"""A regular expression that can be compiled."""


# Triggers are many and their expressions few; what a compiled one has learnt of texts takes memory, too.
@lru_cache(maxsize=4096)
def _compiled(source: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_PROGRAM_BYTES
    try:
        return re2.compile(source, options)
    except re2.error as wrong:
        reason = wrong.args[0] if wrong.args else wrong
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"{source!r} is no regular expression as RE2 takes them: {text}") from wrong
