"""Conditions on metadata as SQL: values travel as parameters, names of fields too. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ingress.wire import RequestBody
from schemas.nodes.knowledge_retrieval import Operator

_MOST_TERMS = 500
"""Conditions, and values of their lists: ClickHouse takes no statement of more than 256 KiB."""


class Condition(RequestBody):
    """One condition. A document without the field meets only `empty`, `is not`, `not contains`, `not in`."""

    model_config = {"extra": "ignore"}

    name: str
    """A key of the document's metadata, or `document_name`."""
    comparison_operator: Operator
    value: str | float | list[str] | None = None


class Conditions(RequestBody):
    """Which documents to search in."""

    model_config = {"extra": "ignore"}

    logical_operator: Literal["and", "or"] = "and"
    conditions: list[Condition] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_one_statement(self) -> Self:
        lists = (_texts(one.value) for one in self.conditions if one.comparison_operator in ("in", "not in"))
        terms = len(self.conditions) + sum(map(len, lists))
        if terms > _MOST_TERMS:
            raise ValueError(f"has {terms} conditions and values, at most {_MOST_TERMS} are possible")
        return self


_TEXT = (
    "if({{k{i}:String}} = 'document_name', name, "
    "if(JSONType(metadata, {{k{i}:String}}) = 'String', JSONExtractString(metadata, {{k{i}:String}}), "
    "if(JSONType(metadata, {{k{i}:String}}) = 'Null', '', JSONExtractRaw(metadata, {{k{i}:String}}))))"
)
_VALUE = "{{v{i}:String}}"
_NUMBER = "toFloat64OrNull({0})"
_TIME = (
    "coalesce(toFloat64OrNull({0}), toFloat64(toUnixTimestamp(parseDateTimeBestEffortOrNull({0}, 'UTC'))))"
)

_AS_TEXT: Mapping[str, str] = {
    "contains": "position({0}, {1}) > 0",
    "not contains": "position({0}, {1}) = 0",
    "start with": "startsWith({0}, {1})",
    "end with": "endsWith({0}, {1})",
    "is": "{0} = {1}",
    "is not": "{0} != {1}",
    "empty": "{0} = ''",
    "not empty": "{0} != ''",
}
_AS_NUMBER: Mapping[str, str] = {"=": "=", "≠": "!=", ">": ">", "<": "<", "≥": ">=", "≤": "<="}
_AS_TIME: Mapping[str, str] = {"before": "<", "after": ">"}


def as_sql(conditions: Conditions | None) -> tuple[str, dict[str, str]]:
    """An expression over `name` and `metadata`, and its parameters. `1` where there are no conditions."""
    if conditions is None or not conditions.conditions:
        return "1", {}
    parts, parameters = [], {}
    for i, condition in enumerate(conditions.conditions):
        part, values = _condition(i, condition)
        parts.append(f"({part})")
        parameters.update(values)
    return f" {conditions.logical_operator.upper()} ".join(parts), parameters


def _condition(i: int, condition: Condition) -> tuple[str, dict[str, str]]:
    field, value, operator = _TEXT.format(i=i), _VALUE.format(i=i), condition.comparison_operator
    parameters = {f"k{i}": condition.name, f"v{i}": _text(condition.value)}
    if operator in _AS_TEXT:
        return _AS_TEXT[operator].format(field, value), parameters
    if operator in _AS_NUMBER:
        return _compared(_NUMBER.format, field, _AS_NUMBER[operator], value), parameters
    if operator in _AS_TIME:
        return _compared(_TIME.format, field, _AS_TIME[operator], value), parameters
    wanted = [f"{{v{i}_{n}:String}}" for n, _ in enumerate(_texts(condition.value))]
    parameters |= {f"v{i}_{n}": one for n, one in enumerate(_texts(condition.value))}
    found = f"{field} IN ({', '.join(wanted)})" if wanted else "0"
    return found if operator == "in" else f"NOT ({found})", parameters


def _compared(convert: Callable[[str], str], field: str, operator: str, value: str) -> str:
    """False where either is none of the kind."""
    return f"ifNull({convert(field)} {operator} {convert(value)}, 0)"


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None or isinstance(value, list) else str(value)


def _texts(value: Any) -> Sequence[str]:
    """A list may be written with commas, as in Dify."""
    if isinstance(value, list):
        return value
    return [part.strip() for part in _text(value).split(",") if part.strip()]
