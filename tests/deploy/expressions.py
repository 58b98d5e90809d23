"""What PromQL expressions ask for, held against what the code exposes."""

from collections.abc import Iterator
from typing import Any

import promql_parser

from tests.exposed_metrics import exposed

_OTHERS = {"up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes"}
"""Of Prometheus itself, and of the client's collectors that each role has."""

_OF_SCRAPES = {"job", "instance", "le", "alertname", "alertstate"}


def unknown(expression: str) -> set[str]:
    """Names of metrics, and of labels that their metrics do not have. Raises `ValueError` for what is no
    PromQL."""
    tree = promql_parser.parse(expression)
    names, labels = set(), set()
    for node in _nodes(tree):
        if isinstance(node, promql_parser.VectorSelector):
            names.add(node.name)
            labels |= {matcher.name for matcher in node.matchers.matchers}
        modifier = getattr(node, "modifier", None)
        if isinstance(node, promql_parser.AggregateExpr) and modifier is not None:
            labels |= set(modifier.labels)
    by_series = {series: metric for metric in exposed().values() for series in metric.series}
    known = set().union(*(by_series[name].labels for name in names & by_series.keys()), _OF_SCRAPES)
    if "hopline_build_info" in names:
        known |= {"version", "python_version", "role"}  # Its labels are its value.
    return (names - by_series.keys() - _OTHERS) | (labels - known)


def _nodes(tree: Any) -> Iterator[Any]:
    yield tree
    for name in ("lhs", "rhs", "expr", "vector_selector", "args", "param"):
        below = getattr(tree, name, None)
        for node in below if isinstance(below, list) else [below]:
            if isinstance(node, promql_parser.Expr | promql_parser.VectorSelector):
                yield from _nodes(node)
