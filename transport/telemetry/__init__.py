"""Traces and logs: which are sampled, who is told of them, and how they leave by OTLP."""
