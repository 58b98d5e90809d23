"""Fills the index of datasets: a document in, its chunks out."""
