"""A ClickHouse server, over HTTP."""

import threading
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from transport.errors import ClickHouseUnavailable, StatementRefused

_SCHEMES = {"clickhouse": "http", "clickhouses": "https", "http": "http", "https": "https"}
_PORTS = {"http": 8123, "https": 8443}
_CONNECT_TIMEOUT_S = 10
_ANSWER_TIMEOUT_S = 120
# Since 26.2 servers gather inserts unless told otherwise. Rows would be late by up to 200 ms, and written by
# a query that is no insert: rollups look for those to know what is still under way.
_INSERT = {"async_insert": "0"}


class ServerEngine:
    """Implements `transport.clickhouse.Engine`: a pool of connections, no session.

    The server is reached at the first use, and again at the next one when it was away.
    """

    def __init__(self, url: str, database: str, session: Mapping[str, str]) -> None:
        """Reaches nobody yet."""
        parts = urlsplit(url)
        self._scheme = _SCHEMES[parts.scheme]
        self._host, self._port = parts.hostname or "localhost", parts.port or _PORTS[self._scheme]
        self._user, self._password = unquote(parts.username or "default"), unquote(parts.password or "")
        self._where = f"{self._host}:{self._port}"
        self._database = database
        self._session = dict(session)
        self._client: Client | None = None
        self._connecting = threading.Lock()

    def connect(self) -> None:
        """Asks the server for its version, and creates the database. Raises `ClickHouseUnavailable`."""
        self._connected()

    def _connected(self) -> Client:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Client:
        try:
            client = clickhouse_connect.get_client(
                interface=self._scheme,
                host=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                database="default",
                settings=self._session,
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
        try:
            client.command(f"CREATE DATABASE IF NOT EXISTS `{self._database}`")
        except ClickHouseError as refused:
            raise self._translated(refused) from refused
        client.database = self._database
        return client

    def run(self, sql: str, parameters: Mapping[str, str]) -> bytes:
        """See `Engine.run`."""
        return self._ask(sql, parameters, {})

    def run_read_only(self, sql: str, parameters: Mapping[str, str], settings: Mapping[str, str]) -> bytes:
        """See `Engine.run_read_only`."""
        return self._ask(sql, parameters, {**settings, "readonly": "1"})

    def insert(self, table: str, columns: Sequence[str], data: bytes, input_format: str, token: str) -> None:
        """See `Engine.insert`."""
        client = self._connected()
        try:
            settings = _INSERT | ({"insert_deduplication_token": token} if token else {})
            client.raw_insert(table, columns, insert_block=data, settings=settings, fmt=input_format)
        except ClickHouseError as refused:
            raise self._translated(refused) from refused

    def close(self) -> None:
        """See `Engine.close`."""
        if self._client is not None:
            self._client.close()

    def _ask(self, sql: str, parameters: Mapping[str, str], settings: Mapping[str, str]) -> bytes:
        client = self._connected()
        try:
            bound = {name: _Escaped(value) for name, value in parameters.items()}
            return client.raw_query(sql, parameters=bound, settings=dict(settings))
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
