"""The job as a program of each peer, run in the peer's environment, so without the rest of bench."""
