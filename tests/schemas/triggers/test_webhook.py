"""The config of a webhook, and what a trigger node of Dify becomes."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.triggers.parameters import compile_parameters
from schemas.triggers.webhook import WebhookConfig

ID = "0123456789abcdef"


def config(**given: Any) -> WebhookConfig:
    return WebhookConfig.model_validate({"webhook_id": ID, **given})


@pytest.mark.parametrize(
    ("path", "normal"),
    [("orders", "orders"), ("/webhook/my-workflow/", "webhook/my-workflow"), ("a.b/c~d_e", "a.b/c~d_e")],
)
def test_a_path_is_a_second_address(path: str, normal: str) -> None:
    found = config(webhook_path=path)
    assert found.webhook_path == found.address == normal
    assert found.addresses == (ID, normal)
    assert found.index_key("t") == ID
    assert config().addresses == (ID,)


@pytest.mark.parametrize(
    "path", ["", "/", "a//b", "../a", "a/./b", ".hidden", "a b", "ä", "a?b", "a%2Fb", "x" * 256]
)
def test_a_path_that_is_none(path: str) -> None:
    with pytest.raises(ValidationError, match="webhook_path"):
        config(webhook_path=path)


@pytest.mark.parametrize(
    "response",
    [
        {"status": 404},
        {"body": "a", "template": "b"},
        {"headers": {"X Y": "a"}},
        {"headers": {"X-A": "a\r\nX-B: b"}},
        {"headers": {"X-A": "ü"}},
        {"headers": {"content-length": "5"}},
        {"headers": {"Set-Cookie": "a=b"}},
    ],
)
def test_an_answer_that_cannot_be(response: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="response"):
        config(response=response)


def test_producers_that_name_deliveries_in_the_body() -> None:
    secrets = {"secrets": ["s"]}
    assert config(signature={"scheme": "stripe", **secrets}).naming == ("body.id",)
    assert config(signature={"scheme": "slack", **secrets}).naming == ("body.event_id",)
    assert config(signature={"scheme": "github", **secrets}).naming == ()
    own = config(signature={"scheme": "stripe", **secrets}, dedup_key=["body.data.object.id"])
    assert own.naming == ("body.data.object.id",)


def node(**data: Any) -> dict[str, Any]:
    """As Dify writes it."""
    whole = {
        "type": "trigger-webhook", "title": "Hook", "method": "post", "content_type": "application/json",
        "headers": [], "params": [], "body": [], "async_mode": True, "status_code": 200, "response_body": "",
        "webhook_url": "", "webhook_debug_url": "", "variables": [],
    }  # fmt: skip
    return {**whole, **data}


def of_node(**data: Any) -> WebhookConfig:
    made = WebhookConfig.from_node(node(**data))
    assert made is not None
    return config(**made)


def parameter(name: str, kind: str = "string", required: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "required": required}


def wrong(of: WebhookConfig, **given: Any) -> list[str]:
    """The fields of a request that are not taken."""
    parameters = compile_parameters(of.required, of.parameters)
    assert parameters is not None
    request = {"query": {}, "headers": {}, "body": None, "size_bytes": 0, "is_form": False, **given}
    return sorted({one.field for one in parameters.take(**request)[1]})


def test_a_node_of_another_kind_is_none_of_ours() -> None:
    assert WebhookConfig.from_node({"type": "trigger-schedule"}) is None


def test_a_node_may_have_a_config_of_our_own() -> None:
    own = {"type": "trigger-webhook", "trigger_type": "WEBHOOK", "config": {"webhook_path": "orders"}}
    assert WebhookConfig.from_node(own) == {"webhook_path": "orders"}
    assert WebhookConfig.from_node({**own, "trigger_type": "GITHUB"}) is None


def test_a_node_of_json() -> None:
    found = of_node(
        method="PUT",
        headers=[parameter("X-Kind", required=True)],
        params=[parameter("page", "number", required=True), parameter("all", "boolean")],
        body=[parameter("id", required=True), parameter("tags", "array[string]"), parameter("any", "object")],
    )
    assert (found.allowed_methods, found.content_types) == (("PUT",), ("application/json",))
    good = {"query": {"page": "2"}, "headers": {"x-kind": "a"}, "body": {"id": "1", "tags": ["a"], "more": 1}}
    assert wrong(found, **good) == []
    assert wrong(found) == ["body", "headers", "query"]
    bad = {**good, "query": {"page": "x", "all": "?"}, "body": {"id": 1, "tags": [1], "any": "x"}}
    assert wrong(found, **bad) == ["body.any", "body.id", "body.tags.0", "query.all", "query.page"]


def test_a_node_without_required_values_takes_an_empty_request() -> None:
    found = of_node(method="get", params=[parameter("page", "number")], body=[parameter("id")])
    assert (found.allowed_methods, found.content_types) == (("GET",), ())
    assert wrong(found) == []


def test_a_node_of_a_form_has_texts_and_files() -> None:
    body = [parameter("n", "number", True), parameter("file", "file", True), parameter("o", "object")]
    found = of_node(content_type="multipart/form-data", body=body)
    taken = {"n": "1", "o": "{}", "file": {"filename": "a"}}
    assert wrong(found, body=taken, is_form=True) == []
    assert wrong(found, body={"n": "x"}, is_form=True) == ["body.n"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream"])
def test_a_node_of_a_whole_body(content_type: str) -> None:
    found = of_node(content_type=content_type, body=[parameter("raw", required=True)])
    assert wrong(found, body="hello") == []
    assert wrong(found, body=None) == wrong(found, body="") == ["body"]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("", {"status": "success", "message": "Webhook processed successfully"}),
        ('{"ok": true}', {"ok": True}),
        ("[1]", [1]),
        ("{not json", {"message": "{not json"}),
        ("thanks", {"message": "thanks"}),
    ],
)
def test_a_node_answers_as_in_dify(text: str, body: Any) -> None:
    response = of_node(status_code=201, response_body=text).response
    assert response is not None
    assert (response.status, response.body) == (201, body)


@pytest.mark.parametrize("data", [{"method": "trace"}, {"status_code": 500}, {"status_code": "200"}])
def test_a_node_that_no_webhook_can_be(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(data))):
        WebhookConfig.from_node(node(**data))
