"""What the documents promise is there."""

import importlib
import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from tests.exposed_metrics import exposed

ROOT = Path(__file__).parent.parent
MODULES = [
    "transport.settings", "ingress.settings", "streams.settings", "streams.executors.settings",
    "streams.sources.settings",
    "streams.executors.documents.settings", "streams.executors.knowledge.settings",
    "sinks.settings", "cli.settings", "cli.kafka.settings", "transport.telemetry.settings",
]  # fmt: skip


def variables() -> set[str]:
    found = set()
    for name in MODULES:
        for model in vars(importlib.import_module(name)).values():
            if not (
                isinstance(model, type) and issubclass(model, BaseSettings) and model is not BaseSettings
            ):
                continue
            prefix = model.model_config.get("env_prefix") or ""
            for field, info in model.model_fields.items():
                nested = isinstance(info.annotation, type) and issubclass(info.annotation, BaseSettings)
                if not nested:
                    found.add(str(info.validation_alias or prefix + field.upper()))
    return {name for name in found if name.startswith("HOPLINE_")}


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"HOPLINE_[A-Z_]+", text)) == variables()


@pytest.mark.parametrize(
    "file",
    [f for f in ROOT.rglob("*.md") if not any(p.startswith(".") for p in f.relative_to(ROOT).parts)],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_every_link_to_a_file_leads_somewhere(file: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", file.read_text())
    assert [link for link in links if not (file.parent / link).exists()] == []


METRIC = re.compile(r"(?<![\w_])hopline_[a-z_]+(?:\{([a-z_,]+)\})?")


def test_every_metric_is_documented_with_its_labels_and_nothing_else_is() -> None:
    text = (ROOT / "docs/monitoring.md").read_text()
    rows = "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `hopline_"))
    told = {
        found[0].split("{")[0]: set(filter(None, (found[1] or "").split(",")))
        for found in METRIC.finditer(rows)
    }
    build = {"hopline_build_info": {"version", "python_version", "role"}}  # Its labels are its value.
    assert told == {name: set(metric.labels) for name, metric in exposed().items()} | build


@pytest.mark.parametrize("file", sorted((ROOT / "docs").glob("*.md")), ids=lambda file: file.name)
def test_documents_name_metrics_as_a_scrape_does(file: Path) -> None:
    told = {found[0].split("{")[0] for found in METRIC.finditer(file.read_text())}
    assert told <= {series for metric in exposed().values() for series in (metric.name, *metric.series)}
