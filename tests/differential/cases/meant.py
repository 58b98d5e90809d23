"""Where Hopline means to differ from Dify's engine. docs/compatibility.md has the reasons, by these names."""

from dataclasses import dataclass

from schemas.models import WorkflowType
from tests.differential.cases import (
    choices,
    containers,
    documents,
    models,
    requests,
    scripts,
    structure,
    tools,
)
from tests.differential.job import Job
from tests.graphs import (
    Json,
    answer,
    case,
    condition,
    end,
    field,
    graph,
    if_else,
    iteration,
    node,
    start,
    template,
)

REFUSED = "refused"
"""In place of facts: Hopline refuses to publish the graph."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A job of which only these facts differ, as `compare` names them. All of them do."""

    job: Job
    facts: frozenset[str]


def _meant(job: Job, *facts: str) -> Difference:
    return Difference(job, frozenset(facts))


def _form(*fields: Json) -> Job:
    """None of the fields is filled in; all are optional."""
    names = [one["variable"] for one in fields]
    shown = end(**{name: ["start", name] for name in names})
    return Job(graph([start(*fields), template("t", "x"), shown], ("start", "t"), ("t", "end")))


def _missing_node() -> Job:
    shown = end(x=["gone", "output"])
    return Job(graph([start(), template("t", "x"), shown], ("start", "t"), ("t", "end")))


def _script_that_does_not_compile() -> Job:
    code, outputs = "def main(:", {"r": {"type": "string"}}
    script = node("n", "code", code=code, code_language="python3", variables=[], outputs=outputs)
    return Job(graph([start(), script, end(r=["n", "r"])], ("start", "n"), ("n", "end")))


def _counted_in_rounds() -> Job:
    inside = containers.add("plus", ["conversation", "n"])
    nodes = [
        *iteration("it", ["env", "items"], ["it", "item"], inside),
        end(n=["conversation", "n"]),
    ]
    edges = (("start", "it"), ("itstart", "plus"), ("it", "end"))
    kept = [{"name": "n", "value_type": "number", "value": 0}]
    items = [{"name": "items", "value": [1, 1, 1]}]
    return Job(graph([start(), *nodes], *edges), environment=items, conversation=kept)


def _answers_side_by_side() -> Job:
    """Both can begin when `c` has ended: `a` since its branch is taken, `b` since the other is skipped."""
    asked = if_else("c", case("yes", condition(["sys", "query"], "not empty")))
    nodes = [start(), asked, answer("a", "A"), answer("b", "B")]
    edges = (("start", "c"), ("c", "a", "yes"), ("start", "b"), ("c", "b", "false"))
    return Job(graph(nodes, *edges), type=WorkflowType.CHAT, query="q")


def _groups_as_text() -> Job:
    groups = [{"groupId": "1", "group_name": "g", "output_type": "string", "variables": [["t", "output"]]}]
    data = {"output_type": "string", "variables": []}
    settings = {"group_enabled": True, "groups": groups}
    both = node("n", "variable-aggregator", **data, advanced_settings=settings)
    nodes = [
        start(),
        template("t", "x"),
        both,
        template("u", "{{ g }}", g=["n", "g"]),
        end(u=["u", "output"]),
    ]
    return Job(graph(nodes, ("start", "t"), ("t", "n"), ("n", "u"), ("u", "end")))


def _patterned() -> Job:
    schema = {"properties": {"a": {"pattern": "^(?=x)"}}}
    form = start(field("o", "json_object", json_schema=schema))
    return Job(graph([form, end(x=["start", "o"])], ("start", "end")), {"o": {"a": "xy"}})


_ENDS = ("outputs", "end inputs", "end outputs")
_BY_NAME = (*_ENDS, "n outputs", "a", "b", "order")

DIFFERENCES: dict[str, Difference] = {
    "nodes that nothing leads to": _meant(structure.unreached(), "outputs", "order", "end"),
    "conversation variables in an iteration": _meant(
        _counted_in_rounds(), *_ENDS, "plus#1 process", "plus#2 process"
    ),
    "answers side by side": _meant(_answers_side_by_side(), "outputs"),
    "groups of an aggregator as text": _meant(_groups_as_text(), *_ENDS, "u outputs"),
    "defaults of the form": _meant(
        _form(field("x", required=False, default="d")), *_ENDS, "start inputs", "start outputs"
    ),
    "fields that are left out": _meant(_form(field("x", required=False)), "start inputs", "start outputs"),
    "patterns of a schema": _meant(
        *(_patterned(), "status", "outputs", "error", "end"),
        *("start status", "start outputs", "start error"),
    ),
    "numbers that JSON does not have": _meant(
        scripts.one("array[number]", "[float('nan')]"),
        *("status", "outputs", "error", "end", "n status", "n outputs", "n error", "n process"),
    ),
    "parameters beside those of the URL": _meant(requests.PARAMETERS_TWICE, *_ENDS, "n outputs"),
    "user and password": _meant(requests.USER_AND_PASSWORD, *_ENDS, "n outputs"),
    "a JSON body that is null": _meant(requests.NULL_BODY, *_ENDS, "n outputs"),
    "the type of an extractor's failure": _meant(documents.UNKNOWN_TYPE, "n outputs"),
    "a template that is wrong": _meant(models.WRONG_TEMPLATE, REFUSED),
    "a script that does not compile": _meant(_script_that_does_not_compile(), REFUSED),
    "context is no template": _meant(models.TWICE_A_TEMPLATE, "asked", "n process"),
    "JSON that needs a repair": _meant(
        choices.extractor(choices.extracted().replace('"', "'").replace("True", "true")), *_ENDS, "n outputs"
    ),
    "brackets within a text": _meant(
        choices.extractor('a } {"city": "L}", "days": 1, "tags": []}'), *_ENDS, "n outputs"
    ),
    "a class by its name": _meant(
        choices.classifier('{"category_id": "9", "category_name": "Complaints"}'), *_BY_NAME
    ),
    "a class by its id alone": _meant(choices.classifier('{"category_id": "2"}'), *_BY_NAME),
    "a class by a number": _meant(choices.classifier('{"category_id": 2}'), *_BY_NAME),
    "a list that a tool replies with": _meant(tools.reply("[1, 2]"), *_ENDS, "n outputs"),
    "the arguments of a tool, as shown": _meant(
        tools.tool({"text": tools.value_of("mixed", "{{#start.o#}}")}), "n inputs"
    ),
    "a variable of a node that is not there": _meant(_missing_node(), REFUSED),
}
