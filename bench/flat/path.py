"""`python -m bench.flat.path`: CPU of a run's hot path (`bench.cpu`) among many workflows, in one process.

The definitions are read from their records as a feed reads them. Then slices of runs of one workflow alone
and of all of them evenly take turns, so that what else the machine does falls on both alike.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import orjson
import psutil

from bench import report
from bench.cpu.door import Door, opened
from bench.cpu.landed import ALL
from bench.cpu.sink import Sink
from bench.cpu.slices import RUNS, Figures, HotPath, Slice, figures
from bench.cpu.worker import Worker
from bench.deployment import Deployment
from bench.flat.doors import Doors, evenly
from bench.flat.filling import Filling
from bench.orders import batch_name, orders
from bench.progress import say
from cli.garbage import collect_rarely
from schemas.codec import Codec, SingleObjectCodec
from transport.definitions import MODELS, Definitions
from transport.producer import Send
from transport.settings import KafkaSettings

SIZES = (1, 1_000, 100_000)
_WARM_UP = 60
_PARTS = ("ingress", "worker", "sink", ALL)


@dataclass(frozen=True, slots=True)
class Measured:
    """With one number of workflows."""

    workflows: int
    read_us: float
    """CPU time of reading one workflow with its app, draft and webhook."""
    kb: float
    """Memory of one, by how much the process has grown."""
    used_kb: float
    """What it takes more once each has been used: in the ingress, the worker and the bench itself."""
    one: Figures
    """One workflow alone."""
    even: Figures
    """All of them evenly."""


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.flat.path", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="growing, comma-separated")
    parser.add_argument("--slices", type=int, default=400, help=f"of {RUNS} runs, each way at each size")
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    print(table(asyncio.run(_measure(sizes, given.slices))))
    return 0


async def _measure(sizes: Sequence[int], count: int) -> Sequence[Measured]:
    filling = Filling(Deployment("http://127.0.0.1:8080", "unused"), "unused", KafkaSettings())
    definitions, codec, measured = Definitions(), SingleObjectCodec(), []
    collect_rarely()
    for size in sizes:
        missing, cpu_s, before = size - len(filling.endpoints), 0.0, psutil.Process().memory_info().rss
        for _ in range(missing):
            sends = list(filling.records(codec))
            began = time.process_time()
            for send in sends:
                _read(definitions, codec, send)
            cpu_s += time.process_time() - began
        kb = (psutil.Process().memory_info().rss - before) / 1024 / missing
        one, even, used_kb = await _in_turn(definitions, codec, filling, count)
        measured.append(Measured(size, cpu_s / missing * 1e6, kb, used_kb, figures(one), figures(even)))
        say(f"{size:,}", f"{measured[-1].even.microseconds[ALL]:.0f} us")
    return measured


def _read(definitions: Definitions, codec: Codec, send: Send) -> None:
    """As `transport.feed.DefinitionsFeed` does it."""
    assert send.key is not None
    body = codec.decode("Definition", send.value)["body"].encode()
    entity = MODELS[send.topic].model_validate(orjson.loads(body))
    definitions.apply(send.topic, send.key.decode(), entity, 0, body)


async def _in_turn(
    definitions: Definitions, codec: Codec, filling: Filling, count: int
) -> tuple[list[Slice], list[Slice], float]:
    """Slices of one alone and of all evenly, and what the first use of one has taken in KB."""
    sink = Sink(definitions, codec)
    ways = (repeat(0), evenly(len(filling.endpoints)))
    async with (
        opened(definitions, codec, RUNS) as ingress,
        Worker(definitions, codec).running() as worker,
    ):
        before = psutil.Process().memory_info().rss
        await _use_each(ingress, worker, filling)
        used_kb = (psutil.Process().memory_info().rss - before) / 1024 / len(filling.endpoints)
        paths = [HotPath(ingress, worker, sink, Doors(filling.endpoints, way)) for way in ways]
        found: tuple[list[Slice], list[Slice]] = [], []
        for number in range(_WARM_UP + count):
            for path, kept in zip(paths, found, strict=True):
                measured = await path.slice()
                if number >= _WARM_UP:
                    kept.append(measured)
    return *found, used_kb


async def _use_each(ingress: Door, worker: Worker, filling: Filling) -> None:
    """A run of each: what the first use takes is no part of what a run costs from then on."""
    posted = orders(batch_name("first"))
    for first in range(0, len(filling.endpoints), RUNS):
        endpoints = filling.endpoints[first : first + RUNS]
        requests = [to.request(one.order_id, one.body) for to, one in zip(endpoints, posted, strict=False)]
        await worker.take(await ingress.take(requests))


def table(measured: Sequence[Measured]) -> str:
    """Markdown: CPU by part, and what the definitions themselves take."""
    heads = [
        "workflows",
        "orders",
        *(f"{part} µs" for part in _PARTS),
        "by one alone",
        "read µs",
        "KB each",
        "KB used",
    ]
    rows = []
    for found in measured:
        for way, of in (("one alone", found.one), ("all evenly", found.even)):
            cells = [f"{of.microseconds[part]:.0f}" for part in _PARTS]
            times = f"{_times(of.ratios, found.one.ratios):.2f}"
            rows.append(
                [f"{found.workflows:,}", way, *cells, times]
                + [f"{figure:.0f}" for figure in (found.read_us, found.kb, found.used_kb)]
            )
    return report.markdown(heads, rows)


def _times(ratios: Mapping[str, float], others: Mapping[str, float]) -> float:
    """By the calibration beside each, which leaves out what else the machine did."""
    return ratios[ALL] / others[ALL]


if __name__ == "__main__":
    sys.exit(main())
