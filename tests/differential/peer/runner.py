"""The peer: runs graphs on `graphon`, Dify's own engine. A program of its own, for Python 3.12 or newer.

Reads jobs from stdin and writes what came of each to stdout, a line of JSON for each. A job is what
`tests.differential.job.Job.for_peer` makes; for the result see `run`.
"""

import json
import sys
import time
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

# Spreadsheets are not compared, and these two are most of what graphon would install.
sys.modules["pandas"] = types.ModuleType("pandas")
sys.modules["odfdo"] = types.ModuleType("odfdo")
sys.modules["odfdo"].Document = object  # type: ignore[attr-defined]

import patches  # noqa: E402
from canned import CannedModel, CannedPerson, CannedTool, Scripts, Templates, Verbatim  # noqa: E402
from canned_files import NoFiles, RemoteFiles, with_files  # noqa: E402
from graphon.dsl import importer  # noqa: E402
from graphon.dsl.entities import DslCredentials, DslKind  # noqa: E402
from graphon.dsl.node_factory import SlimDslNodeFactory, _code_limits, _NodeBuildRequest  # noqa: E402
from graphon.engine import Engine  # noqa: E402
from graphon.engine.layer import ExecutionLimitsLayer  # noqa: E402
from graphon.engine_events import (  # noqa: E402
    GraphRunAbortedEvent,
    GraphRunFailedEvent,
    GraphRunPartialSucceededEvent,
    GraphRunPausedEvent,
    GraphRunSucceededEvent,
    NodeEvent,
    NodeRunExceptionEvent,
    NodeRunFailedEvent,
    NodeRunRetryEvent,
    NodeRunStartedEvent,
    NodeRunSucceededEvent,
)
from graphon.enums import BuiltinNodeTypes  # noqa: E402
from graphon.file.runtime import use_workflow_file_runtime  # noqa: E402
from graphon.graph.graph import Graph  # noqa: E402
from graphon.nodes.code.code_node import CodeNode  # noqa: E402
from graphon.nodes.code.entities import CodeNodeData  # noqa: E402
from graphon.nodes.document_extractor import DocumentExtractorNode  # noqa: E402
from graphon.nodes.http_request.config import build_http_request_config  # noqa: E402
from graphon.nodes.http_request.entities import HttpRequestNodeData  # noqa: E402
from graphon.nodes.http_request.node import HttpRequestNode, HttpRequestNodeDependencies  # noqa: E402
from graphon.nodes.human_input.entities import HumanInputNodeData  # noqa: E402
from graphon.nodes.human_input.human_input_node import HumanInputNode  # noqa: E402
from graphon.nodes.llm import LLMNode, LLMNodeData  # noqa: E402
from graphon.nodes.parameter_extractor.entities import ParameterExtractorNodeData  # noqa: E402
from graphon.nodes.parameter_extractor.parameter_extractor_node import ParameterExtractorNode  # noqa: E402
from graphon.nodes.question_classifier import (  # noqa: E402
    QuestionClassifierNode,
    QuestionClassifierNodeData,
    QuestionClassifierNodeDependencies,
)
from graphon.nodes.template_transform.entities import TemplateTransformNodeData  # noqa: E402
from graphon.nodes.template_transform.template_transform_node import TemplateTransformNode  # noqa: E402
from graphon.nodes.tool.entities import ToolNodeData  # noqa: E402
from graphon.nodes.tool.tool_node import ToolNode  # noqa: E402
from graphon.runtime.init_params import InitParams  # noqa: E402
from graphon.runtime.runtime_state import RuntimeState  # noqa: E402
from graphon.runtime.variable_pool import VariablePool  # noqa: E402
from graphon.workflow_type_encoder import WorkflowRuntimeTypeConverter  # noqa: E402

Json = dict[str, Any]

_MAX_STEPS = 500
_MAX_RUN_S = 60
_RUN_ENDS: Mapping[type, str] = {
    GraphRunSucceededEvent: "SUCCEEDED",
    GraphRunPartialSucceededEvent: "PARTIAL_SUCCEEDED",
    GraphRunFailedEvent: "FAILED",
    GraphRunAbortedEvent: "STOPPED",
    GraphRunPausedEvent: "PAUSED",
}
_NODE_ENDS: Mapping[type, str] = {
    NodeRunSucceededEvent: "succeeded",
    NodeRunFailedEvent: "failed",
    NodeRunExceptionEvent: "exception",
    NodeRunRetryEvent: "retry",
}


