"""Brings the tables to the state that this release needs: numbered SQL files, each run once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transport.clickhouse import ClickHouse

_DIRECTORY = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version UInt32,
    name String,
    applied_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree
ORDER BY version
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. Its statements end with a semicolon at the end of a line; `{database}` is filled in.

    Each statement can be repeated (IF NOT EXISTS, OR REPLACE): two sinks that start at once both run it, and
    one that was killed half-way runs it again.
    """

    version: int
    name: str
    text: str

    def statements(self, database: str) -> Iterator[str]:
        """What to run, in order."""
        for statement in re.split(r";\s*(?:\n|$)", self.text):
            if re.sub(r"--.*", "", statement).strip():
                yield statement.replace("{database}", database)


def migrations() -> list[Migration]:
    """All there are, in order."""
    found = []
    for file in sorted(_DIRECTORY.glob("*.sql")):
        match = _NAME.fullmatch(file.name)
        if match is None:
            raise ValueError(f"{file.name}: a migration is named NNNN_name.sql")
        found.append(Migration(int(match[1]), match[2], file.read_text()))
    return found


async def migrate(clickhouse: ClickHouse) -> list[str]:
    """Runs what has not been run here, and returns the names of it; blocks nobody else.

    Raises `ClickHouseUnavailable`, `StatementRefused`.
    """
    await clickhouse.execute(_RECORD)
    rows = await clickhouse.query("SELECT version FROM schema_migrations")
    applied = {version for (version,) in rows.rows}
    done = []
    for migration in migrations():
        if migration.version in applied:
            continue
        for statement in migration.statements(clickhouse.database):
            await clickhouse.execute(statement)
        await clickhouse.execute(
            "INSERT INTO schema_migrations (version, name) SELECT {version:UInt32}, {name:String}",
            {"version": str(migration.version), "name": migration.name},
        )
        done.append(migration.name)
    return done
