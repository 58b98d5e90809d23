"""The end of a role whose ClickHouse does not answer."""

import subprocess
import sys
import textwrap

ROLE = textwrap.dedent(
    """
    import asyncio, threading
    from cli.serving import history
    from transport.clickhouse import ClickHouse

    class Hanging:
        def run(self, sql, parameters):
            threading.Event().wait()
        def close(self):
            pass

    async def role():
        clickhouse = ClickHouse(Hanging(), "d")
        async with history.using(clickhouse):
            under_way = asyncio.create_task(clickhouse.execute("SELECT 1"))
            await asyncio.sleep(0.1)
        print("not reached")

    history._CLOSE_S = 0.05
    asyncio.run(role())
    """
)


def test_a_role_that_is_done_does_not_wait_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROLE], check=False, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "ending without it" in done.stderr
