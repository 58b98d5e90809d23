"""What is installed elsewhere than in a clone, as in the image."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGES = [pattern.removesuffix("*") for pattern in SETUPTOOLS["packages"]["find"]["include"]]


@pytest.mark.parametrize("package", PACKAGES)
def test_files_that_a_package_reads_are_installed_with_it(package: str) -> None:
    folder = ROOT / package
    patterns = SETUPTOOLS["package-data"].get(package, [])
    installed = {file for pattern in patterns for file in folder.glob(pattern)}
    beside = {
        file
        for file in folder.rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc") and not file.name.startswith(".")
    }
    assert beside == installed
