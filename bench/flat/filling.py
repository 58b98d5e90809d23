"""Many workflows, each published and with a webhook of its own, no two with the same graph."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import orjson

from bench.connection import Endpoint
from bench.cpu.job import PUBLISHED
from bench.deployment import ID_HEADER, SAMPLE, Deployment
from schemas.codec import Codec, SingleObjectCodec
from schemas.document import read_document
from schemas.ids import endpoint_id, entity_id, new_id
from schemas.models import DRAFT, App, AppMode, AppTrigger, Workflow, WorkflowType
from schemas.triggers.webhook import WebhookConfig
from transport.definitions import APPS, TRIGGERS, WORKFLOWS
from transport.producer import Producer, Send
from transport.settings import KafkaSettings
from transport.store import definition

_AT_ONCE = 64
_BATCH = 1_000


class Filling:
    """A growing set of workflows that are all like the sample `order-review`."""

    def __init__(self, deployment: Deployment, api_key: str, kafka: KafkaSettings) -> None:
        self.endpoints: list[Endpoint] = []
        """Of the webhooks, those of the oldest workflows first."""
        self._url = deployment.url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._kafka = kafka
        self._file = orjson.dumps(read_document((SAMPLE / "workflow.yml").read_text())).decode()
        config = orjson.loads((SAMPLE / "sample.json").read_bytes())["trigger"]["config"]
        self._config: dict[str, Any] = {name: of for name, of in config.items() if name != "signature"}

    async def deploy(self, count: int) -> None:
        """So many more, through the API as a user would: imported with a publication, and given a webhook.

        Raises `aiohttp.ClientResponseError` for one that is refused.
        """
        numbers = iter(range(len(self.endpoints), len(self.endpoints) + count))
        found: dict[int, Endpoint] = {}
        async with aiohttp.ClientSession(self._url, headers=self._headers, raise_for_status=True) as http:

            async def deploy_on_one() -> None:
                for number in numbers:
                    found[number] = await self._deploy(http, _name(number))

            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(deploy_on_one())
        self.endpoints += [found[number] for number in sorted(found)]

    async def write(self, count: int) -> None:
        """So many more, as the records by which the API would deploy them: in seconds, not in minutes."""
        producer, codec = Producer(self._kafka), SingleObjectCodec()
        try:
            for first in range(0, count, _BATCH):
                sends: list[Send] = []
                for _ in range(min(_BATCH, count - first)):
                    sends += self.records(codec)
                await producer.send_all(sends)
        finally:
            await producer.close()

    async def _deploy(self, http: aiohttp.ClientSession, name: str) -> Endpoint:
        query = {"app": name, "publish": "true"}
        async with http.post("/api/v1/workflows/import", data=self._content(name), params=query) as answer:
            workflow_id = (await answer.json())["workflow_id"]
        trigger = {"type": WebhookConfig.type, "workflow_id": workflow_id, "config": self._config}
        async with http.post("/api/v1/triggers", json=trigger) as answer:
            return Endpoint((await answer.json())["url"], ID_HEADER)

    def _content(self, name: str) -> str:
        # In both templates: a graph, and each template of it, is compiled for this workflow alone.
        return self._file.replace("{{ currency }}", f"{{{{ currency }}}} at {name}")

    def records(self, codec: Codec) -> Iterator[Send]:
        """Of one more. Its endpoint is kept."""
        name = _name(len(self.endpoints))
        config = WebhookConfig(webhook_id=endpoint_id(), **self._config)
        self.endpoints.append(Endpoint(f"{self._url}/triggers/webhook/{config.webhook_id}", ID_HEADER))
        app, draft = _app(name, orjson.loads(self._content(name)))
        trigger = AppTrigger(
            id=new_id(),
            app_id=app.id,
            workflow_id=draft.id,
            type=WebhookConfig.type,
            config=config.model_dump(mode="json"),
        )
        yield definition(codec, APPS, app)
        yield definition(codec, WORKFLOWS, draft)
        yield definition(codec, WORKFLOWS, draft.published(PUBLISHED, None))
        yield definition(codec, TRIGGERS, trigger)


def _app(name: str, file: Mapping[str, Any]) -> tuple[App, Workflow]:
    """With the draft of its workflow."""
    app_id, workflow_id, says = entity_id("app", name), entity_id("workflow", name), file["workflow"]
    app = App(id=app_id, name=name, mode=AppMode.WORKFLOW, workflow_id=workflow_id)
    draft = Workflow(
        id=workflow_id,
        app_id=app_id,
        type=WorkflowType.WORKFLOW,
        version=DRAFT,
        graph=says["graph"],
        features=says["features"],
    )
    return app, draft


def _name(number: int) -> str:
    return f"flat-{number:06d}"
