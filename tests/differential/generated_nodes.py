"""Random nodes, one of each kind that has no nodes inside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.differential.compare import OWN_WORDING
from tests.graphs import Json, answer, case, condition, if_else, named, node, template

TEXT, NUMBER, FLAG, TEXTS, NUMBERS, ANY = "text", "number", "flag", "texts", "numbers", "any"

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True, slots=True)
class Variable:
    """What a node may refer to."""

    selector: tuple[str, ...]
    kind: str
    """What it is, if it is there at all: branches may have been skipped."""

    @property
    def template(self) -> str:
        """As texts refer to it."""
        return "{{#" + ".".join(self.selector) + "#}}"


Scope = Sequence[Variable]


@dataclass(frozen=True, slots=True)
class Made:
    """A node, what it puts out and the handles by which it is left."""

    node: Json
    outputs: Mapping[str, str]
    """Name -> kind."""
    handles: tuple[str, ...] = ("source",)


def pick(draw: Draw, scope: Scope, *kinds: str) -> Variable:
    """A variable of one of the kinds. The start node has one of each."""
    found: Variable = draw(st.sampled_from([one for one in scope if not kinds or one.kind in kinds]))
    return found


def condition_on(draw: Draw, scope: Scope) -> Json:
    """A condition that fits its variable."""
    variable = pick(draw, scope, TEXT, NUMBER, FLAG, TEXTS)
    operators: dict[str, list[tuple[str, Any]]] = {
        TEXT: [("contains", "a"), ("is", "b"), ("empty", ""), ("not empty", ""), ("in", ["a"])],
        NUMBER: [("=", "1"), (">", "0"), ("≤", "1"), ("≠", "2"), ("null", None), ("exists", None)],
        FLAG: [("is", "true"), ("is not", "true")],
        TEXTS: [("contains", "a"), ("not contains", "b"), ("empty", ""), ("not empty", "")],
    }  # fmt: skip
    operator, value = draw(st.sampled_from(operators[variable.kind]))
    return condition(list(variable.selector), operator, value)


def _strategy(draw: Draw, default: Json) -> tuple[Json, tuple[str, ...]]:
    """How a node that may fail is to fail, and its handles."""
    retries = {"retry_enabled": True, "max_retries": 2, "retry_interval": 1}
    data: Json = {"retry_config": retries} if draw(st.integers(0, 3)) == 0 else {}
    match draw(st.sampled_from((None, "fail-branch", "default-value"))):
        case "fail-branch":
            good = draw(st.sampled_from(("source", "success-branch")))
            return {**data, "error_strategy": "fail-branch"}, (good, "fail-branch")
        case "default-value":
            return {**data, "error_strategy": "default-value", "default_value": [default]}, ("source",)
        case _:
            return data, ("source",)


def _template(draw: Draw, node_id: str, scope: Scope) -> Made:
    a, b = pick(draw, scope), pick(draw, scope)
    texts = ("{{ a }}", "{{ a }}{{ b }}", "{% if a %}{{ b }}{% else %}no{% endif %}", "a", "{{ a or b }}b")
    made = template(node_id, draw(st.sampled_from(texts)), a=list(a.selector), b=list(b.selector))
    return Made(made, {"output": TEXT})


_SCRIPTS = {
    TEXT: ("string", "str(a)", {"type": "string", "value": "d"}),
    NUMBER: ("number", "len(str(a))", {"type": "number", "value": "4"}),
    TEXTS: ("array[string]", "[str(a), 'b']", {"type": "array[string]", "value": '["d"]'}),
}


def _code(draw: Draw, node_id: str, scope: Scope) -> Made:
    """Fails for some values, or not at all."""
    kind = draw(st.sampled_from(sorted(_SCRIPTS)))
    declared, returned, default = _SCRIPTS[kind]
    bad = draw(st.sampled_from(("b", "1", "~", "~")))
    check = f"    if {bad!r} in str(a):\n        raise ValueError('no')\n"
    script = f"def main(a):\n{check}    return {{'r': {returned}}}"
    data, handles = _strategy(draw, {"key": "r", **default})
    variables = named({"a": list(pick(draw, scope).selector)})
    outputs = {"r": {"type": declared, "children": None}}
    made = node(
        node_id, "code", code=script, code_language="python3", variables=variables, outputs=outputs, **data
    )
    return Made(made, {"r": kind, "error_type": TEXT}, handles)


def _if_else(draw: Draw, node_id: str, scope: Scope) -> Made:
    ids = ("one", "two")[: draw(st.integers(1, 2))]
    logical = st.sampled_from(("and", "or"))
    cases = [
        case(
            each, *(condition_on(draw, scope) for _ in range(draw(st.integers(1, 2)))), logical=draw(logical)
        )
        for each in ids
    ]
    return Made(if_else(node_id, *cases), {"result": FLAG, "selected_case_id": TEXT}, (*ids, "false"))


def _aggregator(draw: Draw, node_id: str, scope: Scope) -> Made:
    def paths() -> list[list[str]]:
        return [list(pick(draw, scope, TEXT).selector) for _ in range(draw(st.integers(1, 3)))]

    if draw(st.booleans()):
        data = {"output_type": "string", "variables": paths()}
        return Made(node(node_id, "variable-aggregator", **data), {"output": TEXT})
    groups = [
        {"groupId": name, "group_name": name, "output_type": "string", "variables": paths()}
        for name in ("g", "h")
    ]
    settings = {"group_enabled": True, "groups": groups}
    data = {"output_type": "string", "variables": []}
    made = node(node_id, "variable-aggregator", **data, advanced_settings=settings)
    return Made(made, {"g.output": TEXT, "h.output": TEXT})


def _list_operator(draw: Draw, node_id: str, scope: Scope) -> Made:
    variable = pick(draw, scope, TEXTS, NUMBERS)
    comparison = ("contains", "a") if variable.kind == TEXTS else (">", "1")
    on = st.booleans()
    conditions = [{"key": "", "comparison_operator": comparison[0], "value": comparison[1]}]
    data = {
        "variable": list(variable.selector),
        "filter_by": {"enabled": draw(on), "conditions": conditions},
        "order_by": {"enabled": draw(on), "key": "", "value": draw(st.sampled_from(("asc", "desc")))},
        "limit": {"enabled": draw(on), "size": draw(st.integers(1, 3))},
        "extract_by": {"enabled": draw(on), "serial": draw(st.sampled_from(("1", "2")))},
    }
    kind = TEXT if variable.kind == TEXTS else NUMBER
    outputs = {"result": variable.kind, "first_record": kind, "last_record": kind}
    return Made(node(node_id, "list-operator", **data), outputs)


def _llm(draw: Draw, node_id: str, scope: Scope) -> Made:
    name = draw(st.sampled_from(("m", "m", "broken")))
    data, handles = _strategy(draw, {"key": "text", "type": "string", "value": "d"})
    model = {"provider": "p", "name": name, "mode": "chat", "completion_params": {}}
    prompt = [{"role": "user", "text": f"say {pick(draw, scope).template}"}]
    more = {"context": {"enabled": False, "variable_selector": []}, "vision": {"enabled": False}, **data}
    made = node(node_id, "llm", model=model, prompt_template=prompt, **more)
    return Made(made, {"text": TEXT, "error_type": TEXT}, handles)


def _asking(draw: Draw, scope: Scope) -> Json:
    model = {"provider": "p", "name": OWN_WORDING, "mode": "chat", "completion_params": {}}
    return {"model": model, "instruction": pick(draw, scope).template, "vision": {"enabled": False}}


def _classifier(draw: Draw, node_id: str, scope: Scope) -> Made:
    classes = [{"id": "1", "name": "A"}, {"id": "2", "name": "B"}]
    query = list(pick(draw, scope, TEXT).selector)
    data = {**_asking(draw, scope), "query_variable_selector": query, "classes": classes}
    made = node(node_id, "question-classifier", **data)
    return Made(made, {"class_name": TEXT, "class_id": TEXT}, ("1", "2"))


def _extractor(draw: Draw, node_id: str, scope: Scope) -> Made:
    parameters = [
        {"name": "word", "type": "string", "required": True, "description": ""},
        {"name": "count", "type": "number", "required": False, "description": ""},
    ]
    query = list(pick(draw, scope, TEXT).selector)
    data = {**_asking(draw, scope), "query": query, "parameters": parameters, "reasoning_mode": "prompt"}
    made = node(node_id, "parameter-extractor", **data)
    return Made(made, {"word": TEXT, "count": NUMBER, "__is_success": NUMBER})


def _request(draw: Draw, node_id: str, scope: Scope) -> Made:
    status = draw(st.sampled_from((200, 200, 404)))
    data, handles = _strategy(draw, {"key": "body", "type": "string", "value": "d"})
    body = {"type": "raw-text", "data": [{"type": "text", "key": "", "value": pick(draw, scope).template}]}
    made = node(
        node_id,
        "http-request",
        method="post",
        url=f"{{{{#env.base#}}}}/echo?status={status}",
        authorization={"type": "no-auth", "config": None},
        headers="X-A: " + pick(draw, scope, NUMBER).template,
        params="",
        body=body,
        timeout=None,
        **data,
    )
    return Made(made, {"body": TEXT, "status_code": NUMBER, "error_type": TEXT}, handles)


def _tool(draw: Draw, node_id: str, scope: Scope) -> Made:
    given = pick(draw, scope, TEXT, NUMBER, TEXTS)
    mixed = {"type": "mixed", "value": "x" + pick(draw, scope, TEXT).template}
    parameters = {"text": mixed, "any": {"type": "variable", "value": list(given.selector)}}
    data, handles = _strategy(draw, {"key": "text", "type": "string", "value": "d"})
    made = node(
        node_id, "tool", provider_id="p", provider_type="api", provider_name="p", tool_label="T",
        tool_name=draw(st.sampled_from(("works", "works", "fails"))), tool_configurations={},
        tool_parameters=parameters, tool_node_version="2", **data,
    )  # fmt: skip
    return Made(made, {"text": TEXT, "json": ANY, "error_type": TEXT}, handles)


TOOLS: dict[str, Json] = {
    "works": {
        "parameters": {"text": {"type": "string"}, "any": {}},
        "body": '{"a": 1}',
        "type": "application/json",
    },
    "fails": {
        "parameters": {"text": {"type": "string"}, "any": {}},
        "body": "no",
        "type": "text/plain",
        "status": 500,
    },
}
CONVERSATION = {"s": ("string", TEXT), "n": ("number", NUMBER), "l": ("array[string]", TEXTS)}


def assigner(draw: Draw, node_id: str, scope: Scope) -> Made:
    """Changes a conversation variable."""
    name = draw(st.sampled_from(sorted(CONVERSATION)))
    kind = CONVERSATION[name][1]
    constants: dict[str, list[tuple[str, Any]]] = {
        TEXT: [("set", "c"), ("clear", None)],
        NUMBER: [("+=", 2), ("*=", 3), ("set", 1.5), ("clear", None)],
        TEXTS: [
            ("append", "z"),
            ("remove-first", None),
            ("remove-last", None),
            ("set", ["q"]),
            ("clear", None),
        ],
    }
    if kind != TEXTS and draw(st.booleans()):
        item = {
            "operation": "over-write",
            "input_type": "variable",
            "value": list(pick(draw, scope, kind).selector),
        }
    else:
        operation, value = draw(st.sampled_from(constants[kind]))
        item = {"operation": operation, "input_type": "constant", "value": value}
    items = [{"variable_selector": ["conversation", name], **item}]
    return Made(node(node_id, "assigner", version="2", items=items), {})


def reply(draw: Draw, node_id: str, scope: Scope) -> Made:
    """An answer."""
    text = f"<{pick(draw, scope).template}|{pick(draw, scope, TEXT).template}>"
    return Made(answer(node_id, text), {"answer": TEXT})


LEAVES = (
    _template, _code, _if_else, _aggregator, _list_operator, _llm, _classifier, _extractor, _request, _tool,
)  # fmt: skip
