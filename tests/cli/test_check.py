"""`hopline workflow check` on good and bad files, without any server."""

from pathlib import Path

import orjson
import pytest
import yaml

from tests.cli.conftest import Hopline

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*/workflow.yml")), ids=lambda file: file.parent.name)
def test_samples_are_fine(hopline: Hopline, file: Path) -> None:
    result = hopline("workflow", "check", str(file))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "is fine" in result.stdout
    assert "warning" not in result.stdout


def broken() -> str:
    document = yaml.safe_load((SAMPLES / "order-review/workflow.yml").read_text())
    graph = document["workflow"]["graph"]
    graph["nodes"][1]["data"]["cases"][0]["conditions"][0]["comparison_operator"] = "like"
    graph["nodes"][2]["data"]["variables"][0]["value_selector"] = ["nobody", "output"]
    graph["edges"][0]["target"] = "nowhere"
    return yaml.safe_dump(document)


def test_every_problem_is_named(hopline: Hopline, elsewhere: Path) -> None:
    (elsewhere / "bad.yml").write_text(broken())
    result = hopline("workflow", "check", "bad.yml")
    assert result.exit_code == 1
    for place in ("comparison_operator", "nobody", "nowhere"):
        assert place in result.stdout
    assert result.stderr.startswith("hopline: bad.yml has ")
    assert result.stderr.count("\n") == 1


def test_json(hopline: Hopline) -> None:
    result = hopline("workflow", "check", "-", "--json", stdin=broken())
    assert result.exit_code == 1
    found = orjson.loads(result.stdout)
    assert found["ok"] is False
    assert {"node", "field", "why"} == set(found["problems"][0])
    fine = hopline("workflow", "check", str(SAMPLES / "order-review/workflow.yml"), "--json")
    assert orjson.loads(fine.stdout) == {"ok": True, "problems": [], "warnings": []}


def test_warnings_do_not_fail(hopline: Hopline, elsewhere: Path) -> None:
    document = yaml.safe_load((SAMPLES / "order-review/workflow.yml").read_text())
    nodes = document["workflow"]["graph"]["nodes"]
    nodes.append(
        {"id": "alone", "data": {"type": "template-transform", "title": "", "template": "", "variables": []}}
    )
    (elsewhere / "odd.yml").write_text(yaml.safe_dump(document))
    result = hopline("workflow", "check", "odd.yml")
    assert result.exit_code == 0
    assert "warning: node alone, edges: is never reached" in result.stdout


def test_not_text_and_not_there(hopline: Hopline, elsewhere: Path) -> None:
    (elsewhere / "image.yml").write_bytes(b"\x89PNG\xff")
    assert hopline("workflow", "check", "image.yml").exit_code == 1
    assert hopline("workflow", "check", "absent.yml").exit_code == 2
