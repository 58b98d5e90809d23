"""start: the inputs of the run, checked against the form and brought to its types."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from schemas.files import FILE_IDENTITY
from schemas.ids import canonical_json
from schemas.nodes.start import InputType, InputVariable, StartData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import INPUTS, Pool

Coercion = Callable[[InputVariable, Any], Any]
"""The value in the field's type. Raises `ValueError`, whose text completes "<variable> in input form ..."."""

_INT64 = 2**63
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class StartNode:
    """Inputs that are not in the form are left out."""

    variables: tuple[tuple[InputVariable, Coercion], ...]

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`. The outputs show the system variables as well, as `sys.<name>`."""
        given = pool.get(INPUTS, {})
        inputs = {field.variable: _value(field, coerce, given) for field, coerce in self.variables}
        outputs = dict(inputs)
        for name, value in pool["sys"].items():
            outputs[f"sys.{name}"] = value
        return Outcome(inputs, outputs)


def compile_start(data: StartData) -> StartNode:
    """The form, with the coercion of each field looked up."""
    return StartNode(tuple((field, _COERCIONS[field.type]) for field in data.variables))


def _value(field: InputVariable, coerce: Coercion, given: Mapping[str, Any]) -> Any:
    value = given.get(field.variable)
    if value is None:
        if field.required:
            raise NodeFailure(f"{field.variable} is required in input form", "InvalidInput", given)
        value = field.default
        if value is None:
            return None
    try:
        return coerce(field, value)
    except (ValueError, Unresolvable, RecursionError) as wrong:
        raise NodeFailure(f"{field.variable} in input form {wrong}", "InvalidInput", given) from wrong


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value.replace("\0", "")


def _text(field: InputVariable, value: Any) -> str:
    text = _string(value)
    if field.max_length and len(value) > field.max_length:
        raise ValueError(f"must be at most {field.max_length} characters long, has {len(value)}")
    return text


def _select(field: InputVariable, value: Any) -> str:
    if _string(value) not in field.options:
        raise ValueError(f"must be one of {', '.join(field.options)}")
    return _string(value)


def _number(_: InputVariable, value: Any) -> int | float | None:
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            value = float(value) if "." in value else int(value)
        except ValueError:
            raise ValueError("must be a valid number") from None
    if not isinstance(value, int | float):
        raise ValueError("must be a number")
    if not math.isfinite(value) or (isinstance(value, int) and not -_INT64 <= value < _INT64):
        raise ValueError("must be a finite number, an integer of at most 64 bits")
    return value


def _checkbox(_: InputVariable, value: Any) -> Any:
    """What is neither true nor false stays, as in Dify."""
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    return value


def _object(field: InputVariable, value: Any) -> Any:
    if value and not isinstance(value, dict):
        raise ValueError("must be an object")
    if value and field.json_schema:
        wrong = best_match(_validator(canonical_json(field.json_schema)).iter_errors(value))
        if wrong is not None:
            raise ValueError(f"does not match its schema at {wrong.json_path}: {wrong.message}")
    return value


@lru_cache(maxsize=1000)
def _validator(schema: bytes) -> Any:
    # With a registry of its own: the default one would fetch a $ref from the network.
    return Draft7Validator(orjson.loads(schema), registry=Registry())


def _file(field: InputVariable, value: Any) -> Any:
    if value == "" and not field.required:
        return None
    if not isinstance(value, dict):
        raise ValueError("must be a file")
    return _marked(value)


def _file_list(field: InputVariable, value: Any) -> Any:
    if value == "" and not field.required:
        return None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("must be a list of files")
    if field.max_length and len(value) > field.max_length:
        raise ValueError(f"must be at most {field.max_length} files, has {len(value)}")
    return [_marked(item) for item in value]


def _marked(file: dict[str, Any]) -> dict[str, Any]:
    """A file as the nodes know it. A remote file is given by `url`, an uploaded one by its id."""
    url = file.get("remote_url") or file.get("url")
    related = file.get("related_id") or file.get("upload_file_id")
    return {**file, "dify_model_identity": FILE_IDENTITY, "remote_url": url, "related_id": related}


_COERCIONS: Mapping[InputType, Coercion] = {
    InputType.TEXT_INPUT: _text,
    InputType.PARAGRAPH: _text,
    InputType.SELECT: _select,
    InputType.NUMBER: _number,
    InputType.CHECKBOX: _checkbox,
    InputType.JSON_OBJECT: _object,
    InputType.OBJECT: _object,
    InputType.FILE: _file,
    InputType.FILE_LIST: _file_list,
}
