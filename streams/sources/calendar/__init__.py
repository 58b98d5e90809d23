"""Calendars at Google that are watched."""
