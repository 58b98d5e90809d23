"""Filter patterns: the examples of GitHub's cheat sheet, its rules, and what is no pattern."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.filter_patterns import MAX_CHARS, MAX_PATTERNS, FilterPatterns, translated

CHEAT_SHEET = [
    ("feature/*", "feature/my-branch feature/your-branch", "feature/a/b feature"),
    ("feature/**", "feature/beta-a/my-branch feature/your-branch feature/mona/the/octocat", "feature fix/a"),
    ("main", "main", "maine refs/heads/main Main"),
    ("*", "main releases README.md server.rb", "all/the/branches"),
    ("**", "all/the/branches every/tag all/the/files.md main", ""),
    ("*feature", "mona-feature feature ver-10-feature", "features a/feature"),
    ("v2*", "v2 v2.0 v2.9", "v1 v2/a"),
    ("v[12].[0-9]+.[0-9]+", "v1.10.1 v2.0.0", "v3.0.0 v1..1 v1.1 vx.1.1"),
    ("*.jsx?", "page.js page.jsx", "page.jsxx page.ts src/page.js"),
    ("*.js", "app.js index.js", "js/index.js"),
    ("**.js", "index.js js/index.js src/js/app.js", "index.jsx"),
    ("docs/*", "docs/README.md docs/file.txt", "docs/a/b"),
    ("docs/**", "docs/README.md docs/mona/octocat.txt", "docs a/docs/b"),
    ("docs/**/*.md", "docs/README.md docs/mona/hello-world.md docs/a/markdown/file.md", "docs/a.txt"),
    ("**/docs/**", "docs/hello.md dir/docs/my-file.txt space/docs/plan/space.doc", "mydocs/a docs"),
    ("**/README.md", "README.md js/README.md", "MYREADME.md js/README.mdx"),
    ("**/*src/**", "a/src/app.js my-src/code/js/app.js", "a/srcs/app.js"),
    ("**/*-post.md", "my-post.md path/their-post.md", "post.md"),
    ("**/migrate-*.sql", "migrate-10909.sql db/migrate-v1.0.sql db/sept/migrate-v1.sql", "migrate.sql"),
    ("Octo*", "Octocat Octo", "octo"),
    ("[CB]at", "Cat Bat", "cat at"),
    ("[1-2]00", "100 200", "300 12"),
    ("[0-9a-z]", "7 q", "Q 77"),
]
"""Pattern, what GitHub's documents say that it matches, and what by its rules it does not."""


@pytest.mark.parametrize(("pattern", "fits", "others"), CHEAT_SHEET, ids=[row[0] for row in CHEAT_SHEET])
def test_the_cheat_sheet(pattern: str, fits: str, others: str) -> None:
    patterns = FilterPatterns([pattern])
    assert [name for name in fits.split() if not patterns.match(name)] == []
    assert [name for name in others.split() if patterns.match(name)] == []


@pytest.mark.parametrize(
    ("patterns", "fits", "others"),
    [
        (["*.md", "!README.md"], "hello.md", "README.md docs/hello.md"),
        (["*.md", "!README.md", "README*"], "hello.md README.md README.doc", "docs/hello.md"),
        (["releases/**", "!releases/**-alpha"], "releases/10 releases/beta/mona", "releases/10-alpha"),
        (["!a", "a"], "a", "b"),
        (["a", "!a"], "", "a b"),
        (["main", "releases/mona-the-octocat"], "main releases/mona-the-octocat", "dev"),
    ],
)
def test_the_last_pattern_that_fits_decides(patterns: list[str], fits: str, others: str) -> None:
    compiled = FilterPatterns(patterns)
    assert [name for name in fits.split() if not compiled.match(name)] == []
    assert [name for name in others.split() if compiled.match(name)] == []


@pytest.mark.parametrize(
    ("pattern", "name"),
    [(r"\!important", "!important"), (r"a\*b", "a*b"), (r"a\+", "a+"), (r"c\?", "c?"), (r"\[x\]", "[x]"),
     (r"back\\slash", "back\\slash"), ("a!b", "a!b"), ("a]", "a]"), ("x.(y)|$^{z}", "x.(y)|$^{z}"),
     ("foo bar#~&", "foo bar#~&"), ("größe?", "größ"), ("日本語/*", "日本語/x"), ("a+b", "aaab"),
     ("***", "a/b")],
)  # fmt: skip
def test_signs_that_stand_for_themselves(pattern: str, name: str) -> None:
    assert FilterPatterns([pattern]).match(name)


def test_a_dot_is_a_dot() -> None:
    assert not FilterPatterns(["v1.0?"]).match("v1x0")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("", "1 to 250"), ("a" * (MAX_CHARS + 1), "1 to 250"), ("!", "add one without"),
     ("?", "needs a character"), ("+a", "needs a character"), ("*?", "needs a character"),
     ("**+", "needs a character"), ("a++", "needs a character"), ("[]", "lists no character"),
     ("[a", "] is missing"), ("[a-]", "must list"),
     ("[z-a]", "must list"), ("[a-9]", "must list"), ("[A-z]", "must list"), ("[!ab]", "must list"),
     ("[^ab]", "must list"), (r"\d", "takes the meaning"), ("a\\", "takes the meaning"),
     ("a\nb", "control characters")],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        FilterPatterns([pattern])


def test_patterns_that_only_take_out_are_refused() -> None:
    with pytest.raises(ValueError, match="add one without"):
        FilterPatterns(["!a", "!b/**"])
    with pytest.raises(ValueError, match="at most 100"):
        FilterPatterns(["a"] * (MAX_PATTERNS + 1))


@pytest.mark.parametrize("pattern", ["*a" * 60 + "z", "a?" * 100 + "a" * 50, "a+" * 60 + "z", "**a**z"])
def test_a_pattern_that_backtracking_would_never_finish(pattern: str) -> None:
    for length in (30, 300, 4_000):
        assert not FilterPatterns([pattern]).match("a" * length + "b")


def test_long_names_are_matched_like_short_ones() -> None:
    for length in (10, 5_000):
        name = "docs/" + "x" * length + "/a.md"
        assert FilterPatterns(["docs/**/*.md"]).match(name)
        assert not FilterPatterns(["docs/*.md"]).match(name)


def fits(pattern: str, name: str, fresh: bool = True) -> bool:
    """The rules again, for letters, `/`, `*`, `**`, `?`, by trying all there is. `fresh`: a folder begins."""
    if not pattern:
        return not name
    if pattern.startswith("**"):
        rest = pattern.lstrip("*")
        if fresh and rest.startswith("/") and rest[1:2] != "?":
            begins = [0, *(i + 1 for i, sign in enumerate(name) if sign == "/")]
            return any(fits(rest[1:], name[i:]) for i in begins)
        return any(fits(rest, name[i:], False) for i in range(len(name) + 1))
    if pattern[0] == "*":
        within = len(name.partition("/")[0])
        return any(fits(pattern[1:], name[i:], False) for i in range(within + 1))
    optional = pattern[1:2] == "?"
    rest = pattern[2 if optional else 1 :]
    taken = name[:1] == pattern[0] and fits(rest, name[1:], pattern[0] == "/" and not optional)
    return taken or (optional and fits(rest, name, False))


PARTS = st.lists(st.sampled_from(["a", "b", "/", "*", "**", "**/", "a?", "/?"]), min_size=1, max_size=6)


@given(PARTS, st.text("ab/", max_size=7))
def test_it_matches_what_the_rules_say(parts: list[str], name: str) -> None:
    pattern = "".join(parts)
    assert FilterPatterns([pattern]).match(name) == fits(pattern, name), translated(pattern)
