"""Tables, fields and durations."""

import io
import sys

import pytest
from rich.text import Text
from rich.tree import Tree

from cli.output import duration, moment, show, show_fields, show_table


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (0, "0 µs"),
        (0.00042, "420 µs"),
        (0.0042, "4.2 ms"),
        (0.0123, "12 ms"),
        (0.00099960, "1.0 ms"),
        (0.00996, "10 ms"),
        (0.9996, "1.00 s"),
        (1.5, "1.50 s"),
        (59.996, "1 min 0 s"),
        (61, "1 min 1 s"),
        (119.7, "2 min 0 s"),
        (3599.7, "1 h 0 min"),
        (30 * 86400 + 7300, "30 d 2 h"),
    ],
)
def test_duration(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_moment_is_to_the_second() -> None:
    assert moment("2026-11-21T08:40:17.011697Z") == "2026-11-21 08:40:17Z"
    assert moment("yesterday") == "yesterday"


def test_ids_stay_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    run_id = "0b9e2d6c-0000-5000-8000-000000000001"
    show_table(("id", "error"), [[run_id, "a long story " * 9]])
    assert run_id in terminal.getvalue()
    assert max(map(len, Text.from_ansi(terminal.getvalue()).plain.splitlines())) <= 60


def test_a_row_that_is_too_wide_takes_several_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "32")
    names = ("id", "workflow", "status", "created_at", "error")
    row = ["0b9e2d6c-0001", "bestellungen-größer", "SUCCEEDED", "2026-11-21 08:40:17Z"]
    show_table(
        names, [[*row, None], ["0b9e2d6c-0002", "短い名前", "FAILED", row[3], "it was " * 9 + "too late"]]
    )
    assert Text.from_ansi(terminal.getvalue()).plain == (
        "id\n"
        "  workflow             status\n"
        "  created_at\n"
        "  error\n"
        "0b9e2d6c-0001\n"
        "  bestellungen-größer  SUCCEEDED\n"
        "  2026-11-21 08:40:17Z\n"
        "0b9e2d6c-0002\n"
        "  短い名前             FAILED\n"
        "  2026-11-21 08:40:17Z\n"
        f"  {'it was ' * 9}too late\n"
    )


def test_tsv_escapes_what_would_break_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("a", "b"), [["x\ty\nz\\", None], [1.5, {"k": [True]}]])
    assert capsys.readouterr().out == 'a\tb\nx\\ty\\nz\\\\\t\n1.5\t{"k":[true]}\n'


def test_table_on_a_terminal_shows_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    show_table(("name",), [["[bold]evil[/bold]\x1b]0;title\x07"]])
    shown = terminal.getvalue()
    assert "[bold]evil[/bold]" in shown
    assert "\x1b]0" not in shown
    assert "\x07" not in shown


def test_fields_leave_out_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    show_fields({"id": "1", "long name": "x\x1b", "secret": None})
    assert capsys.readouterr().out == "id         1\nlong name  x\N{REPLACEMENT CHARACTER}\n"


def test_a_tree_for_a_pipe_has_its_lines_whole(capsys: pytest.CaptureFixture[str]) -> None:
    tree = Tree(Text("r" * 150))
    tree.add(Text("why it failed " * 20))
    show(tree)
    assert capsys.readouterr().out == f"{'r' * 150}\n└── {'why it failed ' * 20}\n"
