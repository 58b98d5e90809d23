"""`python -m tests.compat.record 0006`: writes down what this release writes otherwise than those before.

Before that, read docs/upgrades.md on what the release before must be able to read.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

from tests.compat.messages import messages
from tests.compat.releases import FOLDER, newest
from tests.compat.runs import runs
from tests.compat.samples import as_json, samples


def record(folder: Path) -> None:
    """Adds what differs from the newest that is recorded."""
    rows = {
        kind: {"bytes": sample.encoded.hex(), "means": as_json(sample.view(sample.encoded))}
        for kind, sample in samples().items()
    }
    for name, entries in (("rows", rows), ("messages", messages()), ("runs", runs())):
        _write(folder / f"{name}.json", entries, newest(name))


def _write(path: Path, entries: dict[str, Any], known: dict[str, Any]) -> None:
    changed = {name: entry for name, entry in entries.items() if known.get(name) != entry}
    if changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(changed, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


if __name__ == "__main__":
    record(FOLDER / sys.argv[1])
