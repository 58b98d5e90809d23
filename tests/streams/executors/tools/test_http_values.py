"""Styles of OpenAPI; the expected texts are those of the specification's own table (style values)."""

from typing import Any

import pytest

from schemas.openapi import HttpTool, Parameter
from schemas.openapi.operation import Place
from streams.executors.tools.errors import ToolParameterError
from streams.executors.tools.http_build import Credentials, build_request
from streams.executors.tools.http_values import header_text, path_text, query_pairs

COLORS = ["blue", "black"]
RGB = {"R": 100, "G": 200}


def parameter(place: Place, style: str, explode: bool, **given: Any) -> Parameter:
    fields = {"schema": {}, "required": True, "as_json": False, **given}
    return Parameter(name="color", place=place, style=style, explode=explode, **fields)


@pytest.mark.parametrize(
    ("style", "explode", "value", "text"),
    [
        ("simple", False, "blue", "blue"),
        ("simple", False, COLORS, "blue,black"),
        ("simple", False, RGB, "R,100,G,200"),
        ("simple", True, RGB, "R=100,G=200"),
        ("simple", False, "a/b ?#ä", "a%2Fb%20%3F%23%C3%A4"),
        ("simple", False, "../admin", "..%2Fadmin"),
        ("label", False, "blue", ".blue"),
        ("label", True, COLORS, ".blue.black"),
        ("matrix", False, COLORS, ";color=blue,black"),
        ("matrix", True, RGB, ";R=100;G=200"),
    ],
)
def test_in_path(style: str, explode: bool, value: Any, text: str) -> None:
    assert path_text(parameter("path", style, explode), value) == text


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_path_cannot_be_left(value: str) -> None:
    with pytest.raises(ToolParameterError, match="is part of the path"):
        path_text(parameter("path", "simple", False), value)


@pytest.mark.parametrize(
    ("style", "explode", "value", "pairs"),
    [
        ("form", True, True, [("color", "true")]),
        ("form", True, COLORS, [("color", "blue"), ("color", "black")]),
        ("form", False, COLORS, [("color", "blue,black")]),
        ("form", True, RGB, [("R", "100"), ("G", "200")]),
        ("form", False, RGB, [("color", "R,100,G,200")]),
        ("spaceDelimited", False, COLORS, [("color", "blue black")]),
        ("pipeDelimited", False, COLORS, [("color", "blue|black")]),
        ("deepObject", True, RGB, [("color[R]", "100"), ("color[G]", "200")]),
    ],
)
def test_in_query(style: str, explode: bool, value: Any, pairs: Any) -> None:
    assert query_pairs(parameter("query", style, explode), value) == pairs


def test_by_content() -> None:
    declared = parameter("query", "form", True, as_json=True)
    assert query_pairs(declared, RGB) == [("color", '{"R": 100, "G": 200}')]


def test_an_empty_text_is_sent_only_where_one_is_required() -> None:
    assert query_pairs(parameter("query", "form", True), "") == [("color", "")]
    assert query_pairs(parameter("query", "form", True, required=False), "") == []


def test_in_header() -> None:
    assert header_text(parameter("header", "simple", False), COLORS) == "blue,black"
    with pytest.raises(ToolParameterError, match="has a line break"):
        header_text(parameter("header", "simple", False), "a\r\nX-Admin: 1")


def test_a_query_of_the_server_is_kept() -> None:
    tool = HttpTool("t", "GET", "/a", "http://x.test/v1", "", (), None)
    request = build_request(tool, {}, Credentials(query=[("k", "a&b")]), {})
    assert str(request.url) == "http://x.test/v1/a?k=a%26b"
