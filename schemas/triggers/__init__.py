"""The kinds of triggers: for each its configuration, what it is looked up by, and what it lets through."""
