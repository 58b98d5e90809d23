"""A ClickHouse server, over HTTP."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from transport.errors import ClickHouseUnavailable, StatementRefused

_SCHEMES = {"clickhouse": "http", "clickhouses": "https", "http": "http", "https": "https"}
_PORTS = {"http": 8123, "https": 8443}
_CONNECT_TIMEOUT_S = 10
_ANSWER_TIMEOUT_S = 120


class ServerEngine:
    """Implements `transport.clickhouse.Engine`: a pool of connections, no session."""

    def __init__(self, url: str, database: str, session: Mapping[str, str]) -> None:
        """Asks the server for its version, and creates the database. Raises `ClickHouseUnavailable`."""
        parts = urlsplit(url)
        scheme = _SCHEMES[parts.scheme]
        self._where = f"{parts.hostname}:{parts.port or _PORTS[scheme]}"
        try:
            self._client = clickhouse_connect.get_client(
                interface=scheme,
                host=parts.hostname or "localhost",
                port=parts.port or _PORTS[scheme],
                username=unquote(parts.username or "default"),
                password=unquote(parts.password or ""),
                database="default",
                settings=dict(session),
                connect_timeout=_CONNECT_TIMEOUT_S,
                send_receive_timeout=_ANSWER_TIMEOUT_S,
                # Statements of several threads at a time: a session would refuse all but one.
                autogenerate_session_id=False,
            )
        except ClickHouseError as refused:
            raise ClickHouseUnavailable(
                f"no ClickHouse server to be used at {self._where} ({_one_line(refused)}): "
                "start it, or correct HOPLINE_CLICKHOUSE"
            ) from refused
        self.run(f"CREATE DATABASE IF NOT EXISTS `{database}`", {})
        self._client.database = database

    def run(self, sql: str, parameters: Mapping[str, str]) -> bytes:
        """See `Engine.run`."""
        return self._ask(sql, parameters, {})

    def run_read_only(self, sql: str, parameters: Mapping[str, str], settings: Mapping[str, str]) -> bytes:
        """See `Engine.run_read_only`."""
        return self._ask(sql, parameters, {**settings, "readonly": "1"})

    def insert(self, table: str, columns: Sequence[str], data: bytes, input_format: str) -> None:
        """See `Engine.insert`."""
        try:
            self._client.raw_insert(table, columns, insert_block=data, fmt=input_format)
        except ClickHouseError as refused:
            raise self._translated(refused) from refused

    def close(self) -> None:
        """See `Engine.close`."""
        self._client.close()

    def _ask(self, sql: str, parameters: Mapping[str, str], settings: Mapping[str, str]) -> bytes:
        try:
            bound = {name: _Escaped(value) for name, value in parameters.items()}
            return self._client.raw_query(sql, parameters=bound, settings=dict(settings))
        except ClickHouseError as refused:
            raise self._translated(refused) from refused

    def _translated(self, refused: ClickHouseError) -> ClickHouseUnavailable | StatementRefused:
        code = getattr(refused, "code", None)
        if isinstance(refused, OperationalError) or (code is None and not isinstance(refused, DatabaseError)):
            return ClickHouseUnavailable(f"{self._where} does not answer: {_one_line(refused)}")
        return StatementRefused(_one_line(refused), code or 0)


class _Escaped:
    """A value as the server takes it: in a `str` the client would escape the quotes, an array's as well."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __str__(self) -> str:
        return self._value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
