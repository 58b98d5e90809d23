"""Runs as they happen, over Server-Sent Events: see docs/live.md."""
