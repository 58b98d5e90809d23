"""The runner of `make corpus`, on files that are made like those that people publish."""

from pathlib import Path

import pytest

from tests.differential.dsl import (
    NO_GRAPH,
    RAN,
    RAN_WITH_CANNED_CODE,
    REFUSED,
    Verdict,
    judge,
    main,
    report,
)
from tests.differential.hopline_process import Hopline

FOLDER = Path(__file__).with_name("published")


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("summary-0.1.yml", RAN), ("assistant-0.4.yml", RAN), ("agent-0.3.yml", RAN),
        ("approval-0.6.yml", RAN), ("chatbot.yml", NO_GRAPH), ("half-made.yml", REFUSED),
    ],
)  # fmt: skip
def test_published_files_run(hopline: Hopline, name: str, result: str) -> None:
    verdict = judge((FOLDER / name).read_text(), hopline)
    assert (verdict.result, verdict.reasons if result == RAN else ()) == (result, ())
    assert verdict.exported == (name != "chatbot.yml")


def test_a_script_that_fails_here_is_helped_and_counted(hopline: Hopline) -> None:
    text = (FOLDER / "summary-0.1.yml").read_text()
    helped = judge(text.replace("text.split()", "text['a']"), hopline)
    assert helped.result == RAN_WITH_CANNED_CODE
    assert helped.reasons == ("it makes nothing of the canned replies",)
    missing = judge(text.replace("return {'parts'", "import nosuchpackage; return {'parts'"), hopline)
    assert missing.reasons == ("it needs the package nosuchpackage",)


def test_a_file_of_something_else_is_an_app_without_a_graph(hopline: Hopline) -> None:
    for text in ("services: {}", "- 1", "{", ""):
        assert judge(text, hopline).result == NO_GRAPH


def test_the_report_counts_by_origin_and_reason() -> None:
    verdicts = [
        Verdict(True, "workflow", RAN),
        Verdict(True, "workflow", RAN),
        Verdict(True, "workflow", REFUSED, ("cycle", "no start")),
        Verdict(True, "workflow", REFUSED, ("cycle",)),
        Verdict(False, "workflow", RAN),
    ]
    total, *rest = report(verdicts).splitlines()
    assert total == "5 files; of 4 workflows from Dify's editor 2 import and 2 run to their end"
    lines = [line.split() for line in rest]
    assert lines == [
        ["workflow,", "from", "the", "editor:", "4", "files"],
        ["2", "runs", "to", "its", "end"],
        ["2", "is", "refused"],
        ["2", "cycle"],
        ["1", "no", "start"],
        ["workflow,", "written", "otherwise:", "1", "files"],
        ["1", "runs", "to", "its", "end"],
    ]


def test_the_command_reads_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper/one.yaml").write_text((FOLDER / "half-made.yml").read_text())
    (tmp_path / "README.md").write_text("nothing")
    main([str(tmp_path), "--each"])
    each, total, *rest = capsys.readouterr().out.splitlines()
    assert each.startswith("one.yaml: is refused assigned_variable_selector")
    assert total == "1 files; of 1 workflows from Dify's editor 0 import and 0 run to their end"
    assert rest[0] == "advanced-chat, from the editor: 1 files"


def test_the_command_wants_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nowhere"])
    assert "nowhere is no folder" in capsys.readouterr().err
