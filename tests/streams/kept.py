"""The rows of a stage's table, for stages that are driven without the shell."""


class KeptRows(dict[str, bytes]):
    """A `Kept` to look at and to write to."""

    def under(self, prefix: str) -> list[str]:
        """See `Kept`."""
        return sorted(key for key in self if key.startswith(prefix))
