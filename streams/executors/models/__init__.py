"""Talks to models: a client for OpenAI-compatible endpoints, and the nodes that ask models."""
