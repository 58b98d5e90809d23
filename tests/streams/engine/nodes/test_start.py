"""The form of a start node: what is taken, what it becomes, what is refused and why."""

from typing import Any

import pytest

from schemas.files import FILE_IDENTITY
from schemas.nodes.start import StartData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Outcome
from streams.engine.nodes.start import compile_start
from streams.engine.pool import INPUTS
from tests.graphs import field


def begin(given: Any, *fields: Any) -> Outcome:
    data = StartData.model_validate({"type": "start", "variables": list(fields)})
    return compile_start(data).run({INPUTS: given, "sys": {"user_id": "u"}})


TAKEN: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("text-input", {}, "x\0y", "xy"),
    ("text-input", {"max_length": 3}, "abc", "abc"),
    ("text-input", {"max_length": 0}, "abc", "abc"),
    ("text-input", {"default": "d"}, None, "d"),
    ("text-input", {}, None, None),
    ("text-input", {}, "", ""),
    ("paragraph", {"max_length": None}, "x" * 1000, "x" * 1000),
    ("select", {"options": ["a", "b"]}, "b", "b"),
    ("number", {}, 5, 5),
    ("number", {}, 5.5, 5.5),
    ("number", {}, "5", 5),
    ("number", {}, " -5 ", -5),
    ("number", {}, "5.50", 5.5),
    ("number", {}, " ", None),
    ("number", {"default": "7"}, None, 7),
    ("number", {"max_length": 1}, 12345, 12345),
    ("checkbox", {}, True, True),
    ("checkbox", {}, "Yes", True),
    ("checkbox", {}, "off", False),
    ("checkbox", {}, 1, True),
    ("checkbox", {}, 0, False),
    ("checkbox", {}, "maybe", "maybe"),
    ("checkbox", {"default": False}, None, False),
    ("json_object", {}, {"a": [1]}, {"a": [1]}),
    ("json_object", {}, "", ""),
    ("json_object", {"json_schema": {"required": ["a"]}}, {"a": 1}, {"a": 1}),
    ("json_object", {"json_schema": '{"required": ["a"]}'}, {"a": 1}, {"a": 1}),
    ("json_object", {"json_schema": ""}, {"a": 1}, {"a": 1}),
    ("object", {}, {"a": 1}, {"a": 1}),
    ("json_object", {}, '{"a": 1}', {"a": 1}),
    ("select", {"options": ["a"], "default": ""}, None, ""),
    ("url", {}, "http://x", "http://x"),
    ("external_data_tool", {}, [1], [1]),
    ("paragraph", {"hide": True, "default": "d"}, None, "d"),
    ("file", {}, "", None),
    ("file-list", {}, "", None),
    ("file-list", {}, [], []),
]


@pytest.mark.parametrize(("kind", "more", "given", "value"), TAKEN)
def test_taken(kind: str, more: dict[str, Any], given: Any, value: Any) -> None:
    outcome = begin({"v": given}, field("v", kind, **more))
    assert outcome.inputs == {"v": value}
    assert type(outcome.inputs["v"]) is type(value)


REFUSED: list[tuple[str, dict[str, Any], Any, str]] = [
    ("json_object", {"json_schema": {"$ref": "#"}}, {"a": 1}, "more than 100 keywords deep"),
    ("text-input", {"required": True}, None, "v is required in input form"),
    ("number", {"required": True}, None, "v is required in input form"),
    ("json_object", {"required": True}, None, "v is required in input form"),
    ("text-input", {}, 5, "v in input form must be a string"),
    ("text-input", {"max_length": 3}, "abcd", "must be at most 3 characters long, has 4"),
    ("paragraph", {}, ["a"], "must be a string"),
    ("select", {"options": ["a", "b"]}, "c", "must be one of a, b"),
    ("select", {"options": None}, "c", "must be one of"),
    ("select", {"options": ["1"]}, 1, "must be a string"),
    ("number", {}, "five", "must be a valid number"),
    ("number", {}, "1.2.3", "must be a valid number"),
    ("number", {}, [5], "must be a number"),
    ("number", {}, "9" * 30, "must be a finite number"),
    ("number", {}, "9" * 400, "must be a finite number"),
    (
        "json_object",
        {"json_schema": {"patternProperties": {"(a+)+$": False}}},
        {"a" * 99: 1},
        "does not match",
    ),
    (
        "json_object",
        {"json_schema": {"patternProperties": {"(?=a)": {}}}},
        {"a": 1},
        "is no regular expression",
    ),
    ("number", {}, "1.0e999", "must be a finite number"),
    ("json_object", {}, "[1]", "must be an object"),
    ("json_object", {}, "{", "must be an object: "),
    ("select", {"options": ["a"], "required": True}, "", "must be one of a"),
    ("url", {"max_length": 3}, "http://x", "must be at most 3 characters long"),
    ("object", {}, [1], "must be an object"),
    (
        "json_object",
        {"json_schema": {"properties": {"a": {"type": "integer"}}}},
        {"a": "x"},
        r"does not match its schema at \$.a: 'x' is not of type 'integer'",
    ),
    (
        "json_object",
        {"json_schema": {"$ref": "http://127.0.0.1:1/x"}},
        {"a": 1},
        "v in input form its schema refers to what cannot be found: Unresolvable: http://127.0.0.1:1/x",
    ),
    ("file", {}, "http://x", "must be a file"),
    ("file", {"required": True}, "", "must be a file"),
    ("file-list", {}, {"type": "image"}, "must be a list of files"),
    ("file-list", {}, ["x"], "must be a list of files"),
    ("file-list", {"max_length": 1}, [{}, {}], "must be at most 1 files, has 2"),
    ("file", {"allowed_file_types": ["image"]}, {"type": "audio"}, "has a file that is of type audio"),
    (
        "file-list",
        {"allowed_file_types": ["custom"], "allowed_file_extensions": [".log"]},
        [{"url": "http://x/a.log"}, {"url": "http://x/a.exe"}],
        "has a file that has the extension 'exe', which is none of log",
    ),
    (
        "file",
        {"allowed_file_upload_methods": ["local_file"]},
        {"type": "image", "url": "http://x/a"},
        "must come by local_file, not by remote_url",
    ),
]


@pytest.mark.parametrize(("kind", "more", "given", "why"), REFUSED)
def test_refused(kind: str, more: dict[str, Any], given: Any, why: str) -> None:
    with pytest.raises(NodeFailure, match=why) as refused:
        begin({"v": given}, field("v", kind, **more))
    assert refused.value.inputs == {"v": given}


def test_what_is_not_in_the_form_is_ignored_and_system_variables_are_shown() -> None:
    outcome = begin({"a": "1", "b": "2"}, field("a"))
    assert outcome.inputs == {"a": "1"}
    assert outcome.outputs == {"a": "1", "sys.user_id": "u"}


def test_files_are_marked() -> None:
    remote = {"type": "image", "transfer_method": "remote_url", "url": "http://x/a"}
    local = {"type": "document", "transfer_method": "local_file", "upload_file_id": "5"}
    outcome = begin({"f": remote, "l": [local]}, field("f", "file"), field("l", "file-list"))
    assert outcome.inputs["f"]["remote_url"] == "http://x/a"
    assert outcome.inputs["l"][0]["related_id"] == "5"
    assert {f["dify_model_identity"] for f in (outcome.inputs["f"], *outcome.inputs["l"])} == {FILE_IDENTITY}


def test_every_field_that_is_wrong_is_named() -> None:
    with pytest.raises(NodeFailure, match=r"^a is required in input form; b in input form must be a number$"):
        begin({"b": []}, field("a", required=True), field("b", "number"), field("c"))
