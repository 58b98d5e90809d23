"""llm, question-classifier, parameter-extractor: what the model is asked, and what its replies become."""

from typing import Any

from schemas.models import WorkflowType
from tests.differential.cases.build import form
from tests.differential.compare import OWN_WORDING
from tests.differential.job import Job
from tests.graphs import Json, answer, end, graph, node, template

_MODEL = {
    "provider": "langgenius/openai/openai",
    "name": "m",
    "mode": "chat",
    "completion_params": {"temperature": 0.5},
}
_WORDED = {**_MODEL, "name": OWN_WORDING}
_PROMPT = [
    {"id": "1", "role": "system", "text": "You are {{#start.who#}}."},
    {"id": "2", "role": "user", "text": "Say {{#start.what#}}"},
]
_OFF = {"enabled": False}


def _llm(
    reply: str = "Hello: {last}",
    shown: tuple[str, ...] = ("text", "finish_reason", "reasoning_content"),
    **data: Any,
) -> Job:
    whole = {"model": _MODEL, "prompt_template": _PROMPT, "context": {"enabled": False, "variable_selector": []},
             "vision": _OFF, **data}  # fmt: skip
    nodes = [
        form(who="a poet", what="hi"),
        node("n", "llm", **whole),
        end(**{name: ["n", name] for name in shown}),
    ]
    return Job(
        graph(nodes, ("start", "n"), ("n", "end")),
        {"who": "a poet", "what": "hi"},
        models={"m": {"text": reply}},
    )


def _chat(**data: Any) -> Job:
    whole = {"model": _MODEL, "prompt_template": [{"role": "system", "text": "Be brief."}],
             "context": {"enabled": False, "variable_selector": []}, "vision": _OFF, **data}  # fmt: skip
    nodes = [form(), node("n", "llm", **whole), answer("a", "{{#n.text#}}")]
    return Job(graph(nodes, ("start", "n"), ("n", "a")), type=WorkflowType.CHAT, query="what now?",
               models={"m": {"text": "this: {last}"}})  # fmt: skip


def _context() -> Job:
    prompt = [{"role": "system", "text": "Use {{#context#}}."}, {"role": "user", "text": "Go"}]
    data = {"model": _MODEL, "prompt_template": prompt, "context": {"enabled": True, "variable_selector": ["t", "output"]},
            "vision": _OFF}  # fmt: skip
    nodes = [form(), template("t", "the facts"), node("n", "llm", **data), end(x=["n", "text"])]
    return Job(graph(nodes, ("start", "t"), ("t", "n"), ("n", "end")), models={"m": {"text": "ok"}})


def _jinja() -> Job:
    text = "{% if who %}{{ who | upper }}{% endif %}"
    prompt = [{"role": "user", "text": "", "edition_type": "jinja2", "jinja2_text": text}]
    config = {"jinja2_variables": [{"variable": "who", "value_selector": ["start", "who"]}]}
    return _llm("ok {last}", prompt_template=prompt, prompt_config=config)


def _classifier(reply: str) -> Job:
    classes = [{"id": "1", "name": "Questions"}, {"id": "2", "name": "Complaints"}]
    data = {
        "model": _WORDED,
        "classes": classes,
        "query_variable_selector": ["start", "q"],
        "instruction": "",
        "vision": _OFF,
    }
    nodes = [form(q="It is broken"), node("n", "question-classifier", **data), template("a", "q"), template("b", "c"),
             end(a=["a", "output"], b=["b", "output"], name=["n", "class_name"], id=["n", "class_id"])]  # fmt: skip
    edges = (("start", "n"), ("n", "a", "1"), ("n", "b", "2"), ("a", "end"), ("b", "end"))
    return Job(graph(nodes, *edges), {"q": "It is broken"}, models={OWN_WORDING: {"text": reply}})


_PARAMETERS: list[Json] = [
    {"name": "city", "type": "string", "required": True, "description": "a city"},
    {"name": "days", "type": "number", "required": False, "description": "how many"},
    {"name": "tags", "type": "array[string]", "required": False, "description": "words"},
]


def _extractor(reply: str) -> Job:
    data = {"model": _WORDED, "query": ["start", "q"], "parameters": _PARAMETERS, "reasoning_mode": "prompt",
            "instruction": "", "vision": _OFF}  # fmt: skip
    shown = ("city", "days", "tags", "__is_success", "__reason")
    nodes = [
        form(q="2 days in Rome"),
        node("n", "parameter-extractor", **data),
        end(**{n: ["n", n] for n in shown}),
    ]
    return Job(
        graph(nodes, ("start", "n"), ("n", "end")),
        {"q": "2 days in Rome"},
        models={OWN_WORDING: {"text": reply}},
    )


CASES: dict[str, Job] = {
    "a prompt": _llm(),
    "an empty reply": _llm(""),
    "thinking stays in the text": _llm("<think>hm</think>yes", reasoning_format="tagged"),
    "thinking apart": _llm("<think>hm</think>yes", reasoning_format="separated"),
    "an empty message": _llm(prompt_template=[*_PROMPT, {"role": "user", "text": ""}]),
    "the query of a chat": _chat(),
    "a query template": _chat(memory={"window": {"enabled": False, "size": 10}, "query_prompt_template": "Q: {{#sys.query#}}"}),
    "context": _context(),
    "jinja": _jinja(),
    **{f"classified by {reply!r}": _classifier(reply)
       for reply in ('{"category_id": "2", "category_name": "Complaints"}', '```json\n{"category_id": "1", "category_name": "Questions"}\n```',
                     "no JSON at all", '{"category_id": "9", "category_name": "?"}', "")},
    **{f"extracted from {reply!r}": _extractor(reply)
       for reply in ('{"city": "Rome", "days": 2, "tags": ["a"]}', 'Sure: {"city": "Rome"} there you are', '{"days": 2}',
                     '{"city": "Rome", "days": "2"}', '{"city": 5}', '{"city": "Rome", "days": "x"}', "nothing", '{"city": "Rome", "tags": "a"}')},
}  # fmt: skip
