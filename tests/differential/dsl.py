"""How many of a folder of Dify DSL files import without an edit, and how many run to their end.

`python -m tests.differential.dsl FOLDER` (`make corpus DSL=FOLDER`). Models, tools, knowledge and HTTP
services are one local server with canned replies; all else is Hopline's own, with scripts in the sandbox.
The files are other people's and no part of this repository.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from schemas.document import read_document
from schemas.dsl import ImportedApp, parse_dsl
from schemas.errors import InvalidDefinition
from schemas.models import AppMode, WorkflowType
from streams.executors.outcome import NodeCall, Outcome
from tests.differential import dsl_canned
from tests.differential.dsl_canned import Canned
from tests.differential.hopline_process import Hopline
from tests.differential.job import Job, Result

RAN = "runs to its end"
RAN_WITH_CANNED_CODE = "runs to its end; a script that fails here is given outputs of its types"
NO_GRAPH = "an app without a graph"
REFUSED = "is refused"
FAILED = "fails"
PAUSED = "waits for a person"
_BEST_FIRST = (RAN, RAN_WITH_CANNED_CODE, PAUSED, FAILED)
_ASKING = ("llm", "question-classifier", "parameter-extractor", "agent")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one file."""

    exported: bool
    """Whether Dify's editor has written it: positions of nodes on the canvas are in it."""
    mode: str
    result: str
    reasons: tuple[str, ...] = ()


class Executor:
    """Hopline's executors; a script that fails is given outputs of the declared types, and said why."""

    def __init__(self, hopline: Hopline, canned: Canned) -> None:
        self._hopline = hopline
        self._canned = canned
        self.helped: set[str] = set()

    async def __call__(self, call: NodeCall) -> Outcome:
        outcome = await self._hopline.execute(dsl_canned.placed(call, self._hopline.world.url))
        if outcome.status == "failed" and call.node_type == "code":
            self.helped.add(_script_fault(outcome.error or ""))
            return Outcome("succeeded", dsl_canned.code_outputs(call.config, self._canned))
        return outcome


def judge(text: str, hopline: Hopline) -> Verdict:
    """Never raises."""
    exported = "positionAbsolute" in text
    try:
        mode = str((read_document(text).get("app") or {}).get("mode"))
    except (InvalidDefinition, AttributeError):
        mode = "unreadable"
    if mode not in set(AppMode):
        return Verdict(exported, mode, NO_GRAPH)
    try:
        app = parse_dsl(text)
    except InvalidDefinition as wrong:
        reasons = tuple(sorted({_general(f"{one.field}: {one.why}") for one in wrong.problems}))
        return Verdict(exported, mode, REFUSED, reasons)
    tried = []
    for canned in dsl_canned.worlds(hopline.world.url):
        tried.append(_ended(app, hopline, canned))
        if tried[-1][0] == RAN:
            break
    result, reasons = min(tried, key=lambda one: _BEST_FIRST.index(one[0]))
    return Verdict(exported, mode, result, reasons)


def _ended(app: ImportedApp, hopline: Hopline, canned: Canned) -> tuple[str, tuple[str, ...]]:
    """(result, reasons) of a run in one of the worlds."""
    executor = Executor(hopline, canned)
    try:
        result = _run(app, hopline, canned, executor)
    except Exception as fault:
        return FAILED, (f"{type(fault).__name__}: {fault}"[:160],)
    if result.status == "PAUSED":
        return PAUSED, ()
    if result.status not in ("SUCCEEDED", "PARTIAL_SUCCEEDED"):
        return FAILED, (_general(result.error or result.status),)
    return (RAN_WITH_CANNED_CODE if executor.helped else RAN), tuple(sorted(executor.helped))


def _run(app: ImportedApp, hopline: Hopline, canned: Canned, executor: Executor) -> Result:
    chat = app.mode is AppMode.ADVANCED_CHAT
    url = hopline.world.url
    hopline.configure(lambda definitions: dsl_canned.configure(definitions, app.graph, url))
    models = {
        f"{node['data']['type']} {node['id']}": dsl_canned.model_reply(node["data"], canned)
        for node in app.graph["nodes"]
        if node.get("data", {}).get("type") in _ASKING
    }
    job = Job(
        app.graph,
        dsl_canned.form_inputs(app.graph, canned, url, dsl_canned.uploaded(hopline)),
        WorkflowType.CHAT if chat else WorkflowType.WORKFLOW,
        query=canned.text if chat else "",
        environment=dsl_canned.environment(app.environment_variables, canned),
        conversation=app.conversation_variables,
        models=models,
        answers=dsl_canned.answers(app.graph, canned),
    )
    return hopline.run(job, execute=executor)


def _script_fault(error: str) -> str:
    package = re.search(r"No module named '(\w+)", error)
    return f"it needs the package {package[1]}" if package else "it makes nothing of the canned replies"


def _general(reason: str) -> str:
    """The same for all files with the same problem."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\b\d[\w-]*|\bnode \S+", "…", reason)[:160]


def report(verdicts: Iterable[Verdict]) -> str:
    """The figures, for a terminal."""
    lines: list[str] = []
    groups: defaultdict[tuple[bool, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[(verdict.exported, verdict.mode)].append(verdict)
    for (exported, mode), group in sorted(groups.items(), key=lambda entry: (not entry[0][0], entry[0][1])):
        lines.append(f"{mode}, {'from the editor' if exported else 'written otherwise'}: {len(group)} files")
        for result, count in Counter(one.result for one in group).most_common():
            lines.append(f"  {count:4} {result}")
            reasons = Counter(reason for one in group if one.result == result for reason in one.reasons)
            lines += [f"       {times:4} {reason}" for reason, times in reasons.most_common(25)]
    return "\n".join(lines)


def main(folder: str) -> None:
    """Prints the report."""
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix in (".yml", ".yaml", ".json"))
    verdicts = []
    with Hopline() as hopline:
        for number, path in enumerate(files, 1):
            print(f"\r{number} of {len(files)}", end="", file=sys.stderr, flush=True)
            verdicts.append(judge(path.read_text(), hopline))
            if len(sys.argv) > 2:
                print(f"\n{path.name}: {verdicts[-1].result} {verdicts[-1].reasons}", file=sys.stderr)
    print(file=sys.stderr)
    print(report(verdicts))


if __name__ == "__main__":
    main(sys.argv[1])
