"""Hopline beside other engines, and under fire: `python -m bench`, `python -m bench.soak`."""
