r"""Filter patterns for branches, tags and paths, as GitHub Actions understands them. Pure.

Source: GitHub Docs, "Workflow syntax for GitHub Actions", filter pattern cheat sheet.

`*`   any characters but a slash          `?`   the character before it, or nothing
`**`  any characters                      `+`   the character before it, once or more
`[]`  one of those in it, ranges too      `\`   takes the meaning from the character after it
`!`   before a pattern: takes out again what patterns before it have let in
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby

from schemas.regexes import compile_regex

MAX_CHARS = 250
MAX_PATTERNS = 100

_TOKEN = re.compile(
    r"""\\(?P<escaped>[\[\]?+*\\!])|(?P<anywhere>(?:(?<=/)|^)\*\*+/(?![?+]))|(?P<any>\*\*+)|(?P<part>\*)
    |(?P<repeat>[?+])|\[(?P<set>[^\]]*)\]|(?P<wrong>[\[\\\x00-\x1f])|(?P<plain>.)""",
    re.VERBOSE | re.DOTALL,
)
_MEANT = {"anywhere": "(?:.*/)?", "any": ".*", "part": "[^/]*"}
_ELEMENT = re.compile(r"(?P<first>[a-zA-Z0-9])-(?P<last>[a-zA-Z0-9])|(?P<one>[\w.@#%&=,~ ])", re.ASCII)
_LOOSE_SIGNS = re.compile(r"\*+|[?+]")
_MOST_LOOSE, _MOST_SIMPLE_CHARS = 2, 300
"""So many places where a pattern may match one way or another cost a backtracking engine at most the square
of the length of the name."""
_SPECIAL = re.compile(r"[*?+\[\\]")
_OPTIONAL_AFTER = frozenset({"escaped", "set", "plain"})


class FilterPatterns:
    """A list of patterns. The last one that fits a name decides on it; none that fits leaves it out."""

    __slots__ = ("_steps",)

    def __init__(self, patterns: Sequence[str]) -> None:
        """Raises `ValueError` with what is wrong with which of them."""
        if len(patterns) > MAX_PATTERNS:
            raise ValueError(f"at most {MAX_PATTERNS} patterns are taken, not {len(patterns)}")
        split = [(pattern.startswith("!"), pattern.removeprefix("!")) for pattern in patterns]
        if split and all(negative for negative, _ in split):
            raise ValueError("patterns with ! only take out what others let in: add one without")
        steps = [
            (negative, _Group([pattern for _, pattern in group]))
            for negative, group in groupby(split, key=lambda one: one[0])
        ]
        self._steps = tuple(reversed(steps))

    def match(self, name: str) -> bool:
        """Whether they let the name in. No name takes longer than its length accounts for."""
        return next((not negative for negative, group in self._steps if group.fits(name)), False)


class _Group:
    """Patterns that all let in, or all take out. Most are plain names, which need no expression; most others
    are simple, and the standard library is ten times as fast with them as RE2 is."""

    __slots__ = ("_is_simple", "_names", "_source")

    def __init__(self, patterns: Iterable[str]) -> None:
        translations = {pattern: translated(pattern) for pattern in patterns}
        special = [regex for pattern, regex in translations.items() if _SPECIAL.search(pattern)]
        self._names = frozenset(one for one in translations if not _SPECIAL.search(one))
        self._source = "(?s)" + "|".join(special) if special else ""
        self._is_simple = all(len(_LOOSE_SIGNS.findall(one)) <= _MOST_LOOSE for one in translations)
        compile_regex(self._source, bounded=False)

    def fits(self, name: str) -> bool:
        if name in self._names:
            return True
        if not self._source:
            return False
        if self._is_simple and len(name) <= _MOST_SIMPLE_CHARS:
            return _simple(self._source).fullmatch(name) is not None
        return compile_regex(self._source, bounded=False).fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _simple(source: str) -> re.Pattern[str]:
    return re.compile(source)


def translated(pattern: str) -> str:
    """The regular expression that a pattern, without its `!`, stands for. Raises `ValueError`."""
    if not pattern or len(pattern) > MAX_CHARS:
        raise ValueError(f"{pattern!r}: a pattern has 1 to {MAX_CHARS} characters")
    parts, before = [], ""
    for token in _TOKEN.finditer(pattern):
        kind, text = str(token.lastgroup), token[str(token.lastgroup)]
        if kind == "wrong":
            raise ValueError(f"{pattern!r}: {_complaint(text)}")
        if kind == "repeat" and before not in _OPTIONAL_AFTER:
            raise ValueError(f"{pattern!r}: {text} needs a character before it; \\{text} stands for itself")
        parts.append(_MEANT.get(kind) or (text if kind == "repeat" else _one(kind, text, pattern)))
        before = kind
    return "".join(parts)


def _one(kind: str, text: str, pattern: str) -> str:
    """The expression for one character."""
    return _set(text, pattern) if kind == "set" else re.escape(text)


def _set(text: str, pattern: str) -> str:
    elements, at = [], 0
    while at < len(text):
        found = _ELEMENT.match(text, at)
        if found is None or not _is_range(found["first"], found["last"]):
            raise ValueError(
                f"{pattern!r}: [{text}] must list characters, and ranges within a-z, A-Z and 0-9"
            )
        elements.append(f"{found['first']}-{found['last']}" if found["first"] else re.escape(found["one"]))
        at = found.end()
    if not elements:
        raise ValueError(f"{pattern!r}: [] lists no character")
    return f"[{''.join(elements)}]"


def _is_range(first: str | None, last: str | None) -> bool:
    if first is None or last is None:
        return True
    same = any(is_kind(first) and is_kind(last) for is_kind in (str.isdigit, str.islower, str.isupper))
    return same and first <= last


def _complaint(text: str) -> str:
    if text == "[":
        return "a ] is missing"
    if text == "\\":
        return r"\ takes the meaning from one of [ ] ? + * \ ! alone"
    return "no name has control characters"
