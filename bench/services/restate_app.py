"""The job as a Restate service; served by hypercorn, registered with the server."""

# mypy: disable-error-code="untyped-decorator"

from typing import Any

import restate

from bench.services import steps
from bench.services.steps import Json

order = restate.Service("Order")


async def start(body: Json) -> Json:
    return steps.start(body)


async def if_else(order: Json) -> str:
    return steps.if_else(order)


async def template(order: Json, branch: str) -> str:
    return steps.template(order, branch)


async def end(order: Json, branch: str, text: str) -> Json:
    return steps.end(order, branch, text)


@order.handler()
async def run(ctx: restate.Context, body: dict[str, Any]) -> dict[str, Any]:
    """Each `run_typed` is one journalled step."""
    fields = await ctx.run_typed("start", start, body=body)
    branch = await ctx.run_typed("if-else", if_else, order=fields)
    text = await ctx.run_typed("template", template, order=fields, branch=branch)
    result: dict[str, Any] = await ctx.run_typed("end", end, order=fields, branch=branch, text=text)
    return result


app = restate.app([order])
