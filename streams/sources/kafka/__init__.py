"""Topics of other Kafkas that are consumed."""
