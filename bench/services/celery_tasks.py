"""The job as a chain of four Celery tasks.

Settings: BENCH_REDIS, the URL of the Redis server. At least once, as far as Celery has it: a task is
acknowledged after it has run, and a lost worker's task is given back.
"""

# mypy: disable-error-code="untyped-decorator"

import os

from celery import Celery

from bench.services import steps
from bench.services.steps import Json

app = Celery("bench", broker=f"{os.environ['BENCH_REDIS']}/0", backend=f"{os.environ['BENCH_REDIS']}/1")
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_expires=86_400,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=16,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="start")
def start(body: Json) -> Json:
    return {"order": steps.start(body)}


@app.task(name="if_else")
def if_else(state: Json) -> Json:
    return {**state, "branch": steps.if_else(state["order"])}


@app.task(name="template")
def template(state: Json) -> Json:
    return {**state, "text": steps.template(state["order"], state["branch"])}


@app.task(name="end")
def end(state: Json) -> Json:
    return steps.end(state["order"], state["branch"], state["text"])
