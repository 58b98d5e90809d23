"""How many of a folder of Dify DSL files import without an edit, and how many run to their end.

`python -m tests.differential.dsl FOLDER` (`make corpus DSL=FOLDER`). Models, tools, knowledge and HTTP
services are one local server with canned replies; all else is Hopline's own, with scripts in the sandbox.
The files are other people's and no part of this repository.
"""

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
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
_MAX_REASONS = 25
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


def report(verdicts: Sequence[Verdict]) -> str:
    """The figures, for a terminal: those of all files, then by origin and mode with the reasons."""
    lines = [_total(verdicts)]
    groups: defaultdict[tuple[bool, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[(verdict.exported, verdict.mode)].append(verdict)
    for (exported, mode), group in sorted(groups.items(), key=lambda entry: (not entry[0][0], entry[0][1])):
        lines.append(f"{mode}, {'from the editor' if exported else 'written otherwise'}: {len(group)} files")
        for result, count in Counter(one.result for one in group).most_common():
            lines.append(f"  {count:4} {result}")
            reasons = Counter(reason for one in group if one.result == result for reason in one.reasons)
            lines += [f"       {times:4} {reason}" for reason, times in reasons.most_common(_MAX_REASONS)]
    return "\n".join(lines)


def _total(verdicts: Sequence[Verdict]) -> str:
    mine = [one for one in verdicts if one.exported and one.result != NO_GRAPH]
    imported = [one for one in mine if one.result != REFUSED]
    ran = [one for one in mine if one.result in (RAN, RAN_WITH_CANNED_CODE)]
    return (
        f"{len(verdicts)} files; of {len(mine)} workflows from Dify's editor"
        f" {len(imported)} import and {len(ran)} run to their end"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the report."""
    parser = argparse.ArgumentParser(prog="make corpus", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="DSL= a folder of DSL files, searched with its subfolders")
    parser.add_argument("--each", action="store_true", help="show what becomes of each file")
    given = parser.parse_args(arguments)
    if not given.folder.is_dir():
        parser.error(f"{given.folder} is no folder")
    files = sorted(path for path in given.folder.rglob("*") if path.suffix in (".yml", ".yaml", ".json"))
    verdicts = []
    with Hopline() as hopline:
        for path in files:
            verdicts.append(judge(path.read_text(errors="replace"), hopline))
            if given.each:
                print(f"{path.name}: {verdicts[-1].result} {'; '.join(verdicts[-1].reasons)}", flush=True)
    print(report(verdicts))


if __name__ == "__main__":
    main()
