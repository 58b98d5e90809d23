"""The plugins that are shipped. They are found by entry point like those of others; nothing imports them."""
