"""A toolbox as a worker has it, with providers given by a test: real HTTP, real files, no Kafka."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.ids import entity_id
from schemas.models import DEFAULT_TENANT, Provider, ToolProvider
from schemas.secrets import SecretBox
from streams.executors.catalog import Catalog
from streams.executors.files import Files
from streams.executors.models.finding import Models
from streams.executors.settings import FileReadSettings, HttpSettings
from streams.executors.tools.settings import ToolSettings
from streams.executors.tools.sources import open_toolbox
from streams.executors.tools.toolbox import Toolbox
from transport.definitions import PROVIDERS, Definitions
from transport.egress import EgressPolicy
from transport.files import FileLinks, FileStore
from transport.guarded_session import EgressGuard
from transport.settings import StorageSettings
from transport.storage import Storage

SECRETS = SecretBox(b"k" * 32)
HTTP = HttpSettings(max_text_bytes=4096, max_binary_bytes=4096)
SETTINGS = ToolSettings(timeout_s=20)
_TOPICS = {kind: topic for topic, kind in PROVIDERS.items()}


def provider(name: str, credentials: dict[str, str] | None = None, **given: Any) -> ToolProvider:
    """With its credentials encrypted."""
    sealed = {key: SECRETS.encrypt(DEFAULT_TENANT, value) for key, value in (credentials or {}).items()}
    return ToolProvider.model_validate(
        {"id": entity_id("tool", name), "name": name, "credentials": sealed, **given}
    )


@dataclass
class Workbench:
    """What a test looks at."""

    toolbox: Toolbox
    catalog: Catalog
    definitions: Definitions
    store: FileStore
    files: Files
    guard: EgressGuard
    models: Models

    def add(self, *providers: Provider) -> None:
        """As the feed does."""
        for one in providers:
            self.definitions.apply(_TOPICS[type(one)], one.id, one)


@asynccontextmanager
async def workbench(
    folder: Path,
    providers: Iterable[Provider] = (),
    allow: Iterable[str] = (),
    settings: ToolSettings = SETTINGS,
) -> AsyncIterator[Workbench]:
    """Open for as long as the block lasts. `allow`: private addresses that tools may reach."""
    definitions = Definitions()
    store = FileStore(
        Storage.open(StorageSettings(data_dir=folder)), FileLinks("s" * 32, "http://files.test", 60)
    )
    guard = EgressGuard(EgressPolicy(allow))
    catalog = Catalog(definitions, SECRETS)
    async with guard.session() as session:
        files = Files(store, session, FileReadSettings())
        async with open_toolbox(catalog, session, guard, files, HTTP, settings) as toolbox:
            bench = Workbench(toolbox, catalog, definitions, store, files, guard, Models(catalog, session))
            bench.add(*providers)
            yield bench
