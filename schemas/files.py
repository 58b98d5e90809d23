"""Files as values: objects that carry Dify's mark, and the rules that a form has for them."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

FILE_IDENTITY = "__dify__file__"

CUSTOM = "custom"
"""The type of a file that a form admits by its extension."""

_EXTENSIONS: Mapping[str, str] = {
    "image": "jpg jpeg png webp gif svg",
    "video": "mp4 mov mpeg webm",
    "audio": "mp3 m4a wav amr mpga",
    "document": "txt md mdx markdown pdf html htm xml csv eml msg doc docx xls xlsx ppt pptx epub vtt "
    "properties",
}
_TYPES = {extension: name for name, extensions in _EXTENSIONS.items() for extension in extensions.split()}

_DOCUMENTS = (
    "application/epub+zip",
    "application/msword",
    "application/pdf",
    "application/vnd.ms-excel",
    "application/vnd.ms-outlook",
    "application/vnd.ms-powerpoint",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument",
    "message/rfc822",
)
"""How the media types of documents begin, besides text/."""


def is_file(value: Any) -> bool:
    """Files are objects that carry the mark."""
    return type(value) is dict and value.get("dify_model_identity") == FILE_IDENTITY


def is_file_list(value: Any) -> bool:
    """A list of files, and not an empty one: that has no type."""
    return type(value) is list and bool(value) and all(map(is_file, value))


def marked(file: Mapping[str, Any]) -> dict[str, Any]:
    """A file as the nodes know it. A remote file is given by `url`, an uploaded one by its id."""
    url = file.get("remote_url") or file.get("url")
    related = file.get("related_id") or file.get("upload_file_id")
    return {**file, "dify_model_identity": FILE_IDENTITY, "remote_url": url, "related_id": related}


def extension_of(file: Mapping[str, Any]) -> str:
    """In small letters and without the dot; empty where nothing tells."""
    told = str(file.get("extension") or "")
    if not told:
        path = file.get("filename") or urlsplit(str(file.get("remote_url") or file.get("url") or "")).path
        told = PurePosixPath(str(path)).suffix
    return told.lower().removeprefix(".")


def transfer_method_of(file: Mapping[str, Any]) -> str:
    """`remote_url`, `local_file` or `tool_file`: as given, else by what is there of it."""
    if method := file.get("transfer_method"):
        return str(method)
    return "remote_url" if file.get("remote_url") or file.get("url") else "local_file"


def type_of(extension: str, mime_type: str) -> str:
    """image, document, audio, video or custom, by the extension (without its dot), else by the MIME type."""
    found = _TYPES.get(extension.lower())
    if found is not None:
        return found
    family = mime_type.lower().partition("/")[0]
    if family in ("image", "audio", "video"):
        return family
    media_type = mime_type.lower().partition(";")[0].strip()
    return "document" if family == "text" or media_type.startswith(_DOCUMENTS) else CUSTOM


def refusal(
    file: Mapping[str, Any], types: Sequence[str], extensions: Sequence[str], methods: Sequence[str]
) -> str | None:
    """Why a form does not admit the file; None where it does. An empty list admits everything.

    As in Dify, a file that a tool has made is always admitted. A file of which neither type nor extension is
    known here is one that was uploaded, and was looked at then.
    """
    method = transfer_method_of(file)
    if method == "tool_file":
        return None
    if methods and method not in methods:
        return f"must come by {' or '.join(methods)}, not by {method}"
    extension = extension_of(file)
    kind = str(file.get("type") or "") or _TYPES.get(extension, CUSTOM if extension else "")
    if not types or not kind or (kind in types and kind != CUSTOM):
        return None
    allowed = {name.lower().removeprefix(".") for name in extensions}
    if CUSTOM in types and extension in allowed:
        return None
    if CUSTOM in types:
        return f"has the extension {extension!r}, which is none of {', '.join(sorted(allowed)) or 'those'}"
    return f"is of type {kind}, must be {' or '.join(types)}"
