"""What a model has written in a step of ReAct. Models keep to the form more or less: this reads less, too."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from streams.executors.models.reasoning import separated
from streams.executors.models.replies import mended

FINAL_ANSWER = "Final Answer"

_LABELS = re.compile(r"^\s*(?:thought|action)\s*:\s*", re.IGNORECASE | re.MULTILINE)
_PLAIN_ACTION = re.compile(
    r"^\s*action\s*:\s*(?P<name>[\w.-][\w .-]*)[\t\r]*\n\s*action[ _]input\s*:\s*(?P<input>.*)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
"""No two parts of it take the same signs in a row: it would go through all ways to share them out."""
_PLAIN_ANSWER = re.compile(
    r"^\s*final[ _]?answer\s*:\s*(?P<answer>.*)", re.IGNORECASE | re.MULTILINE | re.DOTALL
)
_OBSERVATION = re.compile(r"^\s*observation\s*:", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r"```(?:\w*)\s*$|^\s*```\w*\s*", re.MULTILINE)
_ACTION_KEY = re.compile(r"\{\s*[\"']?action[\"']?\s*:")
_BRACE = re.compile(r"\{")
_MOST_BRACES = 500
"""That are looked at: each may cost a pass over the text."""
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Action:
    """A tool that the model wants called."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One step. Without an action, the answer is there."""

    text: str
    """Without reasoning apart from it, and without what the model has made up as an observation."""
    thought: str
    action: Action | None = None
    answer: str = ""


def read_reply(text: str) -> Reply:
    """A text with no action in it is the answer, as in Dify."""
    text, _ = separated(text)
    if invented := _OBSERVATION.search(text):
        text = text[: invented.start()].rstrip()
    found = _object(text) or _plain(text)
    if found is None:
        stated = _PLAIN_ANSWER.search(text)
        thought = text[: stated.start()] if stated else text
        return Reply(text, _clean(thought), answer=stated["answer"].strip() if stated else _clean(text))
    before, name, given = found
    if name.strip().lower().replace("_", " ") in ("final answer", "finalanswer"):
        answer = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        return Reply(text, _clean(before), answer=answer)
    return Reply(text, _clean(before), Action(name.strip(), _arguments(given)))


def _object(text: str) -> tuple[str, str, Any] | None:
    """What stands before an object with an action in it, and what the object says. Of those that are almost
    JSON only the first is repaired: that takes far longer than to read one."""
    may_repair = True
    for brace in islice(_BRACE.finditer(text), _MOST_BRACES):
        start = brace.start()
        value = _value(text, start)
        if value is None and may_repair and _ACTION_KEY.match(text, start):
            value, may_repair = mended(text[start:]), False
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict) and isinstance(value.get("action"), str):
            return text[:start], value["action"], value.get("action_input", {})
    return None


def _value(text: str, start: int) -> Any:
    """The JSON value that begins there; None without one."""
    with suppress(ValueError, RecursionError):
        return _DECODER.raw_decode(text, start)[0]
    return None


def _plain(text: str) -> tuple[str, str, Any] | None:
    """The form of the paper: the name on one line, the input on the next."""
    found = _PLAIN_ACTION.search(text)
    return (text[: found.start()], found["name"], found["input"].strip()) if found else None


def _arguments(given: Any) -> Mapping[str, Any]:
    """Some models write the object as a text."""
    if isinstance(given, str):
        try:
            given = json.loads(_FENCE.sub("", given), strict=False)
        except ValueError:
            return {}
    return given if isinstance(given, Mapping) else {}


def _clean(text: str) -> str:
    """Without the words that give a step its form."""
    return _LABELS.sub("", _FENCE.sub("", text)).strip()
