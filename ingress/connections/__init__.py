"""Connections to providers whose events come for a whole app: configured, found by a request, asked back."""
