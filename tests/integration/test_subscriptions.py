"""Two workers keep subscriptions alive on a real broker. One dies, and each token is refreshed once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from obstore.store import MemoryStore
from pydantic import SecretStr

from ingress.app import build_app
from ingress.server import serve
from ingress.settings import IngressSettings
from tests.providers import Providers, all_providers
from transport.admin import create_topics
from transport.settings import KafkaSettings
from transport.storage import Storage

pytestmark = pytest.mark.broker

SCRIPT = Path(__file__).with_name("subscription_process.py")
ROOT = Path(__file__).parents[2]
SECRET_KEY = "k" * 32
HOW_MANY = 6
PATIENCE_S = 120


class Worker:
    """A process."""

    def __init__(self, kafka: KafkaSettings, folder: Path, worker_id: str) -> None:
        given = {
            "bootstrap": kafka.bootstrap_servers,
            "prefix": kafka.topic_prefix,
            "partitions": kafka.partitions,
            "folder": str(folder),
            "worker_id": worker_id,
            "secret_key": SECRET_KEY,
        }
        self._ready = folder / f"{worker_id}.ready"
        self._log = folder / f"{worker_id}.log"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), json.dumps(given)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
            )

    async def ready(self) -> None:
        while True:
            if self._ready.exists():
                return
            await asyncio.sleep(0.05)

    def end(self, number: int) -> str:
        """What it has said."""
        self.process.send_signal(number)
        self.process.wait(30)
        return self._log.read_text()


class Api:
    """Of an ingress in this loop."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with self.session.request(method, f"/api/v1{path}", json=body) as answer:
            assert answer.ok, await answer.text()
            return await answer.json()

    async def authorize(self, authorize_url: str) -> None:
        async with self.session.get(authorize_url, allow_redirects=False) as answer:
            back = urlsplit(answer.headers["Location"])
        async with self.session.get(f"{back.path}?{back.query}") as answer:
            assert answer.status == 200, await answer.text()

    async def subscribe(self, providers: Providers, name: str) -> None:
        parameters = {"project": "7", "events": ["push"], "url": providers.url}
        body = {"name": name, "provider": "gitlab", "parameters": parameters}
        await self.authorize((await self.call("POST", "/subscriptions", body))["authorize_url"])

    async def subscriptions(self) -> list[Any]:
        found: list[Any] = (await self.call("GET", "/subscriptions"))["data"]
        return found


async def test_each_token_is_refreshed_once(broker: str, topic_prefix: str, tmp_path: Path) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=4)
    await create_topics(kafka)
    settings = IngressSettings(
        port=0, api_key=SecretStr("key"), secret_key=SecretStr(SECRET_KEY), egress_allow=("127.0.0.1",)
    )
    stopping, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    app = build_app(settings, kafka, Storage(MemoryStore()))
    serving = asyncio.create_task(serve(app, settings, stopping, ready=listening.set_result))
    workers = [Worker(kafka, tmp_path, name) for name in ("one", "two")]
    try:
        async with asyncio.timeout(PATIENCE_S), all_providers() as providers:
            base, headers = f"http://127.0.0.1:{await listening}", {"Authorization": "Bearer key"}
            async with aiohttp.ClientSession(base, headers=headers) as session:
                await show(Api(session), providers, workers)
    finally:
        said = [worker.end(signal.SIGKILL) for worker in workers]
        stopping.set()
        await serving
    issued = [value for one in providers.oauth.tokens for value in one.issued.values()]
    secrets = [value for value in issued if isinstance(value, str) and len(value) == 32]
    assert len(secrets) == 2 * 3 * HOW_MANY
    assert [secret for secret in secrets if any(secret in one for one in said)] == []


async def show(api: Api, providers: Providers, workers: list[Worker]) -> None:
    oauth = providers.oauth
    await api.call("PUT", "/oauth/tenant-clients/gitlab", oauth.client_body)
    for worker in workers:
        await worker.ready()
    for number in range(HOW_MANY):
        await api.subscribe(providers, f"s{number}")
    # No token is due for hours, so no attempt is cut off.
    workers[0].process.kill()
    oauth.expires_in = 2
    for one in await api.subscriptions():
        path = f"/oauth/gitlab/authorize?subscription_id={one['id']}&redirect=false"
        await api.authorize((await api.call("GET", path))["authorize_url"])
    while True:
        found = await api.subscriptions()
        if all(one["refreshed_at"] for one in found):
            break
        await asyncio.sleep(0.05)
    assert [one["error"] for one in found] == [None] * HOW_MANY
    assert oauth.refreshes == HOW_MANY
    assert len(oauth.tokens) == 3 * HOW_MANY
    # With the token of today the hook can be deleted; with that of yesterday it could not.
    for one in found:
        async with api.session.delete(f"/api/v1/subscriptions/{one['id']}") as answer:
            assert answer.status == 204, await answer.text()
    assert providers.hooks == {}
