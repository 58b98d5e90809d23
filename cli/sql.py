"""`hopline sql`: a query on the run history."""

import click

from cli.client import connect
from cli.output import json_option, show_json, show_table


@click.command("sql")
@click.argument("query", metavar="QUERY")
@json_option
def sql(query: str, as_json: bool) -> None:
    """Run a SELECT on the run history: a table on a terminal, TSV when piped.

    Tables: workflow_runs, workflow_node_executions, workflow_trigger_logs, trigger_events, dead_letters.
    """
    result = connect().post("sql", body={"query": query})
    columns, rows = result["columns"], result["rows"]
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show_table(columns, rows)
    if result.get("truncated"):
        click.echo(f"only the first {len(rows)} rows: narrow the query, or aggregate in it", err=True)
