"""llm: what the model is asked, and what its reply becomes."""

from typing import Any

from schemas.models import WorkflowType
from tests.differential.cases.build import form
from tests.differential.job import Job
from tests.graphs import Json, answer, end, field, graph, node, start, template

_MODEL = {
    "provider": "langgenius/openai/openai",
    "name": "m",
    "mode": "chat",
    "completion_params": {"temperature": 0.5},
}
_NODE: Json = {
    "model": _MODEL,
    "context": {"enabled": False, "variable_selector": []},
    "vision": {"enabled": False},
}
_PROMPT = [
    {"id": "1", "role": "system", "text": "You are {{#start.who#}}."},
    {"id": "2", "role": "user", "text": "Say {{#start.what#}}"},
]
_SHOWN = ("text", "finish_reason", "reasoning_content")
_WINDOW = {"window": {"enabled": False, "size": 10}}


def _llm(text: str = "Hello: {last}", shown: tuple[str, ...] = _SHOWN, **data: Any) -> Job:
    """`reply` among the data are further members of the model's reply."""
    reply = {"text": text, **data.pop("reply", {})}
    inputs = {"who": "a poet", "what": "hi"}
    asking = node("n", "llm", **{**_NODE, "prompt_template": _PROMPT, **data})
    nodes = [form(**inputs), asking, end(**{name: ["n", name] for name in shown})]
    return Job(graph(nodes, ("start", "n"), ("n", "end")), inputs, models={"m": reply})


def _asking(*texts: str, **data: Any) -> Job:
    """With user messages of these texts."""
    return _llm(prompt_template=[{"role": "user", "text": text} for text in texts], **data)


def _chat(**data: Any) -> Job:
    whole = {**_NODE, "prompt_template": [{"role": "system", "text": "Be brief."}], **data}
    nodes = [form(), node("n", "llm", **whole), answer("a", "{{#n.text#}}")]
    edges = (("start", "n"), ("n", "a"))
    models = {"m": {"text": "this: {last}"}}
    return Job(graph(nodes, *edges), type=WorkflowType.CHAT, query="what now?", models=models)


def _context(selector: list[str], enabled: bool = True) -> Job:
    prompt = [{"role": "system", "text": "Use {{#context#}}."}, {"role": "user", "text": "Go"}]
    context = {"enabled": enabled, "variable_selector": selector}
    data = {**_NODE, "prompt_template": prompt, "context": context}
    inputs = {"x": "the facts about {{#start.x#}}"}
    nodes = [form(**inputs), template("t", "the facts"), node("n", "llm", **data), end(x=["n", "text"])]
    edges = (("start", "t"), ("t", "n"), ("n", "end"))
    return Job(graph(nodes, *edges), inputs, models={"m": {"text": "ok"}})


def _jinja(text: str) -> Job:
    prompt = [{"role": "user", "text": "", "edition_type": "jinja2", "jinja2_text": text}]
    config = {"jinja2_variables": [{"variable": "who", "value_selector": ["start", "who"]}]}
    return _llm("ok {last}", prompt_template=prompt, prompt_config=config)


def _one_after_another() -> Job:
    """What one model says, the next is asked."""
    first = node("m1", "llm", **_NODE, prompt_template=[{"role": "user", "text": "{{#start.x#}}"}])
    prompt = [{"role": "user", "text": "<{{#m1.text#}}> {{#m1.usage.total_tokens#}}"}]
    second = node("m2", "llm", **{**_NODE, "model": {**_MODEL, "name": "w"}}, prompt_template=prompt)
    shown = end(x=["m2", "text"], y=["m1", "text"], z=["m1", "usage", "total_tokens"])
    nodes = [start(field("x", "paragraph")), first, second, shown]
    edges = (("start", "m1"), ("m1", "m2"), ("m2", "end"))
    models = {"m": {"text": "one {last}"}, "w": {"text": "two {last}"}}
    return Job(graph(nodes, *edges), {"x": "a\nb"}, models=models)


_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def _structured(text: str, schema: Json = _SCHEMA) -> Job:
    shown = ("structured_output", "structured_output.city", "text")
    job = _llm(
        text,
        structured_output={"schema": schema},
        structured_output_enabled=True,
        shown=("text",),
    )
    job.graph["nodes"][-1] = end(**{name.replace(".", "_"): ["n", *name.split(".")] for name in shown})
    return job


CASES: dict[str, Job] = {
    "a prompt": _llm(),
    "an empty reply": _llm(""),
    "roles": _llm(
        prompt_template=[
            {"role": "system", "text": "s"},
            {"role": "user", "text": "{{#start.who#}}"},
            {"role": "assistant", "text": "a"},
            {"role": "user", "text": "last"},
        ]
    ),
    "an empty message": _llm(prompt_template=[*_PROMPT, {"role": "user", "text": ""}]),
    "nothing but an empty message": _asking(""),
    "a variable that is missing": _asking("a {{#start.nothing#}} b"),
    "a variable of the system": _asking("{{#sys.app_id#}} {{#env.base#}}"),
    "thinking stays in the text": _llm("<think>hm</think>yes", reasoning_format="tagged"),
    "thinking apart": _llm("<think>hm</think>yes", reasoning_format="separated"),
    "thinking apart, empty lines": _llm("<think>a</think>\n\n\nb", reasoning_format="separated"),
    "thinking without an end": _llm("x<think>a", reasoning_format="separated"),
    "thinking twice": _llm("<think>a</think>x<think>b</think>y", reasoning_format="separated"),
    "no thinking": _llm("plain", reasoning_format="separated"),
    "a model that fails": _llm(reply={"error": "boom"}),
    "a model that fails, fail-branch": _llm(reply={"error": "boom"}, error_strategy="fail-branch"),
    "a model that fails, default-value": _llm(
        reply={"error": "boom"},
        error_strategy="default-value",
        default_value=[{"key": "text", "type": "string", "value": "sorry"}],
    ),
    "the query of a chat": _chat(),
    "memory without a template": _chat(memory=_WINDOW),
    "a query template": _chat(memory={**_WINDOW, "query_prompt_template": "Q: {{#sys.query#}}"}),
    "context": _context(["t", "output"]),
    "context that is off": _context(["t", "output"], enabled=False),
    "jinja": _jinja("{% if who %}{{ who | upper }}{% endif %}"),
    "one after another": _one_after_another(),
    "structured output": _structured('{"city": "Rome"}'),
    "structured output of another shape": _structured('{"town": "Rome"}'),
    "structured output that is none": _structured("nope"),
}

WRONG_TEMPLATE = _jinja("{% if %}")
TWICE_A_TEMPLATE = _context(["start", "x"])
