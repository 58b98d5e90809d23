"""Where bars are, and what is said beside them."""

import xml.etree.ElementTree as ET

from bench.curves import Curves
from bench.plot import Bar, Panel, draw, short

_SVG = "{http://www.w3.org/2000/svg}"


def spans(svg: str) -> list[tuple[str, float, float]]:
    """Class, start and length of all parts of bars; those of a legend are left out."""
    found = (rect.attrib for rect in ET.fromstring(svg).iter(f"{_SVG}rect"))
    return [(one["class"], float(one["x"]), float(one["width"])) for one in found if "rx" not in one]


def test_lengths_are_in_proportion_and_parts_one_behind_the_other() -> None:
    svg = draw("t", [Panel("ms", [Bar("a", [10, 30]), Bar("b", [20])], ["p50", "p99"])])
    (first, x, length), (second, behind, longer), (_, start, half) = spans(svg)
    assert (first, second) == ("s0", "s1")
    assert behind == x + length
    assert start == x
    assert round(longer / length, 1) == 3
    assert round((length + longer) / half, 1) == 2


def test_each_panel_has_its_own_scale() -> None:
    svg = draw("t", [Panel("runs/s", [Bar("a", [1000])]), Panel("ms", [Bar("a", [1.5])])])
    assert len({length for _, _, length in spans(svg)}) == 1


def test_what_was_not_measured_has_no_bar() -> None:
    svg = draw("t", [Panel("ms", [Bar("a", [float("nan")]), Bar("b", [0.0])])])
    assert [length for _, _, length in spans(svg)] == [0]
    assert ">-<" in svg


def test_names_are_text() -> None:
    svg = draw("a < b", [Panel("<ms>", [Bar("R&D", [1], text="1 & more")])])
    assert {"a < b", "<ms>", "R&D", "1 & more"} <= {
        text.text for text in ET.fromstring(svg).iter(f"{_SVG}text")
    }


def test_numbers_are_short() -> None:
    assert [short(number) for number in (1151.4, 36.2, 3.471, float("nan"))] == ["1,151", "36", "3.47", "-"]


def test_curves_share_a_scale_that_begins_at_zero() -> None:
    panel = Curves("ms", [1.0, 2.0, 4.0], {"p50": [0.0, 25.0, 50.0], "p99": [float("nan"), 100.0, 75.0]})
    svg = draw("t", [Panel("runs/s", [Bar("a", [1000])]), panel])
    first, second = (
        [tuple(map(float, corner.split(","))) for corner in line.attrib["points"].split()]
        for line in ET.fromstring(svg).iter(f"{_SVG}polyline")
    )
    (x1, zero), (x2, quarter), (x4, half) = first
    (_, whole), (_, rest) = second
    assert x4 - x2 == 2 * (x2 - x1)
    assert zero - whole == 2 * (zero - half) == 4 * (zero - quarter)
    assert zero - rest == 3 * (zero - quarter)
    assert {text.text for text in ET.fromstring(svg).iter(f"{_SVG}text")} >= {"0", "50", "100", "4", "p99"}
