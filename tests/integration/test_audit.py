"""The audit of the soak sees what is wrong: one that is blind would find every soak clean."""

import itertools
from pathlib import Path

import pytest

from bench.audit import audit, until_quiet
from bench.connection import Connection
from bench.fleet import Fleet
from bench.journal import Journal
from bench.orders import batch_name, order, orders
from bench.traffic import Traffic

pytestmark = pytest.mark.broker


async def test_missing_doubled_and_failed_orders_are_found(tmp_path: Path) -> None:
    batch = batch_name("audit")
    async with Fleet(tmp_path / "fleet", workers=1) as fleet:
        job = await fleet.deployment.install_job()
        with Journal(tmp_path / "journal.txt") as journal:
            await Traffic(job.endpoint, journal).post_all(itertools.islice(orders(batch), 20))
            async with Connection(job.endpoint) as connection:
                again = order(f"{batch}-000003", 3)
                assert (await connection.post("another-delivery", again.body))[0] == 202
                shapeless = again.body.replace(b"-000003", b"-000099").replace(
                    b'"amount":112', b'"amount":[]'
                )
                assert shapeless.count(b"[]") == 1
                assert (await connection.post("wrong-content", shapeless))[0] == 202
            journal.accepted(f"{batch}-never-posted")
            await until_quiet(fleet.deployment, fleet.kafka, 21)
            found = await audit(fleet.deployment, journal)
    assert not found.clean
    assert found.examples["missing"] == [f"{batch}-never-posted"]
    assert found.examples["doubled"] == [f"{batch}-000003"]
    assert found.examples["unfinished"] == [f"{batch}-000099"]
    assert found.examples["wrong_nodes"] == [f"{batch}-000099"]
