"""Values as Dify sees them: files among the objects, and what each kind looks like within a text.

Follows the segments of Dify (`text` and `markdown` there), to the letter: a list that is not all strings is
written as Python writes it.
"""

import json
from typing import Any

from schemas.files import is_file, is_file_list

_FILE_KEYS = {"name": "filename"}
FILE_ATTRIBUTES = frozenset(
    {"type", "size", "name", "mime_type", "transfer_method", "url", "extension", "related_id"}
)
"""Their names in conditions and selectors."""


def file_attribute(value: dict[str, Any], name: str) -> Any:
    """An attribute by its name in conditions and selectors; None for an unknown one."""
    if name == "url":
        return value.get("url") or value.get("remote_url")
    return value.get(_FILE_KEYS.get(name, name)) if name in FILE_ATTRIBUTES else None


def text(value: Any) -> str:
    """Within a template, a URL, a header, a condition."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if type(value) is dict:
        return "" if is_file(value) else json.dumps(value, ensure_ascii=False)
    if type(value) is list:
        return _list_text(value)
    return str(value)


def _list_text(value: list[Any]) -> str:
    if not value or is_file_list(value):
        return ""
    if all(type(item) is str for item in value):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def markdown(value: Any) -> str:
    """Within an answer."""
    if type(value) is str:
        return value
    if type(value) is dict:
        return _file_markdown(value) if is_file(value) else json.dumps(value, ensure_ascii=False, indent=2)
    if type(value) is list:
        if is_file_list(value):
            return "\n".join(map(_file_markdown, value))
        return "\n".join(f"- {item}" for item in value)
    return text(value)


def _file_markdown(file: dict[str, Any]) -> str:
    url = file_attribute(file, "url")
    name = file.get("filename")
    return f"![{name or ''}]({url})" if file.get("type") == "image" else f"[{name or url}]({url})"
