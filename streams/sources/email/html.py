"""The text of an HTML message, for those that have no other. Pure.

Strangers write it, so it takes time by its length alone. `html.parser` takes the square of that where tags do
not end, and raises for some declarations.
"""

import re
from html import unescape

_BREAKS = frozenset(
    ("p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote")
)
_UNSEEN = frozenset(("title", "template"))
_RAW_END = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style")}
"""Elements that have no markup within, and no text that is seen."""

_NAME = re.compile(r"(/?)([a-zA-Z][^\s/>]*)")
_SIGN = re.compile(r"""=\s*(?:"[^"]*"|'[^']*')|>""")
_SPACE = re.compile(r"\s+")


def html_text(markup: str) -> str:
    """What a reader sees, a line for each block. Never raises."""
    parts: list[str] = []
    at, unseen = 0, 0
    while at < len(markup):
        begin = _found(markup, "<", at)
        if begin > at and not unseen:
            parts.append(_SPACE.sub(" ", _unescaped(markup[at:begin])))
        tag = _NAME.match(markup, begin + 1)
        if tag is None:
            at = _behind_no_tag(markup, begin)
            if at == begin + 1 <= len(markup) and not unseen:
                parts.append("<")
            continue
        at, closes, name = _behind_tag(markup, tag.end()), tag[1], tag[2].lower()
        opens = not closes and markup[at - 2 : at] != "/>"
        if name in _UNSEEN:
            unseen = max(0, unseen - 1) if closes else unseen + opens
        elif name in _BREAKS and not unseen:
            parts.append("\n")
        elif name in _RAW_END and opens:
            end = _RAW_END[name].search(markup, at)
            at = len(markup) if end is None else end.start()
    lines = (line.strip() for line in "".join(parts).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _behind_no_tag(markup: str, begin: int) -> int:
    """Behind a comment, a declaration or the like: what has no end goes to the end. Of a `<` that begins none
    behind that alone."""
    if markup.startswith("<!--", begin):
        return _found(markup, "-->", begin + 2) + 3
    if markup[begin + 1 : begin + 2] in ("!", "?", "/"):
        return _found(markup, ">", begin) + 1
    return begin + 1


def _behind_tag(markup: str, at: int) -> int:
    """A `>` within a quoted value does not end it."""
    ends = (sign.end() for sign in _SIGN.finditer(markup, at) if sign[0] == ">")
    return next(ends, len(markup))


def _found(markup: str, text: str, at: int) -> int:
    found = markup.find(text, at)
    return found if found >= 0 else len(markup)


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:  # a character with more digits than Python reads
        return text
