"""Medians over repetitions, the JSON file and the table."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import psutil

from bench.measure import Plan, Repetition
from bench.plot import Bar, Panel

# Those that the table shows, with the heading and whether more is better.
_COLUMNS = (
    ("runs_per_s", "runs/s", True),
    ("cpu_ms_per_run", "CPU ms/run", False),
    ("ack_p50_ms", "ack p50 ms", False),
    ("safe_p50_ms", "safe p50 ms", False),
    ("safe_p99_ms", "safe p99 ms", False),
    ("e2e_p50_ms", "e2e p50 ms", False),
    ("e2e_p99_ms", "e2e p99 ms", False),
    ("peak_pss_mb", "peak PSS MB", False),
)
_NUMBERS = tuple(field.name for field in fields(Repetition) if field.name != "refusals")


def summary(repetitions: Sequence[Repetition]) -> dict[str, Any]:
    """The medians by name, then `min`, `max` and every repetition; what could not be measured is null."""

    def over(fold: Any) -> dict[str, float | None]:
        columns = {name: [getattr(rep, name) for rep in repetitions] for name in _NUMBERS}
        return {name: _rounded(fold(values)) for name, values in columns.items()}

    return {
        **over(median),
        "min": over(min),
        "max": over(max),
        "repetitions": [asdict(repetition) for repetition in repetitions],
    }


def write(
    path: Path, measured: Mapping[str, Sequence[Repetition]], skipped: Mapping[str, str], plan: Plan
) -> dict[str, Any]:
    """Writes the JSON file, and returns what is in it."""
    document: dict[str, Any] = {name: summary(repetitions) for name, repetitions in measured.items()}
    document |= {"skipped": dict(skipped), "plan": asdict(plan), "machine": machine()}
    save(path, document)
    return document


def save(path: Path, document: Mapping[str, Any]) -> None:
    """As JSON: the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    partial.replace(path)


def table(document: Mapping[str, Any], names: Sequence[str]) -> str:
    """Markdown: the medians, with the spread of the rate, and each peer's as a multiple of the first's."""
    first = document[names[0]]
    heads = ["", *(head for _, head, _ in _COLUMNS)]
    rows = [[name, *(_cell(document[name], column) for column, _, _ in _COLUMNS)] for name in names]
    for name in names[1:]:
        ratios = (_ratio(first[column], document[name][column], more) for column, _, more in _COLUMNS)
        rows.append([f"{names[0]} is better than {name} by", *ratios])
    return markdown(heads, rows)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; all columns but the first are numbers."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def panels(document: Mapping[str, Any], names: Sequence[str]) -> list[Panel]:
    """What is drawn of it: the medians at full load."""
    return [
        Panel("runs/s", [Bar(name, [document[name]["runs_per_s"]]) for name in names]),
        Panel(
            "CPU ms per run, all processes", [Bar(name, [document[name]["cpu_ms_per_run"]]) for name in names]
        ),
    ]


def machine() -> dict[str, Any]:
    """What the figures depend on; nothing that names the machine."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1m": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": _commit(),
    }


def _cell(figures: Mapping[str, Any], column: str) -> str:
    if figures[column] is None:
        return "-"
    if column == "runs_per_s":
        return f"{figures[column]:,.0f} ({figures['min'][column]:,.0f} to {figures['max'][column]:,.0f})"
    return f"{figures[column]:,.2f}" if figures[column] < 100 else f"{figures[column]:,.0f}"


def _ratio(ours: float | None, theirs: float | None, more_is_better: bool) -> str:
    if not ours or not theirs:
        return "-"
    return f"{ours / theirs if more_is_better else theirs / ours:.2f} x"


def _rounded(number: float) -> float | None:
    return round(number, 2) if isfinite(number) else None


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty"]
    with suppress(OSError):
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None
    return None
