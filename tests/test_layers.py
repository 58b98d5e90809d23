"""Imports go one way: schemas <- transport <- ingress, streams, sinks <- cli. Nothing hides one."""

import ast
from collections.abc import Iterator
from functools import cache
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


@cache
def imports(file: Path) -> tuple[tuple[str, int, bool], ...]:
    """(module, line, whether it is at the top level of the file). What is imported from a module follows it:
    it may be a module too."""
    return tuple(_imports(ast.parse(file.read_text())))


def _imports(tree: ast.Module) -> Iterator[tuple[str, int, bool]]:
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
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


def reached_from(module: str) -> set[str]:
    """Ours and others that are loaded with a module of ours, as far as our own imports say."""
    reached: set[str] = set()
    found = [module]
    while found:
        name = found.pop()
        if name not in reached:
            reached.add(name)
            if (file := file_of(name)) is not None:
                found += [inner for inner, _, _ in imports(file)]
    return reached


def file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)


def test_a_worker_loads_no_mcp_before_it_is_asked_for() -> None:
    reached = reached_from("cli.serving.worker")
    assert "streams.executors.tools.mcp_late" in reached
    assert not {name for name in reached if name.split(".")[0] in ("mcp", "mcp_types")}


def test_no_command_waits_for_what_others_need() -> None:
    """A tenth of a second rather than one, for each that is typed."""
    assert not {
        name for name in reached_from("cli.main") if name.split(".")[0] in ("pydantic", "rich", "schemas")
    }
