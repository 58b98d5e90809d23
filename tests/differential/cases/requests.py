"""http-request: what is sent for each kind of body, key and list of headers, and what an answer becomes."""

from typing import Any

from tests.differential.cases.build import probe
from tests.differential.job import Job

_NODE: dict[str, Any] = {
    "method": "get",
    "url": "{{#env.base#}}/echo",
    "authorization": {"type": "no-auth", "config": None},
    "headers": "",
    "params": "",
    "body": {"type": "none", "data": []},
    "timeout": None,
}


def _job(path: str = "/echo", **data: Any) -> Job:
    whole = {**_NODE, "url": "{{#env.base#}}" + path, **data}
    return probe("http-request", ["status_code", "body", "files"], whole, q='a"b', n=3, o={"a": [1]})


def _body(kind: str, *items: dict[str, Any], method: str = "post", **data: Any) -> Job:
    rows = [{"id": str(i), "key": "", "type": "text", "value": "", **item} for i, item in enumerate(items)]
    return _job(method=method, body={"type": kind, "data": rows}, **data)


def _key(kind: str, **config: Any) -> Job:
    return _job(authorization={"type": "api-key", "config": {"type": kind, "api_key": "k", **config}})


PARAMETERS_TWICE = _job("/echo?z=1", params="a:1")

_NEARLY_JSON = (
    *(
        "",
        " ",
        "{",
        "{'a': 1}",
        '{"a": 1,}',
        '{"a": {{#start.q#}}}',
        "1 2",
        '"x"',
        "[1",
        '{"a": "b\nc"}',
        "{}{}",
    ),
    *('{"a": True}', '{"a": "x"y"}', '```json\n{"a": 1}\n```'),
)

USER_AND_PASSWORD = _key("basic", api_key="user:pass")

NULL_BODY = _body("json", {"value": "null"})

CASES: dict[str, Job] = {
    **{f"nearly JSON: {text!r}": _body("json", {"value": text}) for text in _NEARLY_JSON},
    **{method: _job(method=method) for method in ("get", "post", "put", "patch", "delete", "POST")},
    "parameters": _job(params="a:1\nb: {{#start.q#}}\nc\n\nd:x:y"),
    "headers": _job(headers="X-A: 1\nX-B:{{#start.q#}}\nX-C"),
    "a variable in the path": _job("/e/{{#start.n#}}"),
    "json": _body("json", {"value": '{"a": {{#start.n#}}, "b": "x", "c": [1, null, true]}'}),
    "json with a quote in a value": _body("json", {"value": '{"a": "{{#start.q#}}"}'}),
    "json with an object": _body("json", {"value": '{"a": {{#start.o#}}}'}),
    "json that is none": _body("json", {"value": "nothing like it"}),
    "json without an item": _body("json", error_strategy="fail-branch"),
    "raw text": _body("raw-text", {"value": "say {{#start.q#}}"}),
    "form": _body(
        "x-www-form-urlencoded", {"key": "a", "value": "1 ü"}, {"key": "b", "value": "{{#start.q#}}"}
    ),
    "multipart": _body("form-data", {"key": "a", "value": "1"}, {"key": "b", "value": "{{#start.q#}}"}),
    "bearer": _key("bearer"),
    "custom": _key("custom", header="X-Key"),
    "bearer in another header": _key("bearer", header="X-Key"),
    "an empty key": _key("bearer", api_key=""),
    **{
        f"status {status}": _job(f"/?status={status}&body=x&type=text/plain")
        for status in (204, 301, 404, 500)
    },
    "status 500 with an error strategy": _job(
        "/?status=500&body=x&type=text/plain",
        error_strategy="default-value",
        default_value=[{"key": "body", "type": "string", "value": "d"}],
    ),
    "text": _job("/?body=hello&type=text/plain"),
    "html": _job("/?body=%3Cp%3E&type=text/html"),
    "no URL": _job(url=""),
    "no scheme": _job(url="example.com"),
    "retries": _job(
        "/?status=500&body=x&type=text/plain",
        error_strategy="fail-branch",
        retry_config={"retry_enabled": True, "max_retries": 2, "retry_interval": 1},
    ),
}