@dataclass(slots=True)
class Outside:
    """What a job says of the world, and what the nodes asked of it."""

    models: Mapping[str, Json]
    tools: Mapping[str, Json]
    answers: Mapping[str, Json]
    asked: list[Json] = field(default_factory=list)
    called: list[Json] = field(default_factory=list)

    def model(self, data: Mapping[str, Any]) -> CannedModel:
        return CannedModel(data["model"], self.models[data["model"]["name"]], self.asked)


@dataclass(slots=True)
class Factory(SlimDslNodeFactory):
    """Builds graphon's own nodes; only their collaborators are ours."""

    outside: Outside = field(kw_only=True)

    def _request(self, request: _NodeBuildRequest) -> Json:
        return {
            "node_id": request.node_id,
            "init_params": self.init_params,
            "runtime_state": self.runtime_state,
        }

    def _resolve_slim_llm_settings(
        self, *, node_id: str, data: Mapping[str, Any], node_type_label: str
    ) -> Any:
        return dict(data), "", "", {}

    def _resolve_tool_runtime_settings(self, node_data: ToolNodeData) -> Any:
        return None

    def _template(self, request: _NodeBuildRequest) -> TemplateTransformNode:
        data = TemplateTransformNodeData.model_validate(request.data_payload)
        return TemplateTransformNode(
            data=data, jinja2_template_renderer=Templates(), **self._request(request)
        )

    def _code(self, request: _NodeBuildRequest) -> CodeNode:
        return CodeNode(
            data=CodeNodeData.model_validate(request.data_payload),
            code_executor=Scripts(),
            code_limits=_code_limits(DslCredentials().code),
            **self._request(request),
        )

    def _http(self, request: _NodeBuildRequest) -> HttpRequestNode:
        return HttpRequestNode(
            data=HttpRequestNodeData.model_validate(request.data_payload),
            http_request_config=build_http_request_config(),
            dependencies=HttpRequestNodeDependencies(
                tool_file_manager_factory=NoFiles, file_manager=NoFiles(), file_reference_factory=NoFiles()
            ),
            **self._request(request),
        )

    def _tool(self, request: _NodeBuildRequest) -> ToolNode:
        data = ToolNodeData.model_validate(request.data_payload)
        return ToolNode(
            data=data,
            tool_file_manager=NoFiles(),
            runtime=CannedTool(data.tool_name, self.outside.tools[data.tool_name], self.outside.called),
            **self._request(request),
        )

    def _person(self, request: _NodeBuildRequest) -> HumanInputNode:
        return HumanInputNode(
            data=HumanInputNodeData.model_validate(request.data_payload),
            hitl_callback=CannedPerson(request.data_payload, self.outside.answers.get(request.node_id)),
            **self._request(request),
        )

    def _llm(self, request: _NodeBuildRequest) -> LLMNode:
        return LLMNode(
            data=LLMNodeData.model_validate(request.data_payload),
            model_instance=self.outside.model(request.data_payload),
            llm_file_saver=NoFiles(),
            prompt_message_serializer=Verbatim(),
            default_query_selector=("sys", "query"),
            jinja2_template_renderer=Templates(),
            **self._request(request),
        )

    def _classifier(self, request: _NodeBuildRequest) -> QuestionClassifierNode:
        return QuestionClassifierNode(
            data=QuestionClassifierNodeData.model_validate(request.data_payload),
            dependencies=QuestionClassifierNodeDependencies(
                model_instance=self.outside.model(request.data_payload),
                template_renderer=Templates(),
                llm_file_saver=NoFiles(),
                prompt_message_serializer=Verbatim(),
            ),
            **self._request(request),
        )

    def _extractor(self, request: _NodeBuildRequest) -> ParameterExtractorNode:
        return ParameterExtractorNode(
            data=ParameterExtractorNodeData.model_validate(request.data_payload),
            model_instance=self.outside.model(request.data_payload),
            prompt_message_serializer=Verbatim(),
            **self._request(request),
        )

    def _documents(self, request: _NodeBuildRequest) -> DocumentExtractorNode:
        data = DocumentExtractorNode.validate_node_data(request.data)
        return DocumentExtractorNode(data=data, **self._request(request))

    NODE_BUILDERS: ClassVar[Mapping[Any, Any]] = {
        **SlimDslNodeFactory.NODE_BUILDERS,
        BuiltinNodeTypes.TEMPLATE_TRANSFORM: _template,
        BuiltinNodeTypes.CODE: _code,
        BuiltinNodeTypes.HTTP_REQUEST: _http,
        BuiltinNodeTypes.TOOL: _tool,
        BuiltinNodeTypes.HUMAN_INPUT: _person,
        BuiltinNodeTypes.LLM: _llm,
        BuiltinNodeTypes.QUESTION_CLASSIFIER: _classifier,
        BuiltinNodeTypes.PARAMETER_EXTRACTOR: _extractor,
        BuiltinNodeTypes.DOCUMENT_EXTRACTOR: _documents,
    }


