"""What scripts may import besides the standard library. The wheels are made here, not fetched."""

import logging
import zipfile
from pathlib import Path

import pytest

from streams.executors.sandbox import packages
from streams.executors.sandbox.errors import PackagesUnavailable, SandboxUnavailable
from streams.executors.sandbox.outfit import Outfit
from streams.executors.sandbox.packages import ensure_installed, folder_of
from streams.executors.sandbox.scripts import Sandbox
from streams.executors.settings import SandboxSettings

GREET = "def hello(name):\n    return 'hello ' + name\n"
PLANS = [(), ("mount-namespace",), ("network-namespace",), ("landlock", "seccomp")]


def wheel(folder: Path, name: str, source: str) -> str:
    """A requirement on a wheel that holds one module."""
    file, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", source)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{name} @ {file.as_uri()}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one package, below one that only its owner may enter."""
    folder = tmp_path_factory.mktemp("packages")
    found = ensure_installed([wheel(folder, "greet", GREET)], folder / "data")
    assert found is not None
    (folder / "data").chmod(0o700)
    return found


@pytest.mark.parametrize("preload", [(), ("greet",)])
@pytest.mark.parametrize("without", PLANS, ids=["full", "no mount", "no namespaces", "namespaces alone"])
async def test_a_listed_package_can_be_imported(
    settings: SandboxSettings, installed: Path, without: tuple[str, ...], preload: tuple[str, ...]
) -> None:
    settings = settings.model_copy(update={"without": without, "preload": preload})
    code = """
import sys
ready = 'greet' in sys.modules
import greet
def main(name):
    try:
        open(greet.__file__, 'a')
        return {'written': True}
    except OSError:
        return {'text': greet.hello(name), 'ready': ready}
"""
    async with Sandbox(settings, Outfit(installed)) as sandbox:
        ran = await sandbox.run(code, {"name": "you"})
        assert ran.result == {"text": "hello you", "ready": bool(preload)}
        missing = await sandbox.run("import requests", {})
        assert "the operator adds packages to code nodes with HOPLINE_SANDBOX_PACKAGES" in str(missing.error)
        environment = "import os\ndef main(): return {'names': sorted(os.environ)}"
        names = ["MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
        assert (await sandbox.run(environment, {})).result == {"names": names}


async def test_our_own_packages_stay_out_of_reach(settings: SandboxSettings, installed: Path) -> None:
    async with Sandbox(settings, Outfit(installed)) as sandbox:
        for name in ("orjson", "aiohttp", "_quickjs", "pip"):
            ran = await sandbox.run(f"import {name}", {})
            assert f"No module named '{name}'" in str(ran.error)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("1 / 0", "HOPLINE_SANDBOX_PRELOAD: importing 'wrong' fails: ZeroDivisionError"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "HOPLINE_SANDBOX_PRELOAD: 'wrong' starts threads when it is imported",
        ),
    ],
)
async def test_a_module_that_cannot_be_preloaded_is_named(
    settings: SandboxSettings, tmp_path: Path, source: str, complaint: str
) -> None:
    folder = ensure_installed([wheel(tmp_path, "wrong", source)], tmp_path)
    with pytest.raises(SandboxUnavailable, match=complaint):
        async with Sandbox(settings.model_copy(update={"preload": ("wrong",)}), Outfit(folder)):
            pass


def test_nothing_is_installed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = [wheel(tmp_path, "greet", GREET), wheel(tmp_path, "other", "")]
    first = ensure_installed(requirements, tmp_path / "data")
    monkeypatch.setattr(packages, "_PIP", ("/no/such/program",))
    assert ensure_installed(requirements[::-1], tmp_path / "data") == first  # offline, and in any order
    assert first is not None
    assert (first / packages.REQUESTED).read_text().splitlines() == requirements
    with pytest.raises(PackagesUnavailable, match="/no/such/program"):
        ensure_installed(requirements[:1], tmp_path / "data")


def test_a_failed_install_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    requirements = [wheel(tmp_path, "greet", GREET), "no-such-package>=7"]
    with (
        caplog.at_level(logging.INFO, "streams.executors.sandbox.packages"),
        pytest.raises(PackagesUnavailable, match=r"cannot be installed: .*no-such-package>=7"),
    ):
        ensure_installed(requirements, tmp_path)
    assert not folder_of(requirements, tmp_path).exists()
    assert [path.name for path in (tmp_path / "sandbox").iterdir()] == ["lock"]


def test_no_requirements_need_no_folder(tmp_path: Path) -> None:
    assert ensure_installed([], tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_each_set_has_a_folder_of_its_own(tmp_path: Path) -> None:
    sets = (["a"], ["b"], ["a", "b"], ["a==1"])
    assert len({folder_of(one, tmp_path) for one in sets}) == len(sets)


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("", ()),
        ("requests", ("requests",)),
        ("requests>=2,<3, pandas\njieba", ("requests>=2,<3", "pandas", "jieba")),
        ("x[a,b]>=1,y; python_version < '4'", ("x[a,b]>=1", "y; python_version < '4'")),
    ],
)
def test_requirements_are_read_from_one_text(
    monkeypatch: pytest.MonkeyPatch, text: str, requirements: tuple[str, ...]
) -> None:
    monkeypatch.setenv("HOPLINE_SANDBOX_PACKAGES", text)
    assert SandboxSettings().packages == requirements


def test_what_is_no_requirement_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_SANDBOX_PACKAGES", "--index-url x")
    with pytest.raises(ValueError, match="'--index-url x' is no requirement"):
        SandboxSettings()
