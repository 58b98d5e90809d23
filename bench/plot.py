"""Bars and curves, as an SVG that can be read on a light and on a dark page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from bench import curves
from bench.curves import Curves

_HERE = Path(__file__).parent
_PICTURES = _HERE.parent / "docs" / "benchmarks"

_WIDTH, _EDGE, _LEFT, _TEXT = 760, 16, 205, 175
"""Of the picture; around it; where bars begin; what is kept free for the figures behind them."""
_TITLE, _HEAD, _LEGEND, _BAR, _GAP = 52, 12, 20, 24, 26
"""Heights."""
_LETTER = 7.2
"""Roughly, of a letter of the legend."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Its parts, one behind the other, in the unit of the panel. What could not be measured has no length."""

    label: str
    parts: Sequence[float]
    text: str = ""
    """The figures behind it; else its length."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars that share a scale, which begins at 0."""

    title: str
    """With the unit."""
    bars: Sequence[Bar]
    legend: Sequence[str] = ()
    """The names of the parts, four at most."""


def save(name: str, title: str, panels: Sequence[Panel | Curves]) -> None:
    """Writes `docs/benchmarks/<name>.svg`."""
    _PICTURES.mkdir(exist_ok=True)
    (_PICTURES / f"{name}.svg").write_text(draw(title, panels))


def draw(title: str, panels: Sequence[Panel | Curves]) -> str:
    """The same text for the same figures."""
    placed, y = [], float(_TITLE)
    for panel in panels:
        one = _bars(panel, y) if isinstance(panel, Panel) else _curves(panel, y)
        placed.append(one)
        y += one["bottom"] + _GAP
    template = Environment(loader=FileSystemLoader(_HERE), autoescape=True).get_template("plot.svg")
    picture = template.render(
        title=title, panels=placed, width=_WIDTH, height=y - _EDGE, edge=_EDGE, left=_LEFT,
        has_curves=any("field" in one for one in placed),
    )  # fmt: skip
    return picture + "\n"


def _curves(panel: Curves, y: float) -> dict[str, Any]:
    field = curves.placed(panel, _WIDTH, _HEAD + _LEGEND + _GAP / 4)
    return {
        "title": panel.title,
        "y": y,
        "field": field,
        "bottom": field["bottom"] + _GAP / 2,
        "legend": list(_legend(tuple(panel.series), field["left"])),
    }


def _bars(panel: Panel, y: float) -> dict[str, Any]:
    top = _HEAD + (_LEGEND if panel.legend else 0)
    longest = max((_length(bar) for bar in panel.bars), default=0.0)
    scale = (_WIDTH - _LEFT - _TEXT) / longest if longest else 0.0
    return {
        "title": panel.title,
        "y": y,
        "top": top,
        "bottom": top + _BAR * len(panel.bars),
        "legend": list(_legend(panel.legend, _LEFT)),
        "bars": [_bar(bar, scale, top + _BAR * number) for number, bar in enumerate(panel.bars)],
    }


def _legend(names: Sequence[str], left: float) -> Iterator[tuple[str, float]]:
    x = float(left)
    for name in names:
        yield name, round(x, 1)
        x += 34 + _LETTER * len(name)


def _bar(bar: Bar, scale: float, y: float) -> Mapping[str, Any]:
    spans, x = [], float(_LEFT)
    for part in filter(isfinite, bar.parts):
        spans.append((round(x, 1), round(part * scale, 1)))
        x += part * scale
    text = bar.text or short(sum(bar.parts))
    return {"label": bar.label, "text": text, "spans": spans, "end": round(x, 1), "y": y}


def _length(bar: Bar) -> float:
    return sum(filter(isfinite, bar.parts))


def short(number: float) -> str:
    """As people read it: 1,151, 36, 3.47, and - for NaN."""
    if not isfinite(number):
        return "-"
    return f"{number:,.0f}" if number >= 10 else f"{number:.2f}"
