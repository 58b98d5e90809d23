"""Branches, joins, skipped parts, error strategies: the shapes of graphs."""

from typing import Any

from tests.differential.cases.build import form, variables
from tests.differential.job import Job
from tests.graphs import Json, case, condition, end, graph, if_else, node, template


def failing(node_id: str, **data: Any) -> Json:
    """A code node that fails whenever `start.fail` is y."""
    code = "def main(f):\n    return {'r': 1 / 0 if f == 'y' else 'fine'}"
    return node(node_id, "code", code=code, code_language="python3", variables=variables(f=["start", "fail"]),
                outputs={"r": {"type": "string", "children": None}}, **data)  # fmt: skip


def _diamond(joins: int) -> Job:
    nodes = [form(), *(template(f"t{i}", f"{i}") for i in range(joins)),
             template("join", "".join(f"{{{{ v{i} }}}}" for i in range(joins)),
                      **{f"v{i}": [f"t{i}", "output"] for i in range(joins)}),
             end(x=["join", "output"])]  # fmt: skip
    edges = [("start", f"t{i}") for i in range(joins)] + [(f"t{i}", "join") for i in range(joins)]
    return Job(graph(nodes, *edges, ("join", "end")))


def _skipped(n: int) -> Job:
    """A skipped branch of three nodes that joins one which is taken."""
    nodes = [
        form(n=n),
        if_else("c", case("big", condition(["start", "n"], ">", "5"))),
        template("a", "a"),
        if_else("d", case("huge", condition(["start", "n"], ">", "50"))),
        template("e", "e"),
        template("f", "f"),
        template("g", "{{ a }}{{ e }}{{ f }}", a=["a", "output"], e=["e", "output"], f=["f", "output"]),
        end(x=["g", "output"]),
    ]
    edges = (("start", "c"), ("c", "a", "false"), ("c", "d", "big"), ("d", "e", "huge"), ("d", "f", "false"),
             ("a", "g"), ("e", "g"), ("f", "g"), ("g", "end"))  # fmt: skip
    return Job(graph(nodes, *edges), {"n": n})


def _uneven() -> Job:
    """One branch is longer than the other; both lead into the same end."""
    nodes = [form(), template("a", "a"), template("b", "b"), template("c", "{{ b }}c", b=["b", "output"]),
             template("d", "d"), end(x=["a", "output"], y=["c", "output"], z=["d", "output"])]  # fmt: skip
    edges = (("start", "a"), ("start", "b"), ("b", "c"), ("a", "d"), ("a", "end"), ("c", "end"), ("d", "end"))
    return Job(graph(nodes, *edges))


def _strategy(fail: str, strategy: str | None, **data: Any) -> Job:
    nodes = [
        form(fail=fail),
        failing("n", error_strategy=strategy, **data),
        template("ok", "ok {{ r }}", r=["n", "r"]),
        template("bad", "bad {{ t }}", t=["n", "error_type"]),
        template("beside", "b"),
        end(
            ok=["ok", "output"],
            bad=["bad", "output"],
            r=["n", "r"],
            b=["beside", "output"],
            t=["n", "error_type"],
        ),
    ]
    edges: list[tuple[str, ...]] = [("start", "n"), ("start", "beside"), ("beside", "end"), ("ok", "end")]
    if strategy == "fail-branch":
        edges += [("n", "ok", "success-branch"), ("n", "bad", "fail-branch"), ("bad", "end")]
    else:
        edges += [("n", "ok", "source")]
    return Job(graph(nodes, *edges), {"fail": fail})


_DEFAULTS = [{"key": "r", "type": "string", "value": "d"}, {"key": "more", "type": "number", "value": "3"},
             {"key": "list", "type": "array[string]", "value": '["a"]'}]  # fmt: skip


def unreached() -> Job:
    nodes = [
        form(),
        template("a", "a"),
        template("island", "i"),
        end(x=["a", "output"], y=["island", "output"]),
    ]
    return Job(graph(nodes, ("start", "a"), ("a", "end"), ("island", "end")))


def _both_handles(n: int) -> Job:
    """Both branches of a condition lead to the same node."""
    nodes = [
        form(n=n),
        if_else("c", case("big", condition(["start", "n"], ">", "5"))),
        end(r=["c", "result"]),
    ]
    return Job(graph(nodes, ("start", "c"), ("c", "end", "big"), ("c", "end", "false")), {"n": n})


def _no_edge(n: int) -> Job:
    """The branch that is taken leads nowhere."""
    nodes = [
        form(n=n),
        if_else("c", case("big", condition(["start", "n"], ">", "5"))),
        end(r=["c", "result"]),
    ]
    return Job(graph(nodes, ("start", "c"), ("c", "end", "big")), {"n": n})


def _twice() -> Job:
    nodes = [form(), template("a", "a"), end(x=["a", "output"])]
    return Job(graph(nodes, ("start", "a"), ("start", "a"), ("a", "end")))


CASES: dict[str, Job] = {
    **{f"{joins} branches join": _diamond(joins) for joins in (1, 2, 5)},
    **{f"skipped branches for {n}": _skipped(n) for n in (1, 9, 99)},
    "branches of different length": _uneven(),
    **{f"{strategy or 'no strategy'}, {'failing' if fail == 'y' else 'not failing'}":
       _strategy(fail, strategy, default_value=_DEFAULTS if strategy == "default-value" else None)
       for strategy in (None, "fail-branch", "default-value") for fail in ("y", "n")},
    **{f"both branches to one node, {n}": _both_handles(n) for n in (1, 9)},
    **{f"a branch without an edge, {n}": _no_edge(n) for n in (1, 9)},
    "two edges between two nodes": _twice(),
}  # fmt: skip
