"""Writes the dashboards: `make dashboards`. A test holds the files against this."""

from collections.abc import Mapping
from pathlib import Path

import orjson

from deploy.grafana.boards import costs, nodes, overview, triggers, workers, workflows
from deploy.grafana.panels import Board

FOLDER = Path(__file__).parent / "dashboards"
BOARDS: tuple[Board, ...] = (
    overview.BOARD,
    triggers.BOARD,
    workflows.BOARD,
    nodes.BOARD,
    workers.BOARD,
    costs.BOARD,
)


def files() -> Mapping[Path, bytes]:
    """What is to be in the folder, and nothing else."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return {FOLDER / f"{board.name}.json": orjson.dumps(board.json(), option=options) for board in BOARDS}


if __name__ == "__main__":
    for path, content in files().items():
        path.write_bytes(content)
