"""The node types that run here. A further type is a file beside these and a line below."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.nodes.base import NodeData
from streams.engine.nodes.agent import compile_agent
from streams.engine.nodes.answer import compile_answer
from streams.engine.nodes.assigner import compile_assigner
from streams.engine.nodes.code import compile_code
from streams.engine.nodes.document_extractor import compile_document_extractor
from streams.engine.nodes.end import compile_end
from streams.engine.nodes.http_request import compile_http_request
from streams.engine.nodes.human_input import compile_human_input
from streams.engine.nodes.if_else import compile_if_else
from streams.engine.nodes.iteration import compile_iteration
from streams.engine.nodes.knowledge_retrieval import compile_knowledge_retrieval
from streams.engine.nodes.list_operator import compile_list_operator
from streams.engine.nodes.llm import compile_llm
from streams.engine.nodes.loop import compile_loop
from streams.engine.nodes.markers import compile_marker
from streams.engine.nodes.parameter_extractor import compile_parameter_extractor
from streams.engine.nodes.protocol import ContainerNode, PauseNode, PureNode, TaskNode
from streams.engine.nodes.question_classifier import compile_question_classifier
from streams.engine.nodes.start import compile_start
from streams.engine.nodes.template_transform import compile_template_transform
from streams.engine.nodes.tool import compile_tool
from streams.engine.nodes.trigger import (
    compile_trigger_plugin,
    compile_trigger_schedule,
    compile_trigger_webhook,
)
from streams.engine.nodes.variable_aggregator import compile_variable_aggregator
from streams.engine.nodes.wait import compile_wait

# Any: each compiler takes the model of its own type, and `NODE_DATA` pairs them by the same name.
PURE: Mapping[str, Callable[[Any], PureNode]] = {
    "start": compile_start,
    "trigger-webhook": compile_trigger_webhook,
    "trigger-schedule": compile_trigger_schedule,
    "trigger-plugin": compile_trigger_plugin,
    "if-else": compile_if_else,
    "template-transform": compile_template_transform,
    "variable-aggregator": compile_variable_aggregator,
    "assigner": compile_assigner,
    "list-operator": compile_list_operator,
    "answer": compile_answer,
    "end": compile_end,
    "iteration-start": compile_marker,
    "loop-start": compile_marker,
    "loop-end": compile_marker,
}

TASKS: Mapping[str, Callable[[Any], TaskNode]] = {
    "code": compile_code,
    "http-request": compile_http_request,
    "tool": compile_tool,
    "agent": compile_agent,
    "llm": compile_llm,
    "question-classifier": compile_question_classifier,
    "parameter-extractor": compile_parameter_extractor,
    "document-extractor": compile_document_extractor,
    "knowledge-retrieval": compile_knowledge_retrieval,
}

CONTAINERS: Mapping[str, Callable[[str, Any], ContainerNode]] = {
    "iteration": compile_iteration,
    "loop": compile_loop,
}

ENTRIES = frozenset({"start", "trigger-webhook", "trigger-schedule", "trigger-plugin"})
"""Types whose nodes read what the run was given, and the variables of the system."""

PAUSES: Mapping[str, Callable[[Any], PauseNode]] = {
    "human-input": compile_human_input,
    "wait": compile_wait,
}

UNRECORDED = frozenset({"iteration-start", "loop-start"})
"""Types of nodes that leave no record and count as no step, as in Dify."""

LOOP_END = "loop-end"
"""The type of node after which the loop around it has no more rounds."""

RESPONSES = frozenset({"answer", "end"})
"""Types whose outputs are outputs of the run."""


def compile_pure(node_type: str, data: NodeData) -> PureNode:
    """Raises `KeyError` for a type that is not pure."""
    return PURE[node_type](data)


def compile_task(node_type: str, data: NodeData) -> TaskNode:
    """Raises `KeyError` for a type that is no task."""
    return TASKS[node_type](data)


def compile_pause(node_type: str, data: NodeData) -> PauseNode:
    """Raises `KeyError` for a type that does not pause."""
    return PAUSES[node_type](data)


def compile_container(node_id: str, node_type: str, data: NodeData) -> ContainerNode:
    """Raises `KeyError` for a type that is no container."""
    return CONTAINERS[node_type](node_id, data)
