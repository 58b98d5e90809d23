"""Curves over time, as `bench.plot` draws them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log10
from typing import Any

_HEIGHT, _LEFT, _RIGHT = 110, 70, 24
"""Of the field; around it."""
_STEPS = (1, 2, 2.5, 4, 5, 8, 10)
"""What a scale may end with, times a power of ten: half of it is short to write, too."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Several values at the same moments, on a scale that begins at 0."""

    title: str
    """With the unit."""
    minutes: Sequence[float]
    """At which the values were taken, in their order."""
    series: Mapping[str, Sequence[float]]
    """By name, four at most. What could not be measured is left out."""


def placed(curves: Curves, width: float, top: float) -> Mapping[str, Any]:
    """What the template needs: the field, its ticks, and the corners of each curve."""
    known = [value for values in curves.series.values() for value in values if isfinite(value)]
    highest, last = _end(max(known, default=0.0)), curves.minutes[-1]
    bottom, right = top + _HEIGHT, width - _RIGHT
    return {
        "left": _LEFT,
        "right": right,
        "top": top,
        "bottom": bottom,
        "y_ticks": [
            (round(bottom - _HEIGHT * share, 1), f"{highest * share:,.10g}") for share in (0, 0.5, 1)
        ],
        "x_ticks": [
            (round(_LEFT + (right - _LEFT) * share, 1), f"{last * share:.3g}")
            for share in (0, 0.25, 0.5, 0.75, 1)
        ],
        "lines": [
            list(_corners(curves.minutes, values, (right - _LEFT) / last, _HEIGHT / highest, bottom))
            for values in curves.series.values()
        ],
    }


def _corners(
    minutes: Sequence[float], values: Sequence[float], x_scale: float, y_scale: float, bottom: float
) -> Iterator[tuple[float, float]]:
    for minute, value in zip(minutes, values, strict=True):
        if isfinite(value):
            yield round(_LEFT + minute * x_scale, 1), round(bottom - value * y_scale, 1)


def _end(highest: float) -> float:
    """Of a scale that reaches this far."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** int(log10(highest) // 1)
    return next(step * power for step in _STEPS if step * power >= highest)
