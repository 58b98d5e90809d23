"""Composition root of a worker: settings in, three stages on one shell."""

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial

from prometheus_client import CollectorRegistry

from schemas.codec import Codec
from schemas.ids import now_us
from schemas.secrets import SecretBox
from streams.calls import WorkflowCalls
from streams.conversations import Conversations
from streams.dead_letters import dead_letter
from streams.engine.pure import execute_pure, is_pure
from streams.execute import Execute, Executor
from streams.executors.catalog import Catalog
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.registry import Executors, build_executors
from streams.executors.settings import ExecutorSettings
from streams.fetching import Fetcher
from streams.gates.stage import Gates
from streams.interruptions import Interruptions
from streams.knowledge.documents import open_indexer
from streams.metrics import SourceMetrics, WorkerMetrics
from streams.offload import Offload
from streams.pure_tasks import pure_outcome
from streams.router import Router
from streams.runner import Runner
from streams.schedules import Schedules
from streams.settings import WorkerSettings
from streams.shell.settings import ShellSettings
from streams.shell.stage import Stage, TaskStage
from streams.shell.worker import Worker
from streams.sources.commands import TOPIC as source_commands
from streams.sources.opening import open_sources
from streams.status import Held, Tables, worker_lag, worker_status
from streams.subscriptions.app import open_subscriptions
from transport.admin import partition_counts
from transport.cancellations import CancellationFeed
from transport.egress import EgressPolicy
from transport.feed import DefinitionsFeed
from transport.files import FileLinks, FileStore
from transport.producer import Producer
from transport.registry import open_codec
from transport.settings import KafkaSettings
from transport.status import status_served
from transport.storage import Storage
from transport.stored_secrets import are_readable
from transport.telemetry.sampling import Sampler
from transport.values import ValueStore

_log = logging.getLogger(__name__)

_MESSAGE_TIMEOUT_S = 60.0
"""A worker would rather wait for its broker than give up: what it holds is not acknowledged anyway."""

_LINGER_S = 0.001
"""What a decision sends to a partition goes together: a sink that has one of its nodes has the others."""

_FLUSH_S = 2.0
"""A worker that stops does not: others send again what has not been acknowledged."""


async def run_worker(
    settings: WorkerSettings,
    kafka: KafkaSettings,
    storage: Storage,
    executors: ExecutorSettings,
    stop: asyncio.Event,
) -> int:
    """Works until `stop` is set; returns the exit code: 0, or 1 when the consumer has crashed.

    Raises `BrokerUnreachable`. The topics must exist. The process may exit at once (`os._exit`) rather than
    acknowledge what was not done; whoever started it starts it again.
    """
    async with AsyncExitStack() as stack:
        codec = await asyncio.to_thread(open_codec, kafka)
        feed = await stack.enter_async_context(DefinitionsFeed(kafka, codec))
        secrets = SecretBox(settings.secret_key.encode()) if settings.secret_key else None
        if secrets is None:
            _log.warning("HOPLINE_SECRET_KEY is not set: nodes that use a secret fail on this worker")
        elif not are_readable(feed.definitions, secrets):
            _log.warning(
                "HOPLINE_SECRET_KEY is not the key that secrets were stored with: "
                "nodes that use one fail on this worker"
            )
        catalog = Catalog(feed.definitions, secrets)
        links = FileLinks(settings.secret_key, settings.public_url, settings.file_url_ttl_s)
        files = FileStore(storage, links)
        built = await stack.enter_async_context(build_executors(executors, catalog, files))
        indexer = await stack.enter_async_context(open_indexer(executors, feed, codec, files, catalog))
        producer = Producer(kafka, message_timeout_s=_MESSAGE_TIMEOUT_S, linger_s=_LINGER_S)
        stack.push_async_callback(producer.close, _FLUSH_S)
        registry = CollectorRegistry()
        metrics = WorkerMetrics(registry)
        values = ValueStore(storage)
        interruptions = Interruptions()
        await stack.enter_async_context(CancellationFeed(kafka, codec, interruptions.cancel))
        stages, tasks = _stages(settings, feed, codec, built, secrets, metrics, values, interruptions)
        tasks.append(indexer.stage())
        sources = open_sources(
            settings.sources,
            EgressPolicy(executors.egress.allow),
            feed,
            codec,
            producer,
            files=files,
            secrets=secrets,
            secret_key=settings.secret_key,
            public_url=settings.public_url,
            partitions=partial(_partitions, kafka, source_commands),
            metrics=SourceMetrics(registry),
        )
        stages.append(await stack.enter_async_context(sources))
        subscriptions = open_subscriptions(
            producer,
            codec,
            feed.definitions.subscriptions,
            secrets,
            base_url=settings.public_url,
            egress_allow=executors.egress.allow,
        )
        stages.append(await stack.enter_async_context(subscriptions))

        shell = _shell(settings, kafka)
        worker = Worker(
            shell,
            stages,
            tasks,
            producer,
            partial(dead_letter, codec),
            keep=values.put_all,
            metrics=metrics.shell,
        )
        Held(worker, producer, registry, settings.executor_concurrency)
        tables = Tables(worker, registry)
        status, lag = worker_status(worker, feed), worker_lag(kafka, shell.group, worker, registry)
        await stack.enter_async_context(
            status_served(status, settings.metrics_port, registry, lag, tables.measure)
        )
        await worker.start()
        return await worker.run_until(stop)


