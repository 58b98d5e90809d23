"""Everything that may fail, failing: `python -m bench.chaos --events 100000 --faults 200 --seed 1`."""
