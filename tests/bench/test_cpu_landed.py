"""What is held against the landed figure, and what its file is good for."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.cpu.__main__ import compared
from bench.cpu.calibration import work
from bench.cpu.landed import ALL, FILE, MOST, MOST_OF_A_PART, Landed, OtherCalibration, calibration_digest
from bench.cpu.slices import RUNS, Figures, Slice, figures

RATIOS = {"ingress": 0.5, "worker": 2.0, "sink": 0.1, ALL: 2.6}
LANDED = Landed(RATIOS, "3.13.0", calibration_digest())


def test_as_much_as_landed_and_a_little_more_is_fine() -> None:
    assert LANDED.exceeded(RATIOS) is None
    assert LANDED.exceeded({name: ratio * (MOST - 0.01) for name, ratio in RATIOS.items()}) is None


def test_less_is_fine() -> None:
    assert LANDED.exceeded(dict.fromkeys(RATIOS, 0.05)) is None


def test_a_dearer_run_is_said_with_both_factors() -> None:
    said = LANDED.exceeded({**RATIOS, ALL: 2.6 * 1.5})
    assert said == f"the CPU of the landed figure is exceeded: a run 1.50 times (at most {MOST:g})"


def test_a_small_part_may_not_hide_in_the_whole() -> None:
    dearer = {**RATIOS, "sink": 0.1 * (MOST_OF_A_PART + 0.1), ALL: 2.65}
    said = LANDED.exceeded(dearer)
    assert said is not None
    assert "its sink 1.50 times (at most 1.4)" in said
    assert "a run" not in said


def test_a_part_that_never_landed_is_no_part_to_pass() -> None:
    with pytest.raises(KeyError, match="executor"):
        LANDED.exceeded({**RATIOS, "executor": 0.1})


def test_a_regression_is_there_in_each_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    dear = Figures({**RATIOS, ALL: 4.0}, RATIOS)
    assert "a run 1.54 times" in str(compared(LANDED, lambda: dear, tries=3))
    assert capsys.readouterr().out.count("landed") == 3


def test_what_was_somebody_elses_doing_is_measured_again(capsys: pytest.CaptureFixture[str]) -> None:
    found = iter([Figures({**RATIOS, ALL: 4.0}, RATIOS), Figures(RATIOS, RATIOS)])
    assert compared(LANDED, lambda: next(found), tries=3) is None
    assert capsys.readouterr().out.count("landed") == 2


def test_the_file_keeps_what_was_landed(tmp_path: Path) -> None:
    file = tmp_path / "landed.json"
    LANDED.write(file)
    assert Landed.read(file) == LANDED
    assert list(tmp_path.iterdir()) == [file]


def test_figures_of_another_calibration_compare_with_nothing(tmp_path: Path) -> None:
    file = tmp_path / "landed.json"
    replace(LANDED, calibration="0" * 64).write(file)
    with pytest.raises(OtherCalibration, match="--update"):
        Landed.read(file)


def test_the_file_here_is_of_this_calibration_and_has_all_parts() -> None:
    assert Landed.read(FILE).ratios.keys() == {*Slice._fields[:-1], ALL}


def test_figures_are_medians_of_what_each_slice_found() -> None:
    calm = Slice(ingress=0.012, worker=0.024, sink=0.006, calibration=0.012)
    # Twice as slow throughout, and one whose worker somebody else was in the way of.
    slow, disturbed = Slice(0.024, 0.048, 0.012, 0.024), calm._replace(worker=9.0)
    found = figures([calm, slow, disturbed])
    assert found.ratios == pytest.approx({"ingress": 1.0, "worker": 2.0, "sink": 0.5, ALL: 3.5})
    assert found.microseconds["ingress"] == pytest.approx(0.012 / RUNS * 1e6)


def test_the_calibration_is_the_same_work_each_time() -> None:
    assert work(5) == work(5)
    assert [work(number) for number in (0, 101)] == _WORK, "it must never change, see there"


_WORK = [2956, 2986]
