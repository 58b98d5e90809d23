"""llm, question-classifier and parameter-extractor: what an executor is told."""

from typing import Any

import pytest

from schemas.files import FILE_IDENTITY
from schemas.nodes import parse_node_data
from streams.engine.errors import NodeFailure
from streams.engine.nodes import compile_task
from streams.engine.nodes.protocol import Task

IMAGE = {"dify_model_identity": FILE_IDENTITY, "filename": "a.png", "type": "image"}
OTHER = {"dify_model_identity": FILE_IDENTITY, "filename": "a.zip", "type": "custom"}
HISTORY = [{"query": f"q{i}", "answer": f"a{i}"} for i in range(3)]
POOL: dict[str, Any] = {
    "n": {
        "q": "why {{#n.secret#}}?", "o": {"k": 1}, "no": None, "f": IMAGE, "fs": [IMAGE, OTHER], "t": "0.5",
        "found": [{"content": "C1", "summary": "S1"}, "plain {{#n.q#}}", {"content": 2}], "secret": "s3cret",
    },
    "sys": {"query": "hello", "files": [IMAGE]},
    "#history": {"turns": HISTORY},
}  # fmt: skip
MODEL = {"provider": "langgenius/openai/openai", "name": "gpt", "mode": "chat", "completion_params": {}}
MEMORY = {"window": {"enabled": True, "size": 2}}


def task(node_type: str, **data: Any) -> Task:
    parsed = parse_node_data({"type": node_type, "title": "T", "model": MODEL, **data})
    assert list(parsed.faults()) == []
    return compile_task(node_type, parsed).task(POOL)


def llm(*prompts: Any, **data: Any) -> Task:
    messages = [{"role": "user", "text": one} if isinstance(one, str) else one for one in prompts]
    return task("llm", prompt_template=messages, **data)


def test_the_least_llm() -> None:
    told = llm("hi")
    assert told.config == {
        "type": "llm",
        "title": "T",
        "model": MODEL,
        "prompts": [{"role": "user", "text": "hi", "files": []}],
        "query": None,
        "files": [],
        "detail": "high",
        "memory": None,
        "schema": None,
        "reasoning_format": "tagged",
    }
    assert told.inputs == {"model_provider": "langgenius/openai/openai", "model_name": "gpt"}


def test_prompts_are_filled_in_once_and_name_files() -> None:
    told = llm({"role": "system", "text": "{{#n.q#}} {{#n.o#}}|{{#n.no#}}|{{#n.fs#}}", "edition_type": None})
    assert told.config["prompts"] == [
        {"role": "system", "text": 'why {{#n.secret#}}? {"k": 1}||', "files": [IMAGE]}
    ]
    assert told.inputs["#n.q#"] == "why {{#n.secret#}}?"
    assert told.inputs["#n.no#"] == ""


def test_jinja_prompts_see_their_variables() -> None:
    prompt = {
        "role": "user",
        "text": "",
        "edition_type": "jinja2",
        "jinja2_text": "{% for k in o %}{{ k }}={{ o[k] }}{% endfor %}",
    }
    variables = [{"variable": "o", "value_selector": ["n", "o"]}]
    told = llm(prompt, prompt_config={"jinja2_variables": variables})
    assert told.config["prompts"][0]["text"] == "k=1"
    assert told.inputs["o"] == {"k": 1}


@pytest.mark.parametrize(
    ("data", "error_type"),
    [
        ({"prompt": "{{#n.gone#}}"}, "VariableNotFoundError"),
        (
            {"prompt_config": {"jinja2_variables": [{"variable": "x", "value_selector": ["a", "b"]}]}},
            "VariableNotFoundError",
        ),
        ({"memory": {**MEMORY, "query_prompt_template": "{{#n.gone#}}"}}, "VariableNotFoundError"),
        (
            {"vision": {"enabled": True, "configs": {"variable_selector": ["n", "q"]}}},
            "InvalidVariableTypeError",
        ),
        ({"context": {"enabled": True, "variable_selector": ["n", "fs"]}}, "InvalidContextStructureError"),
        (
            {"prompt": {"role": "user", "edition_type": "jinja2", "jinja2_text": "{{ 1 / 0 }}"}},
            "TemplateError",
        ),
    ],
)
def test_what_cannot_be_asked(data: Any, error_type: str) -> None:
    prompt = data.pop("prompt", "x")
    with pytest.raises(NodeFailure) as failure:
        llm(prompt, **data)
    assert failure.value.error_type == error_type


def test_the_context_is_put_in_and_is_no_template() -> None:
    prompt = "Use {{#context#}} for {{#sys.query#}}; {{#context#}}"
    context = {"enabled": True, "variable_selector": ["n", "found"]}
    told = llm(prompt, context=context)
    found = "S1\nC1\nplain {{#n.q#}}\n2"
    assert told.config["prompts"][0]["text"] == f"Use {found} for hello; {found}"
    assert told.inputs["#context#"] == found
    nested = {"enabled": True, "variable_selector": [["n", "q"]]}
    assert llm("{{#context#}}", context=nested).config["prompts"][0]["text"] == "why {{#n.secret#}}?"
    off = {**context, "enabled": False}
    assert llm("a{{#context#}}b", context=off).config["prompts"][0]["text"] == "ab"


