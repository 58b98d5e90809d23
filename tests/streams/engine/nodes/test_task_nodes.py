"""code and http-request: what an executor is told."""

from typing import Any

import pytest

from schemas.files import FILE_IDENTITY
from schemas.nodes.code import CodeData
from schemas.nodes.http_request import HttpRequestData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.code import compile_code
from streams.engine.nodes.http_request import compile_http_request
from streams.engine.nodes.protocol import Task
from tests.graphs import code

FILE = {"dify_model_identity": FILE_IDENTITY, "filename": "a.png"}
POOL: dict[str, Any] = {
    "n": {
        "a": "A",
        "o": {"k": 1},
        "f": FILE,
        "fs": [FILE],
        "headers": "X: 1\nY: 2",
        "lines": "1\n2",
        "no": None,
    },
    "env": {"KEY": "k3y", "EMPTY": " "},
}


def request(**data: Any) -> Task:
    parsed = HttpRequestData.model_validate(
        {"type": "http-request", "title": "T", "method": "get", "url": "http://x", **data}
    )
    return compile_http_request(parsed).task(POOL)


def test_code_takes_values() -> None:
    data = CodeData.model_validate(code("c", a=["n", "a"], k=["n", "o", "k"], gone=["gone", "x"])["data"])
    task = compile_code(data).task(POOL)
    assert task.inputs == {"a": "A", "k": 1, "gone": None}
    assert task.config["code_language"] == "python3"
    assert task.config["code"].startswith("def main(a, k, gone)")
    assert task.config["outputs"] == {"result": {"type": "string", "children": None}}


def test_the_least_request() -> None:
    assert request().config == {
        "type": "http-request",
        "title": "T",
        "method": "GET",
        "url": "http://x",
        "headers": [],
        "params": [],
        "body": {"type": "none", "data": []},
        "authorization": {"type": "no-auth", "config": None},
        "timeout": None,
        "ssl_verify": None,
        "error_strategy": None,
        "retry_config": {"retry_enabled": False, "max_retries": 0, "retry_interval": 0},
    }


def test_every_text_is_filled_in() -> None:
    config = request(
        url="https://x/{{#n.a#}}",
        headers="A: {{#n.a#}}\n\nempty:\nnaked\n{{#n.headers#}}\nU: a:b",
        params="q : {{#n.lines#}}\n{{#n.a#}}: 1\n: nameless",
        timeout={"connect": 3, "max_connect_timeout": 10},
        ssl_verify=False,
    ).config
    assert config["url"] == "https://x/A"
    assert config["headers"] == [
        ["A", "A"], ["empty", ""], ["naked", ""], ["X", "1"], ["Y", "2"], ["U", "a:b"],
    ]  # fmt: skip
    assert config["params"] == [["q", "1\n2"], ["A", "1"]]
    assert config["timeout"] == {"connect": 3, "read": None, "write": None}
    assert config["ssl_verify"] is False


@pytest.mark.parametrize(
    ("body", "resolved"),
    [
        ({"type": "none", "data": []}, []),
        (
            {"type": "json", "data": '{"a": "{{#n.a#}}"}'},
            [{"key": "", "type": "text", "value": '{"a": "A"}'}],
        ),
        (
            {"type": "raw-text", "data": [{"type": "text", "value": "{{#n.o#}}"}]},
            [{"key": "", "type": "text", "value": '{"k": 1}'}],
        ),
        (
            {"type": "x-www-form-urlencoded", "data": [{"key": "{{#n.a#}}", "value": "{{#n.no#}}"}]},
            [{"key": "A", "type": "text", "value": ""}],
        ),
        (
            {"type": "form-data", "data": "a: {{#n.a#}}\n\nb : c:d"},
            [{"key": "a", "type": "text", "value": "A"}, {"key": "b", "type": "text", "value": "c:d"}],
        ),
        (
            {"type": "form-data", "data": [{"key": "f", "type": "file", "file": ["n", "fs"]}]},
            [{"key": "f", "type": "file", "file": [FILE]}],
        ),
        (
            {"type": "binary", "data": [{"type": "file", "file": ["n", "f"]}]},
            [{"key": "", "type": "file", "file": FILE}],
        ),
        (
            {"type": "binary", "data": [{"type": "file", "file": ["gone", "f"]}]},
            [{"key": "", "type": "file", "file": None}],
        ),
    ],
)
def test_bodies(body: Any, resolved: Any) -> None:
    assert request(body=body).config["body"] == {"type": body["type"], "data": resolved}


@pytest.mark.parametrize(
    ("header", "name"), [("X-Key", "X-Key"), ("", "Authorization"), (None, "Authorization")]
)
def test_authorization(header: str | None, name: str) -> None:
    config = {"type": "bearer", "api_key": "{{#env.KEY#}}", "header": header}
    filled = request(authorization={"type": "api-key", "config": config}).config["authorization"]
    assert filled == {"type": "api-key", "config": {"type": "bearer", "api_key": "k3y", "header": name}}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"url": "ftp://x"}, "must start with http:// or https://"),
        ({"url": "{{#n.no#}}"}, "must start with http:// or https://, is ''"),
        (
            {"authorization": {"type": "api-key", "config": {"type": "basic", "api_key": "{{#env.EMPTY#}}"}}},
            "the API key is empty",
        ),
    ],
)
def test_what_cannot_be_sent(data: Any, why: str) -> None:
    with pytest.raises(NodeFailure, match=why):
        request(**data)
