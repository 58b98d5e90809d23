"""`hopline model-provider` against a canned API."""

from pathlib import Path

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

SHOWN = {
    "id": "1",
    "name": "openai",
    "base_url": "https://api.openai.com/v1",
    "credentials": {"api_key": "********"},
    "models": {"gpt-4o-mini": {}, "o3": {}},
    "default": True,
}
ROUTE = "/api/v1/model-providers"


def test_options_and_config_become_one_provider(hopline: Hopline, api: CannedApi, elsewhere: Path) -> None:
    api.says(f"POST {ROUTE}", SHOWN, 201)
    (elsewhere / "key").write_text("sk-1\n")
    (elsewhere / "config.json").write_text(
        '{"base_url": "http://old", "max_retries": 1, "models": {"a": {"context_size": 9}}}'
    )
    result = hopline(
        "model-provider", "create", "openai", "--config", "@config.json", "--base-url", "http://new/v1",
        "--api-key", "@key", "--price", "a=0.15/0.60", "--price", "b=2/8:CNY", "--header", "X-Team=a",
        "--default",
    )  # fmt: skip
    assert result.output == "created openai\n"
    assert api.seen[-1].json == {
        "name": "openai",
        "base_url": "http://new/v1",
        "max_retries": 1,
        "credentials": {"api_key": "sk-1"},
        "headers": {"X-Team": "a"},
        "default": True,
        "models": {
            "a": {"context_size": 9, "pricing": {"input": "0.15", "output": "0.60"}},
            "b": {"pricing": {"input": "2", "output": "8", "currency": "CNY"}},
        },
    }


def test_replacing_keeps_the_key(hopline: Hopline, api: CannedApi) -> None:
    api.says(f"GET {ROUTE}", {"data": [SHOWN]})
    api.says(f"PUT {ROUTE}/openai", SHOWN)
    result = hopline("model-provider", "create", "openai", "--base-url", "http://new/v1", "--replace")
    assert result.output == "replaced openai\n"
    assert (api.seen[-1].method, api.seen[-1].json["credentials"]) == ("PUT", {"api_key": "********"})


def test_wrong_usage(hopline: Hopline, api: CannedApi) -> None:
    assert hopline("model-provider", "create", "openai").exit_code == 2
    for price in ("a", "a=1", "a=1/x", "=1/2", "a=1/2/3"):
        result = hopline("model-provider", "create", "openai", "--base-url", "http://x", "--price", price)
        assert result.exit_code == 2
        assert "is not like" in result.output
    assert api.seen == []


def test_what_there_is(hopline: Hopline, api: CannedApi) -> None:
    api.says(f"GET {ROUTE}", {"data": [SHOWN]})
    api.says(f"GET {ROUTE}/openai", SHOWN)
    api.says(f"DELETE {ROUTE}/openai", None, 204)
    listed = "name\tbase_url\tmodels\tdefault\nopenai\thttps://api.openai.com/v1\tgpt-4o-mini, o3\tyes\n"
    assert hopline("model-provider", "list").output == listed
    assert "api_key" in hopline("model-provider", "show", "openai").output
    assert hopline("model-provider", "delete", "openai").output == "deleted openai\n"
