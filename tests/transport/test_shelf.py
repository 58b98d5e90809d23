"""What is packed comes back as it was, and only so much of it stays open."""

from schemas.models import App, AppMode
from transport.shelf import Opened, Packed, Shelf, pack


def app(number: int) -> App:
    return App(id=f"app-{number}", name=f"Äpp {number}", mode=AppMode.WORKFLOW, workflow_id="w")


def packed(one: App) -> Packed[str]:
    return pack(one.name, one.body())


def test_what_is_packed_is_what_it_was() -> None:
    shelf = Shelf[App, str](Opened(App.model_validate_json))
    shelf.put("one", packed(app(1)))
    given = app(2)
    shelf.put("two", packed(given))
    assert shelf["two"] == given
    assert (list(shelf), len(shelf), "two" in shelf, "three" in shelf) == (["one", "two"], 2, True, False)
    assert shelf.get("three") is None
    assert (list(shelf.heads), shelf.head("two"), shelf.head("three")) == (["Äpp 1", "Äpp 2"], "Äpp 2", None)
    shelf.put("one", packed(given))
    assert shelf["one"] is shelf["two"], "the same content is open once"
    shelf.remove("two")
    shelf.remove("two")
    assert list(shelf) == ["one"]


def test_those_that_were_asked_for_last_stay_open() -> None:
    size = len(app(1).body())
    shelf = Shelf[App, str](Opened(App.model_validate_json, most_bytes=2 * size))
    for number in (1, 2, 3):
        shelf.put(str(number), packed(app(number)))
    first, second = shelf["1"], shelf["2"]
    assert shelf["1"] is first
    assert shelf["3"].name == "Äpp 3"
    assert shelf["1"] is first, "asked for after the second"
    assert shelf["2"] is not second
    assert shelf["2"] == second


def test_one_that_is_too_large_stays_open_while_it_is_the_last() -> None:
    shelf = Shelf[App, str](Opened(App.model_validate_json, most_bytes=1))
    shelf.put("1", packed(app(1)))
    assert shelf["1"] is shelf["1"]
