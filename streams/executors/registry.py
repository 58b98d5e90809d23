"""Composition root of the executors: opens what they share, finds the one for a node type."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from streams.executors.agent.executor import AgentExecutor
from streams.executors.catalog import Catalog
from streams.executors.code import CodeExecutor
from streams.executors.documents.executor import DocumentExtractorExecutor
from streams.executors.documents.processes import DocumentParsers
from streams.executors.files import Files
from streams.executors.http_request import HttpRequestExecutor
from streams.executors.knowledge.executor import KnowledgeRetrievalExecutor
from streams.executors.knowledge.sources import Sources
from streams.executors.models.finding import Models
from streams.executors.models.llm import LLMExecutor
from streams.executors.models.parameter_extractor import ParameterExtractorExecutor
from streams.executors.models.question_classifier import QuestionClassifierExecutor
from streams.executors.outcome import NodeCall, NodeExecutor, Outcome
from streams.executors.sandbox.capabilities import Capabilities
from streams.executors.sandbox.sandboxes import Sandboxes, open_sandboxes
from streams.executors.settings import ExecutorSettings
from streams.executors.tools.executor import ToolExecutor
from streams.executors.tools.sources import open_toolbox
from transport.egress import EgressPolicy
from transport.files import FileStore
from transport.guarded_session import EgressGuard
from transport.telemetry.work import TraceHosts


class Executors:
    """Valid inside the `build_executors` block that made it. `execute` may be called concurrently."""

    def __init__(self, by_type: Mapping[str, NodeExecutor], sandboxes: Sandboxes) -> None:
        self._by_type = by_type
        self._sandboxes = sandboxes

    @property
    def node_types(self) -> frozenset[str]:
        """What `execute` knows."""
        return frozenset(self._by_type)

    def capabilities(self) -> Capabilities:
        """What isolates code nodes on this machine."""
        return self._sandboxes.capabilities()

    async def execute(self, call: NodeCall) -> Outcome:
        """Executes one node; see `NodeExecutor` for what is an outcome and what is raised."""
        executor = self._by_type.get(call.node_type)
        if executor is None:
            known = ", ".join(sorted(self._by_type))
            error = f"No executor for nodes of type {call.node_type!r} (there are: {known})"
            return Outcome("failed", error=error, error_type="UnknownNodeTypeError")
        return await executor(call)


@asynccontextmanager
async def build_executors(
    settings: ExecutorSettings, catalog: Catalog, store: FileStore
) -> AsyncIterator[Executors]:
    """Starts the sandbox and the HTTP client; ends them on leaving. `catalog`: what tenants have configured;
    `store`: the files that nodes read and make.

    Raises `SandboxError` when no script could be run here, `ValueError` for a bad allow-list.
    """
    policy = EgressPolicy(settings.egress.allow)
    guard = EgressGuard(policy, TraceHosts(settings.traces.hosts))
    async with (
        open_sandboxes(settings.sandbox, policy) as sandboxes,
        guard.session() as session,
        # What the operator has named needs no guard: the ingress is on an address of this network.
        aiohttp.ClientSession() as own,
        DocumentParsers(settings.documents) as parsers,
        AsyncExitStack() as stack,
    ):
        files = Files(store, session, settings.files)
        models = Models(catalog, session)
        toolbox = await stack.enter_async_context(
            open_toolbox(catalog, session, guard, files, settings.http, settings.tools)
        )
        by_type: dict[str, NodeExecutor] = {
            "code": CodeExecutor(sandboxes, catalog, settings.sandbox.output),
            "http-request": HttpRequestExecutor(session, guard, settings.http, files),
            "llm": LLMExecutor(models, files.read_file, files.save_file),
            "question-classifier": QuestionClassifierExecutor(models, files.read_file),
            "parameter-extractor": ParameterExtractorExecutor(models, files.read_file),
            "tool": ToolExecutor(toolbox),
            "agent": AgentExecutor(models, toolbox, settings.agent),
            "document-extractor": DocumentExtractorExecutor(parsers, files.read_file),
            "knowledge-retrieval": KnowledgeRetrievalExecutor(
                Sources(catalog, session, own, settings.knowledge), models
            ),
        }
        yield Executors(by_type, sandboxes)
