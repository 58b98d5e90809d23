"""No file can cost more than its bounds, and none gets further than plain JSON."""

import pytest

from schemas import document
from schemas.document import read_document
from schemas.errors import InvalidDefinition

LAUGHS = "a: &a [1,2,3,4,5,6,7,8,9]\n" + "".join(
    f"{here}: &{here} [{','.join([f'*{before}'] * 9)}]\n"
    for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{here}: &{here} {{<<: [{','.join([f'*{before}'] * 9)}], {here}: 1}}\n"
    for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must be an object"),
        ("- 1", "must be an object"),
        ("a: [", "neither YAML nor JSON"),
        ("{", "neither YAML nor JSON"),
        ("a: !!python/object/apply:os.system [ls]", "neither YAML nor JSON"),
        ("a: 2024-13-45", "neither YAML nor JSON"),
        ("? [a]\n: b", "neither YAML nor JSON"),
        ("a: 99999999999999999999999999", "JSON cannot hold"),
        ("a: &a [*a]", "nested more than"),
        ("[" * 200_000, "nested more than"),
        ('{"a":' * 500 + "1" + "}" * 500, "nested more than"),
        (LAUGHS, "holds more than"),
        (MERGES, "holds more than"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidDefinition, match=why):
        read_document(text)


def test_a_large_file_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_BYTES", 10)
    with pytest.raises(InvalidDefinition, match="larger than"):
        read_document("a: 'ééééé'")


def test_values_become_json() -> None:
    assert read_document("a: 2024-01-02\n1: &x {b: [null, 1.5]}\nc: *x") == {
        "a": "2024-01-02",
        "1": {"b": [None, 1.5]},
        "c": {"b": [None, 1.5]},
    }


def test_json_and_flow_style_yaml_are_told_apart() -> None:
    assert read_document('{"a": [1]}') == read_document("{a: [1]}") == {"a": [1]}
