"""From what a node calls a provider and a model to the model."""

import aiohttp

from schemas.models.model_provider import API_KEY, ModelProvider
from streams.executors.catalog import Catalog, last_part
from streams.executors.errors import NotConfigured
from streams.executors.models.client import ChatModel, Mode


class Models:
    """The models of all tenants. Used on the loop's thread."""

    def __init__(self, catalog: Catalog, session: aiohttp.ClientSession) -> None:
        """`session`: the guarded one."""
        self._catalog = catalog
        self._session = session

    def find(self, tenant_id: str, provider: str, model: str, mode: Mode = "chat") -> ChatModel:
        """Raises `NotConfigured`, which names what is missing. `mode` is the node's; the settings may differ.

        A provider is found by its full name (`langgenius/openai/openai`), else by the last part of it,
        else it is the tenant's default.
        """
        found = self._provider(tenant_id, provider)
        settings = found.settings_of(model)
        return ChatModel(
            provider=found,
            name=model,
            mode=settings.mode or mode,
            settings=settings,
            api_key=self._catalog.credentials(found).get(API_KEY) or None,
            session=self._session,
        )

    def _provider(self, tenant_id: str, name: str) -> ModelProvider:
        known = self._catalog.all_of(ModelProvider, tenant_id)
        found = self._catalog.called(ModelProvider, tenant_id, [name])
        found = found or next((one for one in known if one.default), None)
        if found is not None:
            return found
        names = ", ".join(sorted(one.name for one in known)) or "none"
        raise NotConfigured(
            f"model provider {name!r} is not configured (there are: {names});"
            f" create it with `hopline model-provider create {last_part(name)} --base-url URL`"
        )
