"""The operations on one kind of provider, declared once: create, list, show, replace, delete."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from ingress.auth import CALLER
from ingress.confidants import kept_from
from ingress.errors import Conflict, NotFound
from ingress.keys import FEED, SECRETS, STORE, TURNS
from ingress.operation import Operation
from ingress.responses import json_answer, read_model
from ingress.sealing import MASK, seal_credentials
from ingress.wire import Answer, RequestBody
from schemas.ids import new_id
from schemas.models import Provider, utc_now
from transport.definitions import Definitions


class ProviderBody(RequestBody):
    """What every kind of provider is created from. A kind adds its own fields."""

    name: str = Field(min_length=1, max_length=200)
    """What nodes call it. One in its tenant."""
    credentials: dict[str, str] = Field(default_factory=dict)
    """Encrypted at rest, masked when shown; the mask sent back keeps what is stored."""


class ProviderView(Answer):
    """How every kind of provider is shown. A kind adds its own fields."""

    id: str
    name: str
    credentials: dict[str, str]
    """Masked."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Resource:
    """What differs from kind to kind."""

    topic: str
    entity: type[Provider]
    body: type[ProviderBody]
    view: type[Answer]
    """As it is shown: the entity with masked credentials."""
    listing: type[Answer]
    """`data`: a list of `view`."""
    path: str
    tag: str
    check: Callable[[Definitions, Provider], None] = lambda _definitions, _wanted: None
    """Against what else there is, before it is stored. Raises `Problem`."""
    told: Callable[[Any], Collection[str | None]] = lambda _: ()
    """URLs that an entity's credentials are sent to: another one is told only what is given anew."""

    def operations(self) -> tuple[Operation, ...]:
        """Five of them under `path`."""
        one, named = self.path + "/{name}", self.tag.removesuffix("s").replace("-", " ")
        return (
            Operation(
                method="POST",
                path=self.path,
                handler=self.create,
                summary=f"Create a {named}",
                tag=self.tag,
                body=self.body,
                answer=self.view,
                status=201,
                errors=(400, 409, 422),
            ),
            Operation(
                method="GET",
                path=self.path,
                handler=self.list_all,
                summary=f"List {named}s",
                tag=self.tag,
                answer=self.listing,
            ),
            Operation(
                method="GET",
                path=one,
                handler=self.show,
                summary=f"Show a {named}",
                tag=self.tag,
                answer=self.view,
                errors=(404,),
            ),
            Operation(
                method="PUT",
                path=one,
                handler=self.replace,
                summary=f"Replace a {named}",
                tag=self.tag,
                body=self.body,
                answer=self.view,
                errors=(400, 404, 409, 422),
            ),
            Operation(
                method="DELETE",
                path=one,
                handler=self.delete,
                summary=f"Delete a {named}",
                tag=self.tag,
                status=204,
                errors=(404,),
            ),
        )

    async def create(self, request: web.Request) -> web.Response:
        """201; 409 for a name that is taken. Of two at the same moment the first in the log has it."""
        wanted = await read_model(request, self.body)
        caller, name = request[CALLER], wanted.name
        place = f"{self.path}/{quote(name, safe='')}"
        taken = Conflict(f"{self.entity.__name__} {name!r} exists; PUT {place} replaces it")
        if self._find(request, name) is not None:
            raise taken
        entity = self.entity(
            id=new_id(),
            tenant_id=caller.tenant_id,
            created_by=caller.name,
            updated_by=caller.name,
            **self._fields(request, wanted, None),
        )
        definitions, store = request.app[FEED].definitions, request.app[STORE]
        self.check(definitions, entity)
        await store.put(self.topic, entity)
        first = definitions.first_provider(self.entity, caller.tenant_id, name)
        if first is not None and first.id != entity.id:
            await store.delete(self.topic, entity.key)
            raise taken
        return json_answer(self._view(entity), 201, {"Location": place})

    async def list_all(self, request: web.Request) -> web.Response:
        """Of the caller's tenant, the oldest first."""
        found = request.app[FEED].definitions.providers(self.entity, request[CALLER].tenant_id)
        return json_answer(self.listing.model_validate({"data": [self._view(one) for one in found]}))

    async def show(self, request: web.Request) -> web.Response:
        """One of them, by its name."""
        return json_answer(self._view(self.named(request)))

    async def replace(self, request: web.Request) -> web.Response:
        """All of its fields; a masked credential stays as it is stored, and goes where it went."""
        self.named(request)
        wanted = await read_model(request, self.body)
        async with self._turn(request):
            return await self._replace(request, self.named(request), wanted)

    async def _replace(self, request: web.Request, stored: Provider, wanted: ProviderBody) -> web.Response:
        other = self._find(request, wanted.name)
        if other is not None and other.id != stored.id:
            raise Conflict(f"{self.entity.__name__} {other.name!r} exists")
        kept = stored.model_dump(include={"id", "tenant_id", "created_at", "created_by"})
        entity = self.entity(
            **kept,
            updated_at=utc_now(),
            updated_by=request[CALLER].name,
            **self._fields(request, wanted, stored),
        )
        masked = [f"credentials.{name}" for name, value in wanted.credentials.items() if value == MASK]
        if masked and not set(self.told(entity)) <= set(self.told(stored)):
            raise kept_from("the URL", masked)
        self.check(request.app[FEED].definitions, entity)
        await request.app[STORE].put(self.topic, entity)
        return json_answer(self._view(entity))

    async def delete(self, request: web.Request) -> web.Response:
        """Nodes that name it fail from now on, and say so."""
        async with self._turn(request):
            await request.app[STORE].delete(self.topic, self.named(request).key)
        return web.Response(status=204)

    def _turn(self, request: web.Request) -> AbstractAsyncContextManager[None]:
        return request.app[TURNS].of(f"{self.topic}/{request[CALLER].tenant_id}")

    def named(self, request: web.Request) -> Provider:
        """The one in the path. Raises `NotFound`."""
        name = request.match_info["name"]
        found = self._find(request, name)
        if found is None:
            raise NotFound(f"no {self.entity.__name__} has the name {name!r}; GET {self.path} lists them")
        return found

    def _find(self, request: web.Request, name: str) -> Provider | None:
        return request.app[FEED].definitions.provider(self.entity, request[CALLER].tenant_id, name)

    def _fields(self, request: web.Request, wanted: ProviderBody, stored: Provider | None) -> dict[str, Any]:
        fields = wanted.model_dump()
        fields["credentials"] = seal_credentials(
            fields.get("credentials") or {},
            stored.credentials if stored else {},
            request.app[SECRETS],
            request[CALLER].tenant_id,
        )
        return fields

    def _view(self, entity: Provider) -> Answer:
        shown: Mapping[str, Any] = entity.model_dump()
        return self.view.model_validate({**shown, "credentials": dict.fromkeys(entity.credentials, MASK)})
