"""What our own code costs for one run of the job, against work that never changes: `python -m bench.cpu`."""
