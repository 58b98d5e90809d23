"""The rows of a stage's table, for stages that are driven without the shell."""


class KeptRows(dict[str, bytes]):
    """A `Kept` to look at and to write to."""

    def under(self, prefix: str, most: int | None = None) -> list[str]:
        """See `Kept`."""
        return sorted(key for key in self if key.startswith(prefix))[:most]
