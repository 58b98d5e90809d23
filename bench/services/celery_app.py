"""Takes orders over HTTP and puts the chain of tasks into the broker. Settings: BENCH_PORT, BENCH_REDIS."""

import asyncio
import os

import uvloop
from aiohttp import web
from celery import chain

from bench.services.celery_tasks import end, if_else, start, template


async def _accept(request: web.Request) -> web.Response:
    order_id, body = request.headers["idempotency-key"], await request.json()
    # The ids of the tasks are made of the order's, so that the end of a run can be found by it.
    tasks = (start.s(body), if_else.s(), template.s(), end.s())
    chain(*(task.set(task_id=f"{order_id}:{number}") for number, task in enumerate(tasks, 1))).apply_async()
    return web.json_response({"id": order_id}, status=202)


async def _serve() -> None:
    app = web.Application()
    app.router.add_post("/orders", _accept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["BENCH_PORT"]), backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
