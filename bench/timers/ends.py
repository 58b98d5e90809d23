"""The ends of runs, as the engine writes them to `runs`: each once, and how late."""

import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from bench.measure import percentile
from bench.reading import Topic
from schemas.codec import SingleObjectCodec
from transport.settings import KafkaSettings


class End(NamedTuple):
    """One end of a run, as it was sent."""

    status: str
    revision: int
    outputs: str | None
    late_s: float
    """From the moment until which it waited to the moment at which its end was sent."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """Of the runs of one phase."""

    runs: int
    missing: int
    wrong: int
    """Not SUCCEEDED, or before their time."""
    doubled: int
    """With several ends that are not the same."""
    again: int
    """Whose end was sent once more as it was: told twice, it counts once."""
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def clean(self) -> bool:
        """Every run has ended once, in effect."""
        return not (self.missing or self.wrong or self.doubled)

    def __str__(self) -> str:
        return (
            f"{self.runs:,} runs: {self.missing} missing, {self.wrong} wrong, {self.doubled} doubled, "
            f"{self.again} sent again; late p50 {self.p50_ms:,.0f} ms, p99 {self.p99_ms:,.0f} ms, "
            f"max {self.max_ms:,.0f} ms"
        )


def judge(found: Sequence[Sequence[End]]) -> Lateness:
    """The ends of each run, as they came."""
    firsts = [ends[0] for ends in found if ends]
    late_ms = [end.late_s * 1000 for end in firsts]
    effects = [{(end.status, end.revision, end.outputs) for end in ends} for ends in found]
    return Lateness(
        runs=len(found),
        missing=sum(not ends for ends in found),
        wrong=sum(end.status != "SUCCEEDED" or end.late_s < 0 for end in firsts),
        doubled=sum(len(seen) > 1 for seen in effects),
        again=sum(len(ends) > 1 for ends in found),
        p50_ms=percentile(late_ms, 50),
        p99_ms=percentile(late_ms, 99),
        max_ms=max(late_ms, default=float("nan")),
    )


class Ends:
    """Reads them in a thread of its own, from its start on."""

    def __init__(self, kafka: KafkaSettings, workflow_id: str) -> None:
        """Blocks for a moment."""
        self._topic = Topic(kafka, "runs", new_only=True)
        self._workflow_id = workflow_id
        self._codec = SingleObjectCodec()
        self._by_order: dict[str, list[End]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._by_order)

    def close(self) -> None:
        """Returns when the thread has ended."""
        self._over.set()
        self._thread.join()

    def lateness(self, order_ids: Iterable[str]) -> Lateness:
        """Of the runs of these orders."""
        return judge([self._by_order.get(order_id, []) for order_id in order_ids])

    def _read(self) -> None:
        with closing(self._topic) as topic:
            while not self._over.is_set():
                for message in topic.poll():
                    if message.value is not None:
                        self._note(self._codec.decode("WorkflowRun", message.value), message.sent_at_ms)

    def _note(self, run: dict[str, object], sent_at_ms: int) -> None:
        if run["workflow_id"] != self._workflow_id or run["finished_at"] is None:
            return
        given = orjson.loads(str(run["inputs"]))
        late_s = sent_at_ms / 1000 - given["at"]
        end = End(str(run["status"]), int(str(run["revision"])), _outputs(run["outputs"]), late_s)
        self._by_order.setdefault(given["order_id"], []).append(end)


def _outputs(outputs: object) -> str | None:
    return None if outputs is None else str(outputs)
