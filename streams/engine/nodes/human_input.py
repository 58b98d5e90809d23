"""human-input: a form with everything filled in that the run knows, and what comes of an answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.nodes.human_input import TIMEOUT, FormInput, HumanInputData, Source
from schemas.nodes.start import InputType
from schemas.pauses import HUMAN_INPUT_REQUIRED, Answer
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Asked, Asking, Outcome
from streams.engine.pool import Pool, getter, or_none
from streams.engine.texts import Text, compile_text
from streams.engine.values import markdown, text

_OUTPUT = re.compile(r"\{\{#\$output\.([a-zA-Z_][a-zA-Z0-9_]{0,29})#\}\}")
_RULES = (
    "max_length",
    "allowed_file_types",
    "allowed_file_extensions",
    "allowed_file_upload_methods",
)


@dataclass(frozen=True, slots=True)
class HumanInputNode:
    """Its outputs are the fields of the form, `__action_id`, `__action_value` and `__rendered_content`."""

    data: HumanInputData
    content: Text
    correlation_key: Text

    def ask(self, pool: Pool, asking: Asking) -> Asked:
        """See `PauseNode.ask`."""
        metadata = {
            "type": HUMAN_INPUT_REQUIRED,
            "message": self.content(pool),
            "timeout_seconds": self.data.timeout_s,
            "inputs_schema": {field.output_variable_name: _schema(field, pool) for field in self.data.inputs},
            "actions": [action.model_dump() for action in self.data.user_actions],
        }
        if key := self.correlation_key(pool):
            metadata["correlation_key"] = key
        return Asked(metadata, asking.now_us + self.data.timeout_s * 1_000_000)

    def answered(self, metadata: Mapping[str, Any], answer: Answer) -> Outcome:
        """See `PauseNode.answered`."""
        titles = {action["id"]: action["title"] for action in metadata["actions"]}
        kinds = {name: field["type"] for name, field in metadata["inputs_schema"].items()}

        def shown(found: re.Match[str]) -> str:
            name = found[1]
            return _shown(kinds[name], answer.inputs.get(name)) if name in kinds else ""

        outputs = {
            **answer.inputs,
            "__action_id": answer.action or "",
            "__action_value": titles.get(answer.action, ""),
            "__rendered_content": _OUTPUT.sub(shown, metadata["message"]),
        }
        return Outcome(answer.inputs, outputs, handle=answer.action)

    def expired(self, metadata: Mapping[str, Any]) -> Outcome:
        """See `PauseNode.expired`."""
        outputs = {"__action_id": "", "__action_value": "", "__rendered_content": metadata["message"]}
        return Outcome({}, outputs, handle=TIMEOUT)


def compile_human_input(data: HumanInputData) -> HumanInputNode:
    """The text of the form and the key of its answers, compiled."""
    return HumanInputNode(
        data, compile_text(data.form_content, markdown), compile_text(data.correlation_key, text)
    )


def _schema(field: FormInput, pool: Pool) -> dict[str, Any]:
    """The field as `schemas.nodes.start.InputVariable` has it, but for its name."""
    schema: dict[str, Any] = {"type": field.type.value, "required": field.required}
    if field.option_source is not None:
        schema["options"] = _options(field, field.option_source, pool)
    schema |= {rule: value for rule in _RULES if (value := getattr(field, rule))}
    if field.number_limits and field.type is InputType.FILE_LIST:
        schema["max_length"] = field.number_limits
    if field.default is not None:
        # What is filled in beforehand need not be sent.
        schema |= {"default": _default(field, field.default, pool), "required": False}
    return schema


def _options(field: FormInput, source: Source, pool: Pool) -> list[str]:
    found = _value(source, pool)
    if not isinstance(found, list):
        reason = f"the options of {field.output_variable_name} must be a list"
        raise NodeFailure(reason, "HumanInputError")
    return [text(option) for option in found]


def _default(field: FormInput, source: Source, pool: Pool) -> Any:
    value = _value(source, pool)
    is_text = field.type in (InputType.TEXT_INPUT, InputType.PARAGRAPH, InputType.SELECT)
    return text(value) if is_text else value


def _value(source: Source, pool: Pool) -> Any:
    return or_none(getter(source.selector)(pool)) if source.type == "variable" else source.value


def _shown(kind: str, value: Any) -> str:
    """Within the form: files are named by their number, as in Dify."""
    if kind == InputType.FILE:
        return "[file]" if value else ""
    if kind == InputType.FILE_LIST:
        return f"[{len(value or ())} files]"
    return text(value)
