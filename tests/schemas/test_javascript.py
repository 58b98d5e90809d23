"""What is said of a script in JavaScript before it ever runs."""

import pytest

from schemas.javascript import faults


@pytest.mark.parametrize(
    "code",
    [
        "function main({a}) { return {b: a} }",
        "async function main() { await 1; return {} }",
        "const main = async () => ({})",
        "var main = function () {}",
        "main = (x) => ({x})",
        "class A { #x = 1; get x() { return this.#x } }\nfunction main() { return {x: new A().x ?? 1n} }",
        "while (true) {}\nfunction main() {}",  # endless, but it compiles; and nothing of it runs here
    ],
)
def test_these_can_run(code: str) -> None:
    assert list(faults(code)) == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("function main() {\n  var x = ;\n}", "does not compile, line 2: SyntaxError: "),
        ("return 5", "does not compile, line 1: SyntaxError: "),
        ("import fs from 'fs'\nfunction main() {}", "does not compile, line 1: SyntaxError: "),
        ("function main() {}\nlet main = 3", "does not compile, line 2: SyntaxError: "),
        ("(" * 100_000, "does not compile, RangeError: "),
        ("", "has no function main"),
        ("let y = main === 3", "has no function main"),
        ("const mainly = () => ({})", "has no function main"),
    ],
)
def test_these_can_not(code: str, fault: str) -> None:
    (found,) = faults(code)
    assert found.startswith(fault)
