"""Composition root of the sources: opens what their watchers share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

from schemas.codec import Codec
from schemas.secrets import SecretBox
from streams.metrics import SourceMetrics
from streams.shell.stage import Stage
from streams.sources.calendar.watcher import CalendarSource
from streams.sources.email.mailbox import Connections
from streams.sources.email.watcher import EmailSource
from streams.sources.kafka.watcher import KafkaSource
from streams.sources.oauth import AccessTokens
from streams.sources.settings import SourceSettings
from streams.sources.stage import Sources
from streams.sources.watchers import Watchers
from transport.egress import EgressPolicy
from transport.feed import DefinitionsFeed
from transport.files import FileStore
from transport.guarded_session import EgressGuard
from transport.plugin_http import PluginHttp
from transport.producer import Producer
from transport.store import DefinitionsStore


@asynccontextmanager
async def open_sources(
    settings: SourceSettings,
    policy: EgressPolicy,
    feed: DefinitionsFeed,
    codec: Codec,
    producer: Producer,
    *,
    files: FileStore,
    secrets: SecretBox | None,
    secret_key: str,
    public_url: str,
    partitions: Callable[[], Awaitable[int]],
    metrics: SourceMetrics,
) -> AsyncIterator[Stage]:
    """The stage of the sources, good inside the block. `partitions`: how many `source.commands` has;
    `secret_key`: that of `secrets`, or "". On leaving, tokens that were asked for may come for a while; the
    producer must still be open."""
    async with EgressGuard(policy).session() as session:
        http = PluginHttp(session)
        tokens = AccessTokens(http, producer, codec, feed, secrets)
        mailboxes = Connections(
            policy, settings.concurrency, settings.timeout_s, mail_max_bytes=settings.mail_max_bytes
        )
        with closing(mailboxes) as connections:
            kinds = (
                EmailSource(connections, tokens, files, codec, settings.mail_max_bytes),
                KafkaSource(
                    policy, http, codec, most_consumers=settings.consumers, timeout_s=settings.timeout_s
                ),
                CalendarSource(http, tokens, codec, public_url=public_url, secret_key=secret_key),
            )
            watchers = Watchers(
                feed, codec, producer, DefinitionsStore(producer, feed, codec), kinds,
                secrets=secrets, partitions=partitions, settings=settings, metrics=metrics,
            )  # fmt: skip
            try:
                yield Sources(feed, codec, watchers, tokens).stage()
            finally:
                await tokens.close()
