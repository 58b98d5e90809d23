"""Two ingresses on a real broker, asked for the same path at the same moment: one gives it away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.integration.test_ingress import GRAPH, Running, ingress, kafka
from transport.settings import KafkaSettings

__all__ = ["kafka"]

PATHS = 10

T = TypeVar("T")


async def create(running: Running, workflow_id: str, path: str) -> tuple[int, str]:
    wanted = {"workflow_id": workflow_id, "config": {"webhook_path": path}}
    async with running.session.post("/api/v1/triggers", json=wanted) as answer:
        return answer.status, str((await answer.json()).get("id"))


async def holders(running: Running) -> list[tuple[str, str]]:
    """Path and id of every trigger."""
    async with running.session.get("/api/v1/triggers") as answer:
        return [(one["config"]["webhook_path"], one["id"]) for one in (await answer.json())["data"]]


async def eventually(look: Callable[[], Awaitable[T]], is_it: Callable[[T], bool]) -> T:
    """What is seen once it is so, or after ten seconds."""
    for _ in range(200):
        found = await look()
        if is_it(found):
            break
        await asyncio.sleep(0.05)
    return found


async def test_a_path_is_given_away_once(kafka: KafkaSettings) -> None:
    async with ingress(kafka) as one, ingress(kafka) as other:
        async with one.session.post("/api/v1/workflows/import?publish=true", json=GRAPH) as answer:
            workflow_id = (await answer.json())["workflow_id"]
        await eventually(lambda: create(other, workflow_id, "warm-up"), lambda answer: answer[0] == 201)
        won: dict[str, str] = {}
        for n in range(PATHS):
            wanted = [create(running, workflow_id, f"p/{n}") for running in (one, other, one, other)]
            answers = await asyncio.gather(*wanted)
            assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
            won[f"p/{n}"] = next(trigger_id for status, trigger_id in answers if status == 201)
        async with ingress(kafka) as later:
            for running in (one, other, later):
                # What the others have taken back may be seen a moment later.
                held = await eventually(lambda one=running: holders(one), lambda held: len(held) == PATHS + 1)
                assert sorted(one for one in held if one[0] != "warm-up") == sorted(won.items())
                async with running.session.post("/triggers/webhook/p/0") as accepted:
                    assert accepted.status in (200, 202)
