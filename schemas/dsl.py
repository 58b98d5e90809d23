"""Dify DSL files (`kind: app`) and plain graph JSON: reading, with every problem named, and writing.

Source of the format: what Dify exports (api/services/app_dsl_service.py there), DSL 0.1 to 0.6. Dify reads
files of other versions once its user has agreed; here they are read at once, and what is wrong is named.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml

from schemas.declarations import CONVERSATION, ENVIRONMENT, read_declarations
from schemas.document import read_document
from schemas.errors import InvalidDefinition, Problem
from schemas.graph import check
from schemas.models import App, AppMode, Workflow

DSL_VERSION = "0.5.0"
"""What is written."""

_VERSION = re.compile(r"\d+(\.\d+){1,2}([-+].*)?")

Json = dict[str, Any]


@dataclass(frozen=True)
class ImportedApp:
    """What a file says, checked: its graph can be run. All values are plain JSON."""

    name: str
    mode: AppMode
    description: str
    graph: Json
    features: Json = field(default_factory=dict)
    environment_variables: list[Json] = field(default_factory=list)
    conversation_variables: list[Json] = field(default_factory=list)
    rag_pipeline_variables: list[Json] = field(default_factory=list)
    dsl_version: str = DSL_VERSION


def parse_dsl(text: str) -> ImportedApp:
    """The app of a file. Raises `InvalidDefinition` with every problem. Blocks for as long as YAML takes."""
    document = read_document(text)
    if "kind" not in document and "app" not in document and "nodes" in document:
        return _plain_graph(document)
    return _app(document)


def _plain_graph(document: Json) -> ImportedApp:
    nodes = document["nodes"] if isinstance(document["nodes"], list) else []
    types = {_type(node) for node in nodes}
    mode = AppMode.ADVANCED_CHAT if "answer" in types and "end" not in types else AppMode.WORKFLOW
    graph = {"edges": [], **document}
    _refuse(check(graph, mode))
    return ImportedApp(str(document.get("name", "")), mode, "", graph)


def _type(node: Any) -> str:
    data = node.get("data") if isinstance(node, dict) else None
    return str(data.get("type")) if isinstance(data, dict) else ""


def _app(document: Json) -> ImportedApp:
    problems: list[Problem] = []
    app = _section(document, "app", problems)
    workflow = _section(document, "workflow", problems)
    mode = _mode(app.get("mode"), problems) if app else None
    version = _version(document, problems)
    if document.get("kind", "app") != "app":
        problems.append(Problem(None, "kind", f"is {document['kind']!r}, only 'app' can be imported"))
    graph = _section(workflow, "graph", problems, "workflow.graph") if workflow else {}
    if graph:
        problems += check(graph, mode or AppMode.WORKFLOW)
    environment = read_declarations(workflow.get(ENVIRONMENT), ENVIRONMENT, "workflow.")
    conversation = read_declarations(workflow.get(CONVERSATION), CONVERSATION, "workflow.")
    problems += [*environment.problems, *conversation.problems]
    rag_pipeline = workflow.get("rag_pipeline_variables") or []
    if not isinstance(rag_pipeline, list) or not all(isinstance(one, dict) for one in rag_pipeline):
        problems.append(Problem(None, "workflow.rag_pipeline_variables", "must be a list of objects"))
    features = workflow.get("features") or {}
    if not isinstance(features, dict):
        problems.append(Problem(None, "workflow.features", "must be an object"))
    _refuse(problems)
    return ImportedApp(
        name=str(app.get("name") or ""),
        mode=mode or AppMode.WORKFLOW,
        description=str(app.get("description") or ""),
        graph=graph,
        features=features,
        environment_variables=environment.variables,
        conversation_variables=conversation.variables,
        rag_pipeline_variables=rag_pipeline,
        dsl_version=version,
    )


def _section(parent: Json, name: str, problems: list[Problem], place: str | None = None) -> Json:
    value = parent.get(name)
    if isinstance(value, dict) and value:
        return value
    problems.append(Problem(None, place or name, "is missing" if not value else "must be an object"))
    return {}


def _mode(value: Any, problems: list[Problem]) -> AppMode | None:
    try:
        return AppMode(value)
    except ValueError:
        known = " and ".join(AppMode)
        problems.append(Problem(None, "app.mode", f"is {value!r}, only {known} have a graph"))
        return None


def _version(document: Json, problems: list[Problem]) -> str:
    """Dify takes a file without a version for 0.1.0; an unquoted 0.3 is a number in YAML."""
    version = str(document.get("version") or "0.1.0")
    if not _VERSION.fullmatch(version):
        problems.append(Problem(None, "version", f"is {version!r}, should be like {DSL_VERSION}"))
    return version


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InvalidDefinition(problems)


def export_dsl(app: App, workflow: Workflow) -> str:
    """The file that Dify and `parse_dsl` read. Secrets are written as they are: the caller masks them."""
    document: Mapping[str, Any] = {
        "app": {"description": app.description, "mode": app.mode.value, "name": app.name},
        "dependencies": [],
        "kind": "app",
        "version": DSL_VERSION,
        "workflow": {
            "conversation_variables": workflow.conversation_variables,
            "environment_variables": workflow.environment_variables,
            "features": workflow.features,
            "graph": workflow.graph,
            "rag_pipeline_variables": workflow.rag_pipeline_variables,
        },
    }
    # A round trip through JSON: what is shared in memory would otherwise be written as YAML aliases.
    return yaml.safe_dump(orjson.loads(orjson.dumps(document)), allow_unicode=True, sort_keys=True)
