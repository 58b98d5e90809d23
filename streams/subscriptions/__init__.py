"""Keeps subscriptions alive: their tokens refreshed, their ends put off, each by one worker at a time."""
