"""One partition of the stage of subscriptions, with workers that own it in turn, and a real OAuth server."""

import time
from typing import Any

import aiohttp
import orjson

from schemas.codec import SingleObjectCodec
from schemas.models import DEFAULT_TENANT, SubscriptionState, TriggerOAuthSystemClient, TriggerSubscription
from schemas.models.oauth_client import SYSTEM_TENANT, OAuthParams
from schemas.plugins.credentials import CredentialType
from schemas.secrets import SecretBox
from streams.shell.stage import Decision, Record
from streams.subscriptions.refresher import Refresher
from streams.subscriptions.rows import SubscriptionRow, row_due
from streams.subscriptions.stage import Subscriptions
from tests.streams.kept import KeptRows
from transport.errors import SendFailed
from transport.plugin_http import PluginHttp
from transport.producer import Position, Send
from transport.subscriptions import OAUTH_SYSTEM_CLIENTS, SubscriptionIndex, subscription_command

CODEC = SingleObjectCodec()
BOX = SecretBox(b"k" * 32)
ID = "5ab1"


def subscription(**changes: Any) -> TriggerSubscription:
    """To GitLab, with a token that expires in two hours; `token` is in the clear."""
    token = changes.pop("token", {"access_token": "a0", "refresh_token": "r0"})
    fields: dict[str, Any] = {
        "id": ID,
        "name": "pushes",
        "user_id": "ada",
        "provider_id": "hopline/gitlab",
        "endpoint_id": "e" * 24,
        "parameters": {"project": "7", "events": ["push"]},
        "credential_type": CredentialType.OAUTH,
        "credentials": {name: BOX.encrypt(DEFAULT_TENANT, value) for name, value in token.items()},
        "credential_expires_at": int(time.time()) + 7200,
        "credentials_id": "c1",
        "agreement_id": "g1",
        "oauth_client_id": TriggerOAuthSystemClient.id_of("hopline", "gitlab"),
    }
    return TriggerSubscription.model_validate({**fields, **changes})


def client(params: OAuthParams) -> TriggerOAuthSystemClient:
    """The deployment's, for GitLab."""
    return TriggerOAuthSystemClient(
        id=TriggerOAuthSystemClient.id_of("hopline", "gitlab"),
        plugin_id="hopline",
        provider="gitlab",
        encrypted_oauth_params=BOX.encrypt(SYSTEM_TENANT, params.model_dump_json()),
    )


class Partition:
    """Its table, the commands that are on their way to it, and what it has told everybody."""

    def __init__(self) -> None:
        self.table = KeptRows()
        self.commands: list[Send] = []
        self.published: list[SubscriptionState | None] = []
        self.index = SubscriptionIndex()
        self.now_s = time.time()
        self.broker_is_away = 0

    async def send(self, send: Send) -> Position:
        """As a producer does."""
        if self.broker_is_away:
            self.broker_is_away -= 1
            raise SendFailed("Local: Message timed out")
        self.commands.append(send)
        return Position(send.topic, 0, len(self.commands))

    def tell(self, subscription: TriggerSubscription, kind: str, payload: Any = None) -> None:
        """A command of the ingress."""
        body = subscription.model_dump(mode="json") if payload is None else payload
        self.commands.append(subscription_command(CODEC, subscription, kind, body, self.now_s))

    @property
    def row(self) -> SubscriptionRow:
        """Of the one subscription."""
        return SubscriptionRow.decode(self.table[ID])

    @property
    def state(self) -> SubscriptionState:
        """As it was last published."""
        state = self.published[-1]
        assert state is not None
        return state

    @property
    def due_in_s(self) -> float | None:
        """When the row wants attention."""
        due = row_due(ID, self.table[ID])
        return None if due is None else due - self.now_s

    def token(self) -> dict[str, str]:
        """As it was last published, in the clear."""
        state = self.state
        names = ("access_token", "refresh_token")
        return {name: BOX.decrypt(DEFAULT_TENANT, state.credentials[name]) for name in names}


class Owner:
    """A worker that has the partition."""

    def __init__(self, partition: Partition, session: aiohttp.ClientSession, base_url: str = "") -> None:
        self.partition = partition
        self.refresher = Refresher(
            PluginHttp(session),
            partition,
            CODEC,
            partition.index,
            BOX,
            base_url=base_url,
            clock=lambda: partition.now_s,
        )
        self.stage = Subscriptions(CODEC, self.refresher)

    def read(self) -> None:
        """The commands that are there."""
        partition = self.partition
        while partition.commands:
            send = partition.commands.pop(0)
            record = Record(send.topic, 0, 0, send.key, send.value, (), 0)
            self.keep(self.stage.decide(record, partition.table, partition.now_s))

    def look(self) -> None:
        """At what is due; a row that is not kept is as if it had not been looked at."""
        partition = self.partition
        row = partition.table.get(ID)
        if row is not None and (due := row_due(ID, row)) is not None and due <= partition.now_s:
            self.keep(self.stage.on_due(ID, row, partition.table, partition.now_s))

    async def work(self) -> None:
        """As the shell does it until nothing is left to be done at this time."""
        for _ in range(4):
            self.read()
            self.look()
            await self.refresher.close()
        self.read()

    def keep(self, decision: Decision) -> None:
        """Sends, then rows."""
        partition = self.partition
        for send in decision.sends:
            body = send.value and orjson.loads(CODEC.decode("Definition", send.value)["body"])
            partition.published.append(SubscriptionState.model_validate(body) if body else None)
        for key, row in decision.writes.items():
            if row is None:
                partition.table.pop(key, None)
            else:
                partition.table[key] = row


def know(partition: Partition, params: OAuthParams) -> None:
    """The OAuth client is configured."""
    one = client(params)
    partition.index.apply(OAUTH_SYSTEM_CLIENTS, one.id, one)
