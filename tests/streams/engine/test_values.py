"""Values within a text look as they do in Dify."""

from typing import Any

import pytest

from schemas.files import FILE_IDENTITY, is_file, is_file_list
from streams.engine.values import file_attribute, markdown, text

IMAGE = {
    "dify_model_identity": FILE_IDENTITY,
    "type": "image",
    "filename": "a.png",
    "remote_url": "http://x/a",
}
OTHER = {"dify_model_identity": FILE_IDENTITY, "type": "document", "url": "http://x/b", "extension": ".pdf"}


@pytest.mark.parametrize(
    ("value", "as_text", "as_markdown"),
    [
        ("é", "é", "é"),
        (None, "", ""),
        (True, "True", "True"),
        (3, "3", "3"),
        (3.0, "3.0", "3.0"),
        (1e30, "1e+30", "1e+30"),
        ({"a": "é", "b": [None]}, '{"a": "é", "b": [null]}', '{\n  "a": "é",\n  "b": [\n    null\n  ]\n}'),
        ({}, "{}", "{}"),
        ([], "", ""),
        (["a", "é"], '["a", "é"]', "- a\n- é"),
        ([1, 2.5], "[1, 2.5]", "- 1\n- 2.5"),
        ([True], "[True]", "- True"),
        ([{"a": 1}], "[{'a': 1}]", "- {'a': 1}"),
        (["a", 1], "['a', 1]", "- a\n- 1"),
        (IMAGE, "", "![a.png](http://x/a)"),
        (OTHER, "", "[http://x/b](http://x/b)"),
        ([IMAGE, OTHER], "", "![a.png](http://x/a)\n[http://x/b](http://x/b)"),
    ],
)  # fmt: skip
def test_text_and_markdown(value: Any, as_text: str, as_markdown: str) -> None:
    assert (text(value), markdown(value)) == (as_text, as_markdown)


def test_files_are_told_by_their_mark() -> None:
    assert is_file(IMAGE)
    assert not is_file({"type": "image"})
    assert is_file_list([IMAGE])
    assert not is_file_list([])
    assert not is_file_list([IMAGE, {}])


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", "a.png"), ("type", "image"), ("url", "http://x/a"), ("size", None), ("x", None)],
)
def test_attributes_of_a_file(name: str, value: Any) -> None:
    assert file_attribute(IMAGE, name) == value
