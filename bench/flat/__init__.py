"""Whether a run costs the same however much is configured, and a node however many there are."""
