"""The context of an llm node: what a knowledge-retrieval node has found, or any text, as one text."""

from collections.abc import Mapping
from typing import Any

from streams.engine.errors import NodeFailure


def context_text(value: Any) -> str | None:
    """None where there is none. Raises `NodeFailure` for a list of what is neither a text nor a passage."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    return "".join(map(_passage, value)).strip()


def _passage(item: Any) -> str:
    if isinstance(item, str):
        return f"{item}\n"
    if not isinstance(item, Mapping) or "content" not in item:
        raise NodeFailure(
            f"the context has something without content in it: {item}", "InvalidContextStructureError"
        )
    summary = f"{item['summary']}\n" if item.get("summary") else ""
    return f"{summary}{item['content']}\n"
