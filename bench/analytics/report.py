"""What the bench has measured, for programs, for a terminal and for the page."""

import textwrap
from collections.abc import Mapping
from typing import Any

from bench.analytics.page import figures, table

Document = Mapping[str, Any]
"""As results/analytics.json has it."""


def summary(document: Document) -> str:
    """For a terminal; the last line names the slowest query."""
    queries, rollups = document["queries"], document["rollups"]
    rows = [[name, round(took["seconds"], 3), took["rows_read"]] for name, took in queries.items()]
    counts = [f"{name} {one['rows']:,}" for name, one in document["tables"].items()]
    slowest = max(queries, key=lambda name: queries[name]["seconds"])
    return "\n".join(
        (
            table(("query", "seconds", "rows_read"), rows),
            f"rows: {', '.join(counts)}",
            f"rollups: {rollups['rows']:,} rows, {rollups['different']} different from the raw tables",
            f"slowest: {queries[slowest]['seconds']:.3f} s, {slowest}",
        )
    )


def told(document: Document) -> str:
    """For docs/analytics.md: a paragraph, then the figures."""
    tables, seconds, machine = document["tables"], document["seconds"], document["machine"]
    nodes = tables["workflow_node_execution_changes"]["rows"]
    gigabytes = sum(one["bytes"] for one in tables.values()) / 1e9
    rollups = document["rollups"]
    text = (
        f"On {machine['at'][:10]}, on {machine['cores']} cores: {document['plan']['runs']:,} runs, {nodes:,} "
        f"rows of node executions, {gigabytes:.1f} GB. Writing them took {seconds['generated']:,.0f} s, and "
        f"computing the rollups from nothing {seconds['rolled_up']:,.0f} s. Of {rollups['rows']:,} rows of "
        f"rollups {rollups['different']:,} differ from what the raw tables say."
    )
    return f"{textwrap.fill(text, 120)}\n\n{figures(document['queries'])}"
