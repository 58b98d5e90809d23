"""Which metrics the code exposes, as its source declares them: what documents and dashboards may name."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent

_KINDS = {
    "Counter": "counter", "Tally": "counter", "CounterMetricFamily": "counter",
    "Gauge": "gauge", "GaugeMetricFamily": "gauge",
    "Histogram": "histogram", "Info": "info",
}  # fmt: skip
_OF_INGRESS = {"gauge", "limit", "counts"}
"""Methods of `ingress.metrics.Metrics` that declare a gauge, each under its name without the prefix."""
_NO_LABELS = {"buckets", "known"}
_SUFFIXES = {"counter": "_total", "info": "_info"}
_SERIES = {"histogram": ("_bucket", "_count", "_sum")}


@dataclass(frozen=True)
class Exposed:
    """One metric."""

    name: str
    """As a scrape shows it; of a histogram without `_bucket`, `_count` and `_sum`."""
    kind: str
    labels: frozenset[str]

    @property
    def series(self) -> tuple[str, ...]:
        """Names that an expression may use."""
        return tuple(self.name + suffix for suffix in _SERIES.get(self.kind, ("",)))


@cache
def exposed() -> dict[str, Exposed]:
    """By name."""
    found: dict[str, Exposed] = {}
    for package in ("ingress", "streams", "sinks", "transport"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for metric in _declared(ast.parse(file.read_text())):
                other = found.setdefault(metric.name, metric)
                assert other == metric, f"{file} declares {metric.name} otherwise than another file"
    return found


def _declared(tree: ast.AST) -> Iterator[Exposed]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        named, name = _called(call), _text(call.args[0])
        if name and named in _KINDS and name.startswith("hopline_"):
            kind = _KINDS[named]
            yield Exposed(name + _SUFFIXES.get(kind, ""), kind, frozenset(_labels(call)))
        elif name and named in _OF_INGRESS and isinstance(call.func, ast.Attribute):
            labels = {_text(call.args[2])} if named == "counts" else set()
            yield Exposed(f"hopline_ingress_{name}", "gauge", frozenset(filter(None, labels)))


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _labels(call: ast.Call) -> Iterator[str]:
    for value in (*call.args[1:], *(one.value for one in call.keywords if one.arg not in _NO_LABELS)):
        if isinstance(value, ast.List | ast.Tuple):
            yield from filter(None, map(_text, value.elts))


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
