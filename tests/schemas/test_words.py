"""What counts as a word."""

import pytest

from schemas.words import MAX_WORD_CHARS, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("naïve STRASSE ﬁne ｗｉｄｅ", ["naïve", "strasse", "fine", "wide"]),  # noqa: RUF001
        ("don't stop-word v3.5", ["don", "t", "stop", "word", "v3", "5"]),
        ("天地玄黄", ["天地", "地玄", "玄黄"]),
        ("用Kafka吧", ["用", "kafka", "吧"]),
        ("ひらがな", ["ひら", "らが", "がな"]),
        ("Привет мир", ["привет", "мир"]),
        ("", []),
        ("?! ' \\ --", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_word_has_an_end() -> None:
    assert words_of("x" * 1000) == ["x" * MAX_WORD_CHARS]
