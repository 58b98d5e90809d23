"""Plugins are found by entry point; one that cannot be loaded is left out."""

import hmac
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from schemas.plugins.contract import OpenSubscription, Subscribed, TriggerPlugin
from schemas.plugins.credentials import CredentialType
from schemas.plugins.registry import find_plugin, plugins
from schemas.triggers.delivery import Delivery, NotBelieved
from tests.oauth_server import serving
from transport.plugin_http import PluginHttp

PAGE = Path(__file__).parents[3] / "docs" / "plugins.md"


def install(at: Path, name: str, code: str, entry: str) -> None:
    """As pip leaves a package."""
    (at / f"{name}.py").write_text(code)
    meta = at / f"{name}-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(f"[hopline.triggers]\n{entry}\n")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that packages can be installed into."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.cache_clear()
    yield tmp_path
    plugins.cache_clear()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


def test_those_that_are_shipped() -> None:
    assert {"hopline/gitlab", "hopline/microsoft_graph", "hopline/stripe"} <= set(plugins())


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("hopline/gitlab", "hopline/gitlab"),
        ("gitlab", "hopline/gitlab"),
        ("langgenius/gitlab_trigger/gitlab", "hopline/gitlab"),
        ("hopline/nothing", None),
        ("", None),
    ],
)
def test_a_name_of_another_product_leads_here_by_its_last_part(name: str, found: str | None) -> None:
    plugin = find_plugin(name)
    assert (plugin and plugin.provider_id) == found


def test_two_of_one_name_are_told_apart_by_the_whole_of_it(environment: Path) -> None:
    code = "from plugins.gitlab import GitLab\nclass Other(GitLab):\n    plugin_id = 'acme'\n"
    install(environment, "other_gitlab", code, "gitlab = other_gitlab:Other")
    assert find_plugin("gitlab") is None
    other = find_plugin("acme/gitlab")
    assert other is not None
    assert other.plugin_id == "acme"


@pytest.mark.parametrize(
    ("code", "fault"),
    [("raise RuntimeError('broken')", "RuntimeError"), ("class Broken:\n    pass", "TypeError")],
)
def test_one_that_is_broken_is_reported_and_left_out(
    environment: Path, caplog: pytest.LogCaptureFixture, code: str, fault: str
) -> None:
    caplog.set_level(logging.ERROR)
    name = f"broken_{fault.lower()}"
    install(environment, name, code, f"broken = {name}:Broken")
    assert "hopline/stripe" in plugins()
    [said] = [one for one in caplog.records if one.name == "schemas.plugins.registry"]
    assert f"{name}:Broken" in said.getMessage()
    assert said.exc_info is not None
    assert said.exc_info[0] is not None
    assert said.exc_info[0].__name__ == fault


async def test_the_plugin_of_the_documentation(environment: Path) -> None:
    entry = block("toml").splitlines()[1].replace('"', "")
    install(environment, "acme_hopline", block("python"), entry)
    acme = find_plugin("acme/acme")
    assert isinstance(acme, TriggerPlugin)
    assert acme.Keys is not None
    hooks: dict[str, Any] = {}

    async def create(request: web.Request) -> web.Response:
        assert request.headers["X-Api-Key"] == "k3y"
        hooks["7"] = await request.json()
        return web.json_response({"id": "7", "secret": "s3cret"})

    async def delete(request: web.Request) -> web.Response:
        return web.Response(status=204 if hooks.pop(request.match_info["id"], None) else 404)

    served = [web.post("/workshops/w/hooks", create), web.delete("/workshops/w/hooks/{id}", delete)]
    async with serving(served) as url, aiohttp.ClientSession() as session:
        http, parameters = PluginHttp(session), acme.Parameters.model_validate({"url": url, "workshop": "w"})

        def opened(agreed: Subscribed) -> OpenSubscription:
            kind, keys = CredentialType.API_KEY, {"api_key": "k3y"}
            return OpenSubscription("s", "http://h/e", parameters, kind, keys, agreed.properties)

        agreed = await acme.subscribe(http, opened(Subscribed()))
        assert hooks == {"7": {"target": "http://h/e"}}
        body = orjson.dumps({"id": "1", "kind": "lathe.started"})
        sign = {"X-Acme-Signature": hmac.digest(b"s3cret", body, "sha256").hex()}
        [event] = acme.receive(Delivery("POST", "/", sign, {}, body, 0), opened(agreed)).events
        assert (event.event_type, event.delivery_id) == ("lathe.started", "1")
        with pytest.raises(NotBelieved):
            acme.receive(Delivery("POST", "/", sign, {}, body + b" ", 0), opened(agreed))
        await acme.unsubscribe(http, opened(agreed))
        await acme.unsubscribe(http, opened(agreed))
        assert hooks == {}
