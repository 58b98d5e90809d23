"""Tools of tenants: operations of HTTP APIs, and what MCP servers offer. One `Toolbox` for all nodes."""
