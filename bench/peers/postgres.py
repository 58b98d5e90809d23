"""PostgreSQL as a peer's store: one cluster with default settings, so fsync and synchronous_commit are on."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bench.peers.install import run, system_program
from bench.peers.peer import PeerUnavailable
from bench.program import Program, StartFailed
from bench.progress import Say
from cli.kafka.preflight import free_port

_BINARIES = "/usr/lib/postgresql/*/bin"
_ENGLISH: Mapping[str, str] = MappingProxyType({"LC_ALL": "C.UTF-8"})


class Postgres:
    """One server on a port of its own. It refuses to run as root, so root runs it as the user `postgres`."""

    def __init__(self, say: Say) -> None:
        """Installs the server where it is missing. Raises `PeerUnavailable`."""
        self._initdb = system_program("initdb", "postgresql", say, beside=_BINARIES)
        self._psql = system_program("psql", "postgresql", say, beside=_BINARIES)
        self._as_user: tuple[str, ...] = ()
        if os.geteuid() == 0:
            if shutil.which("setpriv") is None:
                raise PeerUnavailable("needs setpriv (util-linux), or to be run by a user other than root")
            # A change of user clears the wish to die with the parent (prctl(2)): it is made anew.
            ids = ("--reuid=postgres", "--regid=postgres", "--clear-groups")
            self._as_user = ("setpriv", *ids, "--pdeathsig=KILL")
        self._port = free_port()

    @property
    def url(self) -> str:
        """Of the database `bench`."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/bench"

    async def start(self, directory: Path) -> Program:
        """Makes a cluster in an empty directory and serves it. Raises `StartFailed`."""
        if self._as_user:
            shutil.chown(directory, "postgres", "postgres")
        try:
            run([*self._as_user, self._initdb, "-D", directory, "-A", "trust", "-U", "postgres"], Path("/"))
        except PeerUnavailable as error:
            raise StartFailed(f"{error}; can the user postgres reach {directory}?") from error
        server = await Program.start(
            "postgres",
            [*self._as_user, self._initdb.with_name("postgres"), "-D", directory, "-p", str(self._port),
             "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
            log=directory.with_suffix(".postgres.log"),
            env=_ENGLISH,
        )  # fmt: skip
        await server.wait_until(self._answers)
        self._run_sql("create database bench", "postgres")
        return server

    def select(self, sql: str) -> list[list[str]]:
        """Rows of text. Blocks. Raises `StartFailed` when the server does not answer."""
        return [line.split("\t") for line in self._run_sql(sql, "bench").splitlines()]

    async def _answers(self) -> bool:
        try:
            self._run_sql("select 1", "postgres")
        except StartFailed:
            return False
        return True

    def _run_sql(self, sql: str, database: str) -> str:
        server = ("-h", "127.0.0.1", "-p", str(self._port), "-U", "postgres", "-d", database)
        try:
            return run([self._psql, *server, "-qAt", "-F", "\t", "-c", sql], Path("/"))
        except PeerUnavailable as error:
            raise StartFailed(f"PostgreSQL: {error}") from error
