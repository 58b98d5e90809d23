"""The page of questions, as far as it is text."""

import pytest

from bench.analytics.page import PAGE, Question, figures, questions, table, with_block, with_outputs

TEXT = """# Page

```sql
SELECT 'not asked'
```

### 1. What is `one`?

Some words.

```sql
SELECT 1 AS one
```

```text
one
  1
```

### Two

```sql
SELECT 2
```

```text
```

### Three

```sql
SELECT 3
```

Text goes on.

```text
not an output
```

### Nothing is asked here

## End
"""


def test_questions_are_headings_with_a_query_and_perhaps_an_output() -> None:
    assert questions(TEXT) == [
        Question("1. What is `one`?", "SELECT 1 AS one\n", "one\n  1\n"),
        Question("Two", "SELECT 2\n", ""),
        Question("Three", "SELECT 3\n", None),
    ]
    assert questions(TEXT)[0].name == "1. What is one?"


def test_outputs_are_written_anew_and_nothing_else() -> None:
    renewed = with_outputs(TEXT, lambda query: f"answer to {query}")
    assert [question.output for question in questions(renewed)] == [
        "answer to SELECT 1 AS one\n",
        "answer to SELECT 2\n",
        None,
    ]
    assert with_outputs(renewed, lambda query: "one\n  1\n" if "1" in query else "") == TEXT


def test_a_block_is_replaced_between_its_marks() -> None:
    page = "a\n<!-- figures -->\nold\n<!-- end of figures -->\nb\n"
    assert with_block(page, "figures", "new\n") == "a\n<!-- figures -->\nnew\n<!-- end of figures -->\nb\n"
    with pytest.raises(ValueError, match="<!-- other -->"):
        with_block(page, "other", "new\n")


def test_a_table_has_numbers_to_the_right_and_nothing_behind_a_line() -> None:
    assert table(("name", "n"), [["a", 1], ["bcdef", 22.5], [None, None]]) == (
        "name      n\na         1\nbcdef  22.5\n\n"
    )


def test_a_table_of_no_rows_is_its_columns() -> None:
    assert table(("a", "b"), []) == "a  b\n"


def test_figures_are_a_table_in_markdown() -> None:
    assert figures({"1. What?": {"seconds": 0.01234, "rows_read": 12345}}).splitlines()[-1] == (
        "| 1. What? | 0.012 | 12,345 |"
    )


def test_the_page_has_twenty_questions_and_those_of_the_seeds() -> None:
    asked = questions(PAGE.read_text())
    numbered = [question for question in asked if question.title[0].isdigit()]
    assert [question.title.partition(".")[0] for question in numbered] == [str(n) for n in range(1, 21)]
    assert all(question.output for question in numbered)
    assert len({question.query for question in asked}) == len(asked)
