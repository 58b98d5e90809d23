"""Hopline beside other engines, and under fire: `python -m bench`, `bench.soak`, `bench.chaos`."""
