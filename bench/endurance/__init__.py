"""An hour at a steady rate: what a million runs do to cost, memory, lag, latency and disk."""
