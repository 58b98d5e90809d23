"""Imports go one way: schemas <- transport <- ingress, streams, sinks <- cli. Nothing hides one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "schemas": set(),
    "plugins": {"schemas"},
    "transport": {"schemas"},
    "ingress": {"schemas", "transport"},
    "streams": {"schemas", "transport"},
    "sinks": {"schemas", "transport"},
    "cli": {"schemas", "transport", "ingress", "streams", "sinks"},
}  # fmt: skip
FAUST = {"faust", "aiokafka", "mode"}


def imports(file: Path) -> Iterator[tuple[str, int, bool]]:
    """(module, line, whether it is at the top level of the file)."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            yield name, node.lineno, node in tree.body


FILES = sorted(file for package in MAY_IMPORT for file in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_follow_the_flow(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    for module, line, at_top in imports(file):
        top = module.split(".")[0]
        if top in MAY_IMPORT and top != package:
            assert top in MAY_IMPORT[package], f"{file}:{line} imports {module}"
        if top in MAY_IMPORT:
            assert at_top, f"{file}:{line} hides the import of {module}"
        if top in FAUST:
            assert file.is_relative_to(ROOT / "streams" / "shell"), f"{file}:{line} imports {module}"


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_no_file_is_longer_than_it_may_be(package: str) -> None:
    long = {str(f): n for f in (ROOT / package).rglob("*.py") if (n := len(f.read_text().splitlines())) > 400}
    assert long == {}