@pytest.mark.parametrize(
    ("memory", "kept", "query"),
    [
        (None, None, None),
        ({}, None, None),
        (MEMORY, HISTORY[1:], {"text": "hello", "files": []}),
        ({"window": {"enabled": True, "size": 0}}, [], {"text": "hello", "files": []}),
        ({"window": {"enabled": False, "size": 1}}, HISTORY, {"text": "hello", "files": []}),
        (
            {"window": None, "query_prompt_template": "{{#sys.query#}}!\n{{#sys.files#}}"},
            HISTORY,
            {"text": "hello!\n", "files": [IMAGE]},
        ),
    ],
)
def test_memory(memory: Any, kept: Any, query: Any) -> None:
    config = llm("x", memory=memory).config
    assert (config["memory"] and config["memory"]["history"]) == kept
    assert config["query"] == query


def test_a_run_without_conversation_has_no_history_and_no_query() -> None:
    data = {"type": "llm", "model": MODEL, "prompt_template": [], "memory": MEMORY}
    config = compile_task("llm", parse_node_data(data)).task({"sys": {}}).config
    assert config["memory"] == {"role_prefix": None, "history": []}
    assert config["query"] is None


@pytest.mark.parametrize(
    ("vision", "files"),
    [
        ({"enabled": True}, [IMAGE]),
        ({"enabled": True, "configs": None}, [IMAGE]),
        ({"enabled": True, "configs": {"variable_selector": ["n", "f"]}}, [IMAGE]),
        ({"enabled": True, "configs": {"variable_selector": ["n", "found"]}}, []),
        ({"enabled": True, "configs": {"variable_selector": ["gone", "f"]}}, []),
        ({"enabled": False, "configs": {"variable_selector": ["n", "f"]}}, []),
        (None, []),
    ],
)
def test_vision(vision: Any, files: Any) -> None:
    told = llm("x", vision=vision)
    assert told.config["files"] == files
    assert told.inputs.get("#files#", []) == files


def test_parameters_may_be_variables() -> None:
    params = {
        "temperature": "{{#n.t#}}",
        "user": "{{#n.secret#}}",
        "seed": 7,
        "stop": ["a"],
        "x": "{{#sys.query#}}",
    }
    told = task("llm", prompt_template=[], model={**MODEL, "completion_params": params})
    assert told.config["model"]["completion_params"] == {
        "temperature": 0.5, "user": "s3cret", "seed": 7, "stop": ["a"], "x": "hello",
    }  # fmt: skip


def test_the_prompt_of_a_completion_model_has_no_role() -> None:
    prompt = {"text": "{{#histories#}} {{#n.t#}}", "edition_type": "basic"}
    prefix = {"user": "U", "assistant": "A"}
    told = task("llm", prompt_template=prompt, memory={**MEMORY, "role_prefix": prefix})
    assert told.config["prompts"] == [{"role": None, "text": "{{#histories#}} 0.5", "files": []}]
    assert told.config["memory"]["role_prefix"] == prefix


@pytest.mark.parametrize(
    ("data", "schema"),
    [
        ({}, None),
        ({"structured_output": {"schema": {"type": "object"}}}, None),
        (
            {"structured_output": {"schema": {"type": "object"}}, "structured_output_enabled": True},
            {"type": "object"},
        ),
        (
            {"structured_output": {"schema": {"type": "object"}}, "structured_output_switch_on": True},
            {"type": "object"},
        ),
        ({"structured_output": {}, "structured_output_enabled": True}, {}),
        ({"structured_output": None, "structured_output_enabled": True}, None),
    ],
)
def test_structured_output(data: Any, schema: Any) -> None:
    assert llm("x", **data).config["schema"] == schema


def test_question_classifier() -> None:
    classes = [{"id": "1", "name": "about {{#n.t#}}"}, {"id": "2", "name": "rest", "label": "Rest"}]
    told = task(
        "question-classifier",
        query_variable_selector=["n", "q"],
        classes=classes,
        instructions="mind {{#n.t#}}",
        vision={"enabled": True},
        memory=MEMORY,
    )
    assert told.config == {
        "type": "question-classifier",
        "title": "T",
        "model": MODEL,
        "query": "why {{#n.secret#}}?",
        "classes": [
            {"id": "1", "name": "about 0.5", "label": "CLASS 1"},
            {"id": "2", "name": "rest", "label": "Rest"},
        ],
        "instruction": "mind 0.5",
        "files": [IMAGE],
        "detail": "high",
        "memory": {"role_prefix": None, "history": HISTORY[1:]},
    }
    assert told.inputs["query"] == "why {{#n.secret#}}?"


@pytest.mark.parametrize("field", ["query", "query_variable_selector"])
def test_parameter_extractor(field: str) -> None:
    parameters = [{"name": "size", "type": "select", "options": ["S"], "description": "", "required": True}]
    told = task(
        "parameter-extractor",
        parameters=parameters,
        instruction="{{#n.t#}}",
        reasoning_mode="prompt",
        **{field: ["n", "o"]},
    )
    assert told.config["query"] == '{"k": 1}'
    assert told.config["parameters"] == [{**parameters[0], "type": "string"}]
    assert (told.config["instruction"], told.config["reasoning_mode"]) == ("0.5", "prompt")
    assert told.inputs == {
        "query": '{"k": 1}',
        "files": [],
        "parameters": told.config["parameters"],
        "instruction": "{{#n.t#}}",
        "model_provider": "langgenius/openai/openai",
        "model_name": "gpt",
    }
