"""Schemas of a registry with Confluent's interface. A schema never changes, so each is asked for once."""

import base64
from collections import OrderedDict
from typing import Any

import fastavro
import orjson

from schemas.plugins.http import Http
from schemas.triggers.kafka import SchemaRegistry
from streams.sources.http import ask, object_of
from streams.sources.kafka.decoding import Undecodable
from streams.sources.kafka.emptiness import has_endless_list
from streams.sources.watching import Unavailable

_MOST_KEPT = 1000
_MOST_REFERENCES = 100


class Registry:
    """One registry, for one watcher."""

    def __init__(self, http: Http, config: SchemaRegistry) -> None:
        self._http = http
        self._url = config.url.rstrip("/")
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json"}
        if config.username:
            pair = base64.b64encode(f"{config.username}:{config.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"
        self._schemas: OrderedDict[int, Any] = OrderedDict()

    async def schema(self, schema_id: int) -> Any:
        """See `Schemas`."""
        if schema_id not in self._schemas:
            found = await self._get(f"/schemas/ids/{schema_id}")
            self._schemas[schema_id] = await self._parsed(found, f"schema {schema_id}")
            if len(self._schemas) > _MOST_KEPT:
                self._schemas.popitem(last=False)
        return self._schemas[schema_id]

    async def _parsed(self, found: dict[str, Any], what: str) -> Any:
        """With the types of the schemas that it refers to."""
        if found.get("schemaType", "AVRO") != "AVRO":
            raise Undecodable(f"{what} is of type {found['schemaType']}, not AVRO")
        named: dict[str, Any] = {}
        await self._read_references(found, named, set())
        try:
            parsed = fastavro.parse_schema(orjson.loads(found["schema"]), named)
        except Exception as wrong:  # whatever it stumbles over in what is no schema
            raise Undecodable(f"{what} is no Avro schema: {type(wrong).__name__}: {wrong}") from wrong
        if has_endless_list(parsed, named):
            raise Undecodable(f"{what} has a list of values that take no bytes, of any length")
        return parsed

    async def _read_references(self, found: dict[str, Any], named: dict[str, Any], seen: set[str]) -> None:
        for reference in found.get("references") or ():
            path = f"/subjects/{reference['subject']}/versions/{reference['version']}"
            if path in seen:
                continue
            seen.add(path)
            if len(seen) > _MOST_REFERENCES:
                raise Undecodable(f"a schema refers to more than {_MOST_REFERENCES} others")
            referred = await self._get(path)
            await self._read_references(referred, named, seen)
            try:
                fastavro.parse_schema(orjson.loads(referred["schema"]), named)
            except Exception as wrong:
                raise Undecodable(f"{path} is no Avro schema: {wrong}") from wrong

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await ask(self._http, "GET", self._url + path, headers=self._headers)
        found = object_of(answer)
        if answer.status == 404:
            raise Undecodable(f"the registry at {self._url} has no {path}")
        if answer.status != 200 or "schema" not in found:
            raise Unavailable(f"the registry at {self._url} has answered {answer.status} to {path}")
        return dict(found)
