"""Exports of the history: what a search finds, whole, as CSV, JSON lines or Parquet."""
