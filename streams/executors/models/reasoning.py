"""Reasoning within a text: what stands between `<think>` and `</think>`."""

import re

_OPENING = re.compile(r"<think(?:\s[^<>]{0,512})?>", re.IGNORECASE)
_CLOSING = re.compile(r"</think>", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n\s*\n")


def separated(text: str) -> tuple[str, str]:
    """(the text without reasoning, the reasoning). A block that was cut off is reasoning to the end."""
    said: list[str] = []
    thought: list[str] = []
    place = 0
    while opening := _OPENING.search(text, place):
        said.append(text[place : opening.start()])
        closing = _CLOSING.search(text, opening.end())
        thought.append(text[opening.end() : closing.start() if closing else len(text)].strip())
        place = closing.end() if closing else len(text)
    said.append(text[place:])
    return _BLANK_LINES.sub("\n\n", "".join(said)).strip(), "\n".join(filter(None, thought))


def tagged(text: str, reasoning: str) -> str:
    """The text with reasoning that came apart from it."""
    return f"<think>\n{reasoning}\n</think>{text}" if reasoning else text
