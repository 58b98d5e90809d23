"""The job as a DBOS workflow behind an aiohttp server; the processes share one port.

Settings: BENCH_PORT, BENCH_DATABASE (URL), BENCH_EXECUTOR (unique for each process).
"""

# mypy: disable-error-code="untyped-decorator"

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import uvloop
from aiohttp import web
from dbos import DBOS, SetWorkflowID

from bench.services import steps
from bench.services.steps import Json

_STARTERS = ThreadPoolExecutor(16)

DBOS(
    config={
        "name": "bench",
        "system_database_url": os.environ["BENCH_DATABASE"],
        "sys_db_pool_size": 20,
        "executor_id": os.environ["BENCH_EXECUTOR"],
        "application_version": "1",
        "console_log_level": "WARNING",
        "log_level": "WARNING",
        "max_executor_threads": 32,
    }
)


@DBOS.step()
def start(body: Json) -> Json:
    return steps.start(body)


@DBOS.step()
def if_else(order: Json) -> str:
    return steps.if_else(order)


@DBOS.step()
def template(order: Json, branch: str) -> str:
    return steps.template(order, branch)


@DBOS.step()
def end(order: Json, branch: str, text: str) -> Json:
    return steps.end(order, branch, text)


@DBOS.workflow()
def review(body: Json) -> Json:
    fields = start(body)
    branch = if_else(fields)
    result: Json = end(fields, branch, template(fields, branch))
    return result


def _begin(order_id: str, body: Json) -> None:
    """Returns once the workflow's row is committed."""
    with SetWorkflowID(order_id):
        DBOS.start_workflow(review, body)


async def _accept(request: web.Request) -> web.Response:
    order_id, body = request.headers["idempotency-key"], await request.json()
    await asyncio.get_running_loop().run_in_executor(_STARTERS, _begin, order_id, body)
    return web.json_response({"id": order_id}, status=202)


async def _serve() -> None:
    DBOS.launch()
    app = web.Application()
    app.router.add_post("/orders", _accept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = int(os.environ["BENCH_PORT"])
    await web.TCPSite(runner, "127.0.0.1", port, reuse_port=True, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
