"""Composition root of the ingress: settings in, an aiohttp application out."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

from aiohttp import web

from ingress.accept import Door
from ingress.assembly import Assembler
from ingress.auth import Authenticator
from ingress.budget import Budget
from ingress.connections.accounts import Accounts
from ingress.drain import DRAIN, Drain
from ingress.duplicates import RecentlyAccepted
from ingress.endpoints import Endpoints
from ingress.erasing.beside import erasing
from ingress.front import guarded
from ingress.health import wrong_key
from ingress.history import History
from ingress.keys import (
    ACCOUNTS,
    AUTHENTICATOR,
    BUDGET,
    CAN_READ_SECRETS,
    CLICKHOUSE,
    CODEC,
    DOOR,
    EGRESS,
    ENDPOINTS,
    FEED,
    FILES,
    HISTORY,
    LIMITS,
    LIVE,
    METRICS,
    OUTLET,
    PROBE,
    PRODUCER,
    RETURNS,
    SECRETS,
    SETTINGS,
    SQL,
    STORE,
    TURNS,
    VALUES,
)
from ingress.letter_returns import Records, Returns
from ingress.limits import Limits
from ingress.live.past import Past
from ingress.live.streams import LiveStreams
from ingress.live.tail import Tail
from ingress.metrics import Metrics
from ingress.operation import add_routes
from ingress.outlet import Outlet
from ingress.overload import OVERLOAD, Overload
from ingress.routes import OPERATIONS
from ingress.settings import IngressSettings
from ingress.spool import Spool
from ingress.sql import Sql
from ingress.tokens import TokenVerifier
from ingress.turns import TOPIC as TURNS_TOPIC
from ingress.turns import Line, Turns
from ingress.unreadable import burying
from schemas.codec import Codec
from schemas.models import TriggerHead
from schemas.secrets import SecretBox
from transport.clickhouse import ClickHouse
from transport.egress import EgressPolicy
from transport.feed import DefinitionsFeed
from transport.files import FileLinks, FileStore
from transport.guarded_session import EgressGuard
from transport.positions import RecordReader
from transport.probe import BrokerProbe
from transport.producer import Producer
from transport.registry import open_codec
from transport.settings import KafkaSettings
from transport.storage import Storage
from transport.store import DefinitionsStore
from transport.stored_secrets import are_readable
from transport.telemetry.sampling import Sampler
from transport.values import ValueStore

_log = logging.getLogger(__name__)


def build_app(
    settings: IngressSettings, kafka: KafkaSettings, storage: Storage, clickhouse: ClickHouse | None = None
) -> web.Application:
    """The application; its connections are opened when it starts and closed after its last request.

    `storage` is where uploaded files go, and what records refer to.
    `clickhouse` is what the run history is read from; without one those routes answer 503. Starting the
    application raises `BrokerUnreachable` when the definitions cannot be read.
    """
    app = new_app(settings, storage, clickhouse)

    async def connections(app: web.Application) -> AsyncIterator[None]:
        codec = await asyncio.to_thread(open_codec, kafka)
        line = Line(codec)
        async with DefinitionsFeed(kafka, codec, others={TURNS_TOPIC: line.read}) as feed:
            producer = Producer(kafka, message_timeout_s=settings.accept_timeout_s)
            store = DefinitionsStore(producer, feed, codec)
            turns = Turns(line, feed, producer, codec, timeout_s=settings.accept_timeout_s)
            spool = await asyncio.to_thread(_open_spool, settings)
            async with (
                Outlet(producer, spool).running() as outlet,
                burying(feed, producer, codec, app[METRICS]),
            ):
                probe, records, tail = BrokerProbe(kafka), RecordReader(kafka), Tail(kafka, codec)
                connect(app, Connections(codec, feed, producer, store, turns, probe, outlet, records, tail))
                yield
                await tail.close()
            await producer.close()

    app.cleanup_ctx.append(connections)
    app.cleanup_ctx.append(erasing(storage))
    return app


def _open_spool(settings: IngressSettings) -> Spool | None:
    """Raises `SpoolFull` for a folder that cannot be used."""
    return Spool(settings.spool_dir, settings.spool_max_bytes) if settings.spool_dir else None


@dataclass(frozen=True)
class Connections:
    """What leads to Kafka."""

    codec: Codec
    feed: DefinitionsFeed
    producer: Producer
    store: DefinitionsStore
    turns: Turns
    probe: BrokerProbe
    outlet: Outlet
    records: Records
    tail: Tail


def new_app(settings: IngressSettings, storage: Storage, clickhouse: ClickHouse | None) -> web.Application:
    """The routes, and what needs no connection to Kafka."""
    app = web.Application(middlewares=[guarded], client_max_size=settings.max_body_bytes)
    key = settings.secret_key
    app[SETTINGS] = settings
    app[METRICS] = Metrics()
    app[DRAIN] = Drain()
    app[BUDGET] = Budget(settings.inflight_max_bytes)
    app[OVERLOAD] = Overload(settings.overload_delay_s, app[METRICS], OPERATIONS)
    app[LIMITS] = Limits(settings)
    app[SECRETS] = SecretBox(key.get_secret_value().encode()) if key else None
    secret = key.get_secret_value() if key else ""
    app[FILES] = FileStore(storage, FileLinks(secret, settings.public_url or "", settings.file_url_ttl_s))
    app[CLICKHOUSE] = clickhouse
    app[VALUES] = ValueStore(storage)
    if clickhouse is not None:
        app[HISTORY], app[SQL] = History(clickhouse, Assembler(app[VALUES])), Sql(clickhouse)
    app.cleanup_ctx.extend((_egress, _measured))
    if settings.otlp.sends_traces:
        # Its libraries take memory that nobody else should have to give.
        tracing = import_module("ingress.tracing")
        app.cleanup_ctx.append(tracing.tracing)
        add_routes(app, OPERATIONS, tracing.traced)
    else:
        add_routes(app, OPERATIONS)
    return app


async def _egress(app: web.Application) -> AsyncIterator[None]:
    async with EgressGuard(EgressPolicy(app[SETTINGS].egress_allow)).session() as session:
        app[EGRESS] = session
        yield


async def _measured(app: web.Application) -> AsyncIterator[None]:
    measuring = asyncio.create_task(app[METRICS].loop_delay.measure(app[OVERLOAD].woken))
    yield
    measuring.cancel()
    await asyncio.gather(measuring, return_exceptions=True)


def connect(app: web.Application, to: Connections) -> None:
    """Puts the connections into the application, and what stands on them."""
    settings, metrics, definitions = app[SETTINGS], app[METRICS], to.feed.definitions
    app[CAN_READ_SECRETS] = are_readable(definitions, app[SECRETS])
    if not app[CAN_READ_SECRETS]:
        _log.warning("%s: requests that need a stored secret are refused", wrong_key(app[SECRETS]))
    app[CODEC], app[FEED], app[PRODUCER], app[STORE] = to.codec, to.feed, to.producer, to.store
    app[PROBE], app[OUTLET], app[TURNS] = to.probe, to.outlet, to.turns
    app[RETURNS] = Returns(to.producer, to.feed, to.codec, to.records)
    recently = RecentlyAccepted(settings.duplicate_memory)
    app[DOOR] = Door(
        to.outlet,
        to.feed,
        to.codec,
        recently,
        metrics,
        timeout_s=settings.accept_timeout_s,
        sampler=Sampler(settings.sampling.name, settings.sampling.ratio),
    )
    clickhouse = app[CLICKHOUSE]
    live = app[LIVE] = LiveStreams(settings, to.tail, Past(clickhouse) if clickhouse else None)
    app[DRAIN].when_stopping(live.stop)
    app[ENDPOINTS] = Endpoints(definitions, app[SECRETS], app[LIMITS])
    app[ACCOUNTS] = Accounts(definitions, app[SECRETS], settings)
    bootstrap = settings.api_key.get_secret_value() if settings.api_key else None
    jwt = settings.jwt
    app[AUTHENTICATOR] = Authenticator(
        definitions,
        bootstrap,
        app[SECRETS],
        tokens=TokenVerifier(jwt) if jwt.believed else None,
        tenant_claim=jwt.tenant_claim,
    )
    metrics.gauge("spooled", "Events on the disk that the broker lacks.", lambda: to.outlet.spooled)
    metrics.gauge("spool_bytes", "Of the spool on the disk.", lambda: to.outlet.spooled_bytes)
    metrics.limit(
        "spool_limit_bytes", "As large may it become.", settings.spool_max_bytes if settings.spool_dir else 0
    )
    metrics.gauge("inflight_bytes", "Held by requests under way.", lambda: app[BUDGET].used)
    metrics.limit("inflight_limit_bytes", "As much may they hold.", settings.inflight_max_bytes)
    metrics.gauge(
        "overloaded",
        "1 while events are refused since this process is too far behind.",
        lambda: app[OVERLOAD].refuses,
    )
    metrics.gauge("unacknowledged", "Messages not yet acknowledged.", lambda: to.producer.queued)
    metrics.gauge(
        "unreadable_definitions",
        "Definitions that this release cannot read, and leaves out.",
        lambda: len(to.feed.unreadable),
    )
    metrics.gauge("live_streams", "Live streams under way.", lambda: live.count)
    metrics.limit("live_streams_limit", "As many may there be.", settings.live_streams)
    metrics.counts("triggers", "Configured triggers.", "type", lambda: _types(definitions.triggers.heads))
    index = definitions.subscriptions
    metrics.gauge("subscriptions", "Plugin subscriptions.", lambda: index.size)
    metrics.gauge("subscriptions_failing", "Those whose last refresh failed.", lambda: index.failing)
    metrics.gauge("workflows", "Workflows with a published version.", lambda: len(definitions.latest))


def _types(triggers: Iterable[TriggerHead]) -> Mapping[str, int]:
    return Counter(trigger.type for trigger in triggers)
