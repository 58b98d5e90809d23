"""A running Hopline as its user sees it: through the HTTP API."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.connection import Endpoint
from cli.client import Client, Refused
from cli.errors import CommandFailed
from cli.settings import ClientSettings

SAMPLE = Path(__file__).parents[1] / "samples" / "order-review"
ID_HEADER = "webhook-id"
MAX_ROWS = 10_000
"""What the API answers to one query at most."""


@dataclass(frozen=True, slots=True)
class Job:
    """The workflow of the job, and where its orders go."""

    workflow_id: str
    endpoint: Endpoint


class Deployment:
    """One deployment, with a key of its control plane. Its calls run in a thread, so they don't block."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.client = Client(ClientSettings(url=url, api_key=api_key, timeout_s=120))

    async def is_up(self) -> bool:
        """Whether the API answers."""
        try:
            await asyncio.to_thread(self.client.get, "workflows")
        except Refused:
            return True
        except CommandFailed:
            return False
        return True

    async def install_job(self) -> Job:
        """Imports and publishes the sample `order-review`, with a webhook that wants no signature.

        Each call makes another workflow and another webhook. Raises `CommandFailed`.
        """
        content = (SAMPLE / "workflow.yml").read_bytes()
        config = orjson.loads((SAMPLE / "sample.json").read_bytes())["trigger"]["config"]
        config.pop("signature")

        def install() -> Job:
            imported = self.client.upload("workflows", "import", content=content, app="bench", publish="true")
            trigger = {"type": "WEBHOOK", "workflow_id": imported["workflow_id"], "config": config}
            url = self.client.post("triggers", body=trigger)["url"]
            return Job(imported["workflow_id"], Endpoint(url, ID_HEADER))

        return await asyncio.to_thread(install)

    async def select(self, sql: str) -> list[Mapping[str, Any]]:
        """Rows of the run history, by column name. Raises `CommandFailed`, also for more than `MAX_ROWS`."""
        answer = await asyncio.to_thread(self.client.post, "sql", body={"query": sql})
        if answer["truncated"]:
            raise CommandFailed(f"the answer has more than {MAX_ROWS} rows: {sql}")
        columns = answer["columns"]
        return [dict(zip(columns, row, strict=True)) for row in answer["rows"]]
