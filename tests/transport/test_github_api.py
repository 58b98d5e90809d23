"""Installations of a GitHub App, asked of a server that checks the token."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.transport.provider_apis import APP_ID, GitHubApi, key_pair, serving
from transport.egress import EgressPolicy
from transport.github_api import GitHubApp
from transport.guarded_session import EgressGuard
from transport.provider_api import ProviderRefused, ProviderUnavailable


@pytest.fixture
async def github() -> AsyncIterator[GitHubApi]:
    api = GitHubApi({"repos/octo/hello": 7, "orgs/octo": 8, "users/ada": 9})
    async with serving(api):
        yield api


@pytest.fixture
async def session(github: GitHubApi) -> AsyncIterator[aiohttp.ClientSession]:
    async with EgressGuard(EgressPolicy([github.url.removeprefix("http://")])).session() as session:
        yield session


def app(session: aiohttp.ClientSession, github: GitHubApi, app_id: str = APP_ID, key: str = "") -> GitHubApp:
    return GitHubApp(session, github.url, app_id, key or key_pair()[0])


@pytest.mark.parametrize(("where", "found"), [("octo/hello", 7), ("octo", 8), ("ada", 9)])
async def test_the_installation_is_found(
    session: aiohttp.ClientSession, github: GitHubApi, where: str, found: int
) -> None:
    assert await app(session, github).installation_id(where) == found


async def test_an_app_that_is_not_installed(session: aiohttp.ClientSession, github: GitHubApi) -> None:
    with pytest.raises(ProviderRefused, match="the app 123456 is not installed at octo/other"):
        await app(session, github).installation_id("octo/other")


async def test_another_app_and_another_key(session: aiohttp.ClientSession, github: GitHubApi) -> None:
    with pytest.raises(ProviderRefused, match="does not know the app"):
        await app(session, github, app_id="99").installation_id("octo")
    with pytest.raises(ProviderRefused, match="no RSA key in PEM"):
        await app(session, github, key="-----BEGIN NOTHING-----").installation_id("octo")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, ProviderUnavailable),
        (429, ProviderUnavailable),
        (502, ProviderUnavailable),
        (422, ProviderRefused),
    ],
)
async def test_other_answers(
    session: aiohttp.ClientSession, github: GitHubApi, status: int, error: type[Exception]
) -> None:
    github.answer = (status, {"message": "because"})
    with pytest.raises(error, match=f"GitHub answers with {status}: because"):
        await app(session, github).installation_id("octo")


async def test_an_answer_that_is_no_object(session: aiohttp.ClientSession, github: GitHubApi) -> None:
    github.answer = (200, ["x"])
    with pytest.raises(ProviderRefused, match="GitHub answers with 200"):
        await app(session, github).installation_id("octo")


async def test_an_answer_without_end_is_not_read_to_it(
    session: aiohttp.ClientSession, github: GitHubApi
) -> None:
    github.answer = (200, {"id": 1, "more": "x" * 5_000_000})
    with pytest.raises(ProviderRefused, match="more than"):
        await app(session, github).installation_id("octo")


async def test_where_a_tenant_must_not_reach(github: GitHubApi) -> None:
    async with EgressGuard(EgressPolicy([])).session() as session:
        with pytest.raises(ProviderRefused, match="HOPLINE_EGRESS_ALLOW"):
            await app(session, github).installation_id("octo")
    assert github.asked == []


async def test_nobody_is_there() -> None:
    api = GitHubApi()
    async with serving(api) as place:
        pass
    async with EgressGuard(EgressPolicy([place])).session() as session:
        with pytest.raises(ProviderUnavailable, match="cannot be asked"):
            await app(session, api).installation_id("octo")
