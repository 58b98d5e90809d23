"""The processes below this one that a sandbox has started: all but the broker that the whole suite shares."""

import psutil


def children() -> list[psutil.Process]:
    """Directly below this process."""
    return [child for child in psutil.Process().children() if child.name() != "java"]


def descendants() -> list[psutil.Process]:
    """Below this process, however deep."""
    return [one for child in children() for one in (child, *child.children(recursive=True))]
