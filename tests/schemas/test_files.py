"""Which files a form admits."""

from typing import Any

import pytest

from schemas.files import extension_of, refusal

REMOTE = {"type": "image", "transfer_method": "remote_url", "url": "http://x/a.PNG?size=1"}
LOCAL = {"type": "document", "transfer_method": "local_file", "upload_file_id": "5"}


@pytest.mark.parametrize(
    ("file", "extension"),
    [
        (REMOTE, "png"),
        ({"extension": ".PDF", "filename": "a.txt"}, "pdf"),
        ({"filename": "a.tar.gz"}, "gz"),
        ({"url": "http://x/none"}, ""),
        (LOCAL, ""),
    ],
)
def test_extensions(file: dict[str, Any], extension: str) -> None:
    assert extension_of(file) == extension


@pytest.mark.parametrize(
    ("file", "types", "extensions", "methods"),
    [
        (REMOTE, [], [], []),
        (REMOTE, ["image"], [], ["remote_url"]),
        ({"url": "http://x/a.png"}, ["image"], [], ["remote_url"]),
        ({"type": "custom", "url": "http://x/a.log"}, ["custom"], [".LOG"], []),
        ({"url": "http://x/a.log"}, ["image", "custom"], ["log"], []),
        ({"upload_file_id": "5"}, ["image"], [], ["local_file"]),
        ({"type": "video", "transfer_method": "tool_file"}, ["image"], [], ["local_file"]),
    ],
)
def test_admitted(file: dict[str, Any], types: list[str], extensions: list[str], methods: list[str]) -> None:
    assert refusal(file, types, extensions, methods) is None


@pytest.mark.parametrize(
    ("file", "types", "extensions", "methods", "why"),
    [
        (REMOTE, [], [], ["local_file"], "must come by local_file, not by remote_url"),
        (REMOTE, ["document", "audio"], [], [], "is of type image, must be document or audio"),
        ({"url": "http://x/a.mp3"}, ["image"], [], [], "is of type audio, must be image"),
        ({"url": "http://x/a.exe"}, ["image"], [], [], "is of type custom"),
        ({"url": "http://x/a.exe"}, ["custom"], [".log", "csv"], [], "'exe', which is none of csv, log"),
        ({"type": "custom", "url": "http://x/a"}, ["custom"], [], [], "extension ''"),
    ],
)
def test_refused(
    file: dict[str, Any], types: list[str], extensions: list[str], methods: list[str], why: str
) -> None:
    assert why in (refusal(file, types, extensions, methods) or "")
