"""Where Hopline means to differ from Dify's engine. docs/compatibility.md has the reasons, by these names."""

from dataclasses import dataclass

from tests.differential.cases import choices, documents, models, requests, structure, tools
from tests.differential.job import Job
from tests.graphs import Json, end, field, graph, node, start, template

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


_ENDS = ("outputs", "end inputs", "end outputs")
_BY_NAME = (*_ENDS, "n outputs", "a", "b", "order")

DIFFERENCES: dict[str, Difference] = {
    "nodes that nothing leads to": _meant(structure.unreached(), "outputs", "order", "end"),
    "defaults of the form": _meant(
        _form(field("x", required=False, default="d")), *_ENDS, "start inputs", "start outputs"
    ),
    "fields that are left out": _meant(_form(field("x", required=False)), "start inputs", "start outputs"),
    "parameters beside those of the URL": _meant(requests.PARAMETERS_TWICE, *_ENDS, "n outputs"),
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
