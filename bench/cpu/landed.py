"""The landed figure, its file, and what a new one may be beside it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from bench.cpu import calibration

FILE = Path(__file__).with_name("landed.json")

ALL = "all"
MOST, MOST_OF_A_PART = 1.25, 1.4
"""Times the landed figure. The same code has been from 0.94 to 1.06 of it on Python 3.11, 3.12 and 3.13,
alone and beside processes that took both cores and their caches; a part from 0.92 to 1.15."""


class OtherCalibration(Exception):
    """The landed figure is a multiple of something else."""


@dataclass(frozen=True)
class Landed:
    """What a run costs, and each part of it, in multiples of the calibration."""

    ratios: Mapping[str, float]
    python: str
    """With which it was measured; the others find the same."""
    calibration: str
    """SHA-256 of its source."""

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        """Raises `OtherCalibration` for figures that cannot be compared with those of today."""
        landed = cls(**orjson.loads(file.read_bytes()))
        if landed.calibration != calibration_digest():
            raise OtherCalibration(
                f"{file.name} is of another calibration: undo that change, or land the figure with --update"
            )
        return landed

    def write(self, file: Path = FILE) -> None:
        """Whole or not at all."""
        rounded = {name: round(ratio, 3) for name, ratio in self.ratios.items()}
        document = {"ratios": rounded, "python": self.python, "calibration": self.calibration}
        partial = file.with_suffix(".part")
        partial.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        partial.replace(file)

    def exceeded(self, ratios: Mapping[str, float]) -> str | None:
        """What has become dearer than it may, in a sentence; None where nothing has.

        Raises `KeyError` for a part that has no landed figure.
        """
        dearer = []
        for name, ratio in ratios.items():
            times, most = ratio / self.ratios[name], MOST if name == ALL else MOST_OF_A_PART
            if times > most:
                what = "a run" if name == ALL else f"its {name}"
                dearer.append(f"{what} {times:.2f} times (at most {most:g})")
        return f"the CPU of the landed figure is exceeded: {', '.join(dearer)}" if dearer else None


def calibration_digest() -> str:
    """Of the calibration as it is."""
    return hashlib.sha256(Path(calibration.__file__).read_bytes()).hexdigest()
