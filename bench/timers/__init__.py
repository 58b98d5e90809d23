"""What a million runs that wait cost, and how late those are whose time comes."""
