"""The processes below this one that a sandbox has started: all but those that other tests keep."""

import psutil

_others: set[int] = set()


def note_others() -> None:
    """What runs now below this process is no sandbox: the broker, and what other tests share."""
    _others.update(child.pid for child in psutil.Process().children())


def children() -> list[psutil.Process]:
    """Directly below this process."""
    return [child for child in psutil.Process().children() if child.pid not in _others]


def descendants() -> list[psutil.Process]:
    """Below this process, however deep."""
    return [one for child in children() for one in (child, *child.children(recursive=True))]
