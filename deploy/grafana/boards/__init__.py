"""One file for each dashboard."""
