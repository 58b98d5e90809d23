"""Text for a terminal: what comes from workflow files, providers and events must not steer it."""

_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")
_ONE_LINE = {**_CONTROL, ord("\n"): " ", ord("\t"): " ", ord("\r"): " "}
_LINES = {**_CONTROL, ord("\n"): "\n", ord("\t"): "\t", ord("\r"): ""}


def one_line(text: str) -> str:
    """Without line breaks and control characters."""
    return text.translate(_ONE_LINE)


def lines(text: str) -> str:
    """Without control characters other than line breaks and tabs."""
    return text.translate(_LINES)