def _stages(
    settings: WorkerSettings,
    feed: DefinitionsFeed,
    codec: Codec,
    executors: Executors,
    secrets: SecretBox | None,
    metrics: WorkerMetrics,
    values: ValueStore,
    interruptions: Interruptions,
) -> tuple[list[Stage], list[TaskStage]]:
    offload = Offload(settings.offload, settings.offload_threshold_bytes)
    runner = Runner(
        feed,
        codec,
        settings.engine_options(now_us),
        settings.finished_ttl_s,
        metrics.command,
        fetcher=Fetcher(values),
        offload=offload,
        ended=metrics.run_ended,
    )
    sampler = Sampler(settings.sampling.name, settings.sampling.ratio)
    router = Router(feed, codec, metrics.event, offload, runner.run_whole, sampler)
    calls = WorkflowCalls(feed, Catalog(feed.definitions, secrets), settings.run_max_call_depth)
    execute, concurrency = _execute(executors), settings.executor_concurrency
    executor = Executor(
        feed,
        codec,
        execute,
        secrets,
        concurrency,
        values,
        calls=calls,
        interruptions=interruptions,
        unwanted=metrics.unwanted,
        most_calls=settings.node_requests,
    )
    schedules = Schedules(feed, codec, metrics.schedules)
    gates = Gates(codec, Fetcher(values))
    conversations = Conversations(
        feed,
        codec,
        Fetcher(values),
        most_turns=settings.conversation_turns,
        ttl_s=settings.conversation_ttl_s,
        wait_s=settings.conversation_wait_s,
    )
    return [router.stage(), gates.stage(), conversations.stage(), runner.stage(), schedules.stage()], [
        executor.stage()
    ]


def _execute(executors: Executors) -> Execute:
    async def execute(call: NodeCall) -> Outcome:
        if not is_pure(call.node_type):
            return await executors.execute(call)
        return pure_outcome(execute_pure(call.node_type, call.config, call.inputs))

    return execute


async def _partitions(kafka: KafkaSettings, topic: str) -> int:
    return (await partition_counts(kafka))[kafka.full_name(topic)]


def _shell(settings: WorkerSettings, kafka: KafkaSettings) -> ShellSettings:
    return ShellSettings(
        kafka=kafka,
        worker_id=settings.worker_id,
        data_dir=settings.data_dir / "workers",
        store=settings.store,
        drain_timeout_s=settings.drain_timeout_s,
    )
