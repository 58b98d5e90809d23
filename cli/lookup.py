"""From what a user calls a workflow to the workflow."""

from collections.abc import Mapping
from typing import Any

from cli.client import Client
from cli.errors import CommandFailed
from cli.plain import one_line

Json = Mapping[str, Any]


def find_workflow(client: Client, name_or_id: str) -> Json:
    """Its summary as GET /api/v1/workflows lists it. An id comes before a name. Raises `CommandFailed`."""
    workflows: list[Json] = client.get("workflows")["data"]
    by_name = [one for one in workflows if one["name"] == name_or_id]
    for one in workflows:
        if name_or_id in (one["id"], one["app_id"]):
            return one
    if not by_name:
        raise CommandFailed(
            f"no workflow is called {name_or_id!r}: `hopline workflow list` shows what there is"
        )
    if len(by_name) > 1:
        ids = ", ".join(one["id"] for one in by_name)
        raise CommandFailed(f"several workflows are called {name_or_id!r}: name one by its id ({ids})")
    return by_name[0]


def workflow_names(client: Client) -> dict[str, str]:
    """Id -> name, for lists that would otherwise show ids alone."""
    return {one["id"]: one_line(one["name"]) for one in client.get("workflows")["data"]}
