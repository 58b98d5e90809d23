"""Reasoning within a text: what stands between `<think>` and `</think>`."""

import re

_TAG = r"<think(?:\s[^<>]{0,512})?>"
_BLOCK = re.compile(_TAG + r"(.*?)</think>", re.IGNORECASE | re.DOTALL)
_UNENDED = re.compile(_TAG + r"((?:(?!</think>).)*)\Z", re.IGNORECASE | re.DOTALL)
_BLANK_LINES = re.compile(r"\n\s*\n")


def separated(text: str) -> tuple[str, str]:
    """(the text without reasoning, the reasoning). A block that was cut off is reasoning to the end."""
    found = _BLOCK.findall(text)
    rest = _BLOCK.sub("", text)
    unended = _UNENDED.search(rest)
    if unended:
        found.append(unended.group(1))
        rest = rest[: unended.start()]
    parts = (part.strip() for part in found)
    return _BLANK_LINES.sub("\n\n", rest).strip(), "\n".join(part for part in parts if part)


def tagged(text: str, reasoning: str) -> str:
    """The text with reasoning that came apart from it."""
    return f"<think>\n{reasoning}\n</think>{text}" if reasoning else text
