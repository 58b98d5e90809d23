"""What a plugin is that brings the events of a provider, and how one is found."""
