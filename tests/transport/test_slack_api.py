"""A workspace of Slack, asked of a server that gives it in pages."""

from collections.abc import AsyncIterator

import pytest

from tests.transport.provider_apis import BOT_TOKEN, SlackWorkspace, serving
from transport.egress import EgressPolicy
from transport.guarded_session import EgressGuard
from transport.provider_api import ProviderRefused, ProviderUnavailable
from transport.slack_api import SlackApi

PAGES = [[("C1", "general"), ("C2", "random")], [("C3", "deploys")], [("C4", "alerts")]]


@pytest.fixture
async def workspace() -> AsyncIterator[SlackWorkspace]:
    api = SlackWorkspace(PAGES)
    async with serving(api):
        yield api


async def channel_ids(workspace: SlackWorkspace, *names: str, token: str = BOT_TOKEN) -> dict[str, str]:
    async with EgressGuard(EgressPolicy([workspace.url.removeprefix("http://")])).session() as session:
        return await SlackApi(session, workspace.url, token).channel_ids(names, "T1")


async def test_who_the_token_is_of(workspace: SlackWorkspace) -> None:
    async with EgressGuard(EgressPolicy([workspace.url.removeprefix("http://")])).session() as session:
        assert await SlackApi(session, workspace.url, BOT_TOKEN).identity() == ("T123ABC456", "UBOT")


async def test_pages_are_read_until_all_names_are_found(workspace: SlackWorkspace) -> None:
    assert await channel_ids(workspace, "general", "deploys") == {"general": "C1", "deploys": "C3"}
    assert [one.get("cursor") for one in workspace.asked] == [None, "1"]
    assert workspace.asked[0] == {
        "method": "conversations.list", "types": "public_channel,private_channel",
        "exclude_archived": "true", "limit": "200", "team_id": "T1",
    }  # fmt: skip


async def test_a_name_that_there_is_not_is_looked_for_to_the_end(workspace: SlackWorkspace) -> None:
    assert await channel_ids(workspace, "general", "nope") == {"general": "C1"}
    assert len(workspace.asked) == 3


async def test_it_waits_as_long_as_slack_asks(workspace: SlackWorkspace) -> None:
    workspace.busy = ["1"]
    assert await channel_ids(workspace, "random") == {"random": "C2"}
    assert len(workspace.asked) == 2


async def test_but_not_for_minutes(workspace: SlackWorkspace) -> None:
    workspace.busy = ["120"]
    with pytest.raises(ProviderUnavailable, match="wait 120 s"):
        await channel_ids(workspace, "random")


async def test_a_token_that_is_none(workspace: SlackWorkspace) -> None:
    with pytest.raises(ProviderRefused, match="invalid_auth"):
        await channel_ids(workspace, "random", token="xoxb-2")
