"""The alerts ask for what there is, say what to do, and fire when they are to."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.expressions import unknown

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
GROUPS = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]


def anchors(document: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_asks_for_what_there_is_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert unknown(rule["expr"]) == set()
    assert re.fullmatch(r"\d+m", rule["for"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    told = rule["annotations"]
    assert set(told) == {"summary", "description", "runbook"}
    assert told["description"].endswith(".")
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(told.values())))
    kept = {"job", "instance"} | set(
        re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"])))
    )
    assert used <= kept, "a label that the expression has dropped"
    page, _, anchor = told["runbook"].partition("#")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors((ROOT / page).read_text())


def test_no_alert_is_there_twice_and_each_paragraph_is_of_one() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    told = re.findall(r"^#+ (Hopline\w+)$", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(names)


def test_what_is_not_there_is_found() -> None:
    assert unknown("sum by (stage) (rate(hopline_stage_records_total[5m]))") == set()
    assert unknown("rate(hopline_stage_records[5m])") == {"hopline_stage_records"}
    assert unknown('hopline_consumer_lag{stage="x"}') == {"stage"}
    assert unknown("sum by (topic) (hopline_worker_ready)") == {"topic"}
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        unknown("sum(rate(hopline_events_total[5m])")


def test_they_fire_when_they_are_to() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool, which comes with Prometheus, is not installed")
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run([promtool, *arguments], cwd=FOLDER, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
