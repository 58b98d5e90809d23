"""Events that come whole, answered without aiohttp; see docs/adr/0035."""
