"""The node types: a model of `data` for each that runs here, and the names of those that Dify has besides."""

from collections.abc import Mapping
from typing import Any

from schemas.nodes.agent import AgentData
from schemas.nodes.answer import AnswerData
from schemas.nodes.assigner import AssignerData
from schemas.nodes.base import NodeData
from schemas.nodes.code import CodeData
from schemas.nodes.document_extractor import DocumentExtractorData
from schemas.nodes.end import EndData
from schemas.nodes.http_request import HttpRequestData
from schemas.nodes.human_input import HumanInputData
from schemas.nodes.if_else import IfElseData
from schemas.nodes.iteration import IterationData, IterationStartData
from schemas.nodes.knowledge_retrieval import KnowledgeRetrievalData
from schemas.nodes.list_operator import ListOperatorData
from schemas.nodes.llm import LLMData
from schemas.nodes.loop import LoopData, LoopEndData, LoopStartData
from schemas.nodes.parameter_extractor import ParameterExtractorData
from schemas.nodes.question_classifier import QuestionClassifierData
from schemas.nodes.start import StartData
from schemas.nodes.template_transform import TemplateTransformData
from schemas.nodes.tool import ToolData
from schemas.nodes.trigger import TriggerPluginData, TriggerScheduleData, TriggerWebhookData
from schemas.nodes.variable_aggregator import VariableAggregatorData
from schemas.nodes.wait import WaitData

NODE_DATA: Mapping[str, type[NodeData]] = {
    "start": StartData,
    "trigger-webhook": TriggerWebhookData,
    "trigger-schedule": TriggerScheduleData,
    "trigger-plugin": TriggerPluginData,
    "end": EndData,
    "answer": AnswerData,
    "if-else": IfElseData,
    "template-transform": TemplateTransformData,
    "variable-aggregator": VariableAggregatorData,
    "assigner": AssignerData,
    "list-operator": ListOperatorData,
    "code": CodeData,
    "http-request": HttpRequestData,
    "tool": ToolData,
    "agent": AgentData,
    "llm": LLMData,
    "question-classifier": QuestionClassifierData,
    "parameter-extractor": ParameterExtractorData,
    "document-extractor": DocumentExtractorData,
    "knowledge-retrieval": KnowledgeRetrievalData,
    "human-input": HumanInputData,
    "wait": WaitData,
    "iteration": IterationData,
    "iteration-start": IterationStartData,
    "loop": LoopData,
    "loop-start": LoopStartData,
    "loop-end": LoopEndData,
}

LEGACY_NAMES: Mapping[str, str] = {"variable-assigner": "variable-aggregator"}
"""Names of earlier releases of Dify."""

NOT_SUPPORTED_YET = frozenset(
    {
        "datasource",
        "knowledge-index",
    }
)
"""Known to Dify, and not to this release."""


def node_type(data: Mapping[str, Any]) -> str:
    """The execution type, by its current name."""
    name = str(data.get("type", ""))
    return LEGACY_NAMES.get(name, name)


def parse_node_data(data: Mapping[str, Any]) -> NodeData:
    """The model of a supported type's data. Raises `pydantic.ValidationError`, `KeyError` for other types."""
    return NODE_DATA[node_type(data)].model_validate(data)