def run(job: Json) -> Json:
    """{status, error, outputs, order, nodes, asked, called}; `refused` in place of all if the graph is not
    taken. `order` are node ids as they start. A node has id, round, status, inputs, outputs, process, error;
    there is one for each attempt."""
    outside = Outside(job["models"], job["tools"], job["answers"])
    try:
        engine = _engine(job, outside)
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    result: Json = {"status": None, "error": None, "outputs": {}, "order": [], "nodes": []}
    try:
        for event in engine.run():
            _take(event, result)
    except Exception as error:
        result["error"] = result["error"] or str(error)
    return {**result, "asked": outside.asked, "called": outside.called}


def _engine(job: Json, outside: Outside) -> Engine:
    graph_config = importer._normalize_graph_config(job["graph"], kind=DslKind.APP)
    root = importer._select_root_node_id(graph_config)
    pool = VariablePool()
    for namespace, variables in (
        ("sys", [{"name": name, "value": value} for name, value in job["system"].items()]),
        ("env", job.get("environment") or []),
        ("conversation", job.get("conversation") or []),
        (root, [{"name": name, "value": value} for name, value in job["inputs"].items()]),
    ):
        for variable in variables:
            pool.add((namespace, variable["name"]), with_files(variable["value"]))
    init_params = InitParams(workflow_id="workflow", graph_config=graph_config, run_context={}, call_depth=0)
    state = RuntimeState(variable_pool=pool, start_at=time.time(), workflow_id="workflow")
    factory = Factory(
        graph_config=graph_config,
        init_params=init_params,
        runtime_state=state,
        credentials=DslCredentials(),
        dependencies=[],
        outside=outside,
    )
    graph = Graph.init(graph_config=graph_config, node_factory=factory, root_node_id=root)
    # One worker: nodes that are ready run in the order in which they became so.
    engine = Engine(graph=graph, runtime_state=state, workers=1)
    engine.add_layer(ExecutionLimitsLayer(max_steps=_MAX_STEPS, max_time=_MAX_RUN_S))
    return engine


def _take(event: Any, result: Json) -> None:
    kind = type(event)
    if kind in _RUN_ENDS:
        result["status"] = _RUN_ENDS[kind]
        result["outputs"] = plain(getattr(event, "outputs", {}))
        result["error"] = getattr(event, "error", None) or getattr(event, "reason", None)
    elif kind is NodeRunStartedEvent:
        result["order"].append(event.node_id)
    elif kind in _NODE_ENDS:
        result["nodes"].append(_node(event, _NODE_ENDS[kind]))


def _node(event: NodeEvent, status: str) -> Json:
    ran = event.node_run_result
    metadata = {str(key): value for key, value in ran.metadata.items()}
    return {
        "id": event.node_id,
        "round": [metadata.get("iteration_index"), metadata.get("loop_index")],
        "status": status,
        "inputs": plain(ran.inputs),
        "outputs": plain(ran.outputs),
        "process": plain(ran.process_data),
        "error": ran.error or getattr(event, "error", "") or None,
    }


def plain(value: Any) -> Any:
    """As Dify stores it."""
    encoded = WorkflowRuntimeTypeConverter().value_to_json_encodable_recursive(value)
    return json.loads(json.dumps(encoded, default=str))


def main() -> None:
    """One line in, one line out. What graphon prints goes to stderr."""
    answers, sys.stdout = sys.stdout, sys.stderr
    patches.apply()
    with use_workflow_file_runtime(RemoteFiles()):
        for line in sys.stdin:
            answers.write(json.dumps(run(json.loads(line))) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
