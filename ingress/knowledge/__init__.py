"""Datasets: their configuration, their documents, and the search in their index."""
