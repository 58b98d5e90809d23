"""Carries out iterations and loops: begins their rounds, notices when one is over, and ends the container."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from streams.engine.definition import NodePlan
from streams.engine.effects import NodeExecuted, Record
from streams.engine.errors import NodeFailure
from streams.engine.frame import Frame, Rounds
from streams.engine.frames import Frames
from streams.engine.nodes.protocol import Opened
from streams.engine.options import Options
from streams.engine.records import UNFIT_VALUES, US, add_metadata, as_json, execution_record
from streams.engine.responses import merge, merged_outputs, responses_name
from streams.engine.state import RunState, Waiting

_NO_ERROR_TYPE = ""
"""As in Dify, whose containers fail with the error of a node inside, but not with its type."""


class Steps(Protocol):
    """The hop, as far as containers need it."""

    state: RunState
    frames: Frames
    options: Options
    base: Record

    def now(self) -> int:
        """Microseconds."""

    def emit(self, effect: NodeExecuted) -> None:
        """An effect of the hop."""

    def reach(self, frame: Frame, plan: NodePlan, predecessor: str | None) -> None:
        """The node is ready."""

    def proceed(self, frame: Frame, plan: NodePlan, outputs: Mapping[str, Any], handle: str | None) -> None:
        """The node is done."""

    def failed(
        self, frame: Frame, plan: NodePlan, waiting: Waiting, record: Record, failure: NodeFailure
    ) -> None:
        """The node has failed."""


@dataclass(frozen=True, slots=True)
class Containers:
    """Belongs to one hop."""

    hop: Steps

    def begin(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting) -> None:
        """Runs a container. Raises `NodeFailure` for one that cannot begin."""
        hop = self.hop
        assert plan.container is not None
        if frame.depth >= hop.options.max_depth:
            raise NodeFailure(f"is inside more than {hop.options.max_depth} containers", "WorkflowNodeError")
        opened = plan.container.open(frame.pool)
        waiting = waiting._replace(inputs=as_json(opened.inputs))
        hop.state.wait_for(execution_id, waiting)
        record = execution_record(hop.base, plan, execution_id, waiting, frame.container)
        add_metadata(record, frame.marks)
        hop.emit(NodeExecuted(record))
        if opened.variables:
            frame.values[plan.id] = opened.variables
        self._go_on(frame, plan, self._rounds(execution_id, frame, plan, opened))

    def round_over(self, frame: Frame) -> None:
        """Nothing in the frame is ready or under way any more."""
        rounds, outer = frame.rounds, frame.outer
        assert rounds is not None
        assert outer is not None
        plan = outer.scope.by_id[rounds.node_id]
        node = plan.container
        assert node is not None
        duration_s = (self.hop.now() - frame.started_at) / US
        try:
            closed = node.close(frame.pool, frame.error)
        except NodeFailure as failure:
            rounds.fail(frame.index, failure.reason)
            self.hop.frames.keep_result(rounds, frame.index, [duration_s, False, None])
        else:
            if closed.fails:
                rounds.fail(frame.index, frame.error or "")
            rounds.stopped = rounds.stopped or closed.last or frame.stopped
            self.hop.frames.keep_result(rounds, frame.index, [duration_s, closed.kept, closed.result])
        if plan.responds and frame.error is None:
            _respond(outer, plan, frame, rounds)
        rounds.ended += 1
        self.hop.frames.end_round(frame)
        self._go_on(outer, plan, rounds)

    def stop_loop(self, frame: Frame) -> None:
        """A loop-end was reached: the loop nearest to it has no more rounds."""
        around: Frame | None = frame
        while around is not None and around.outer is not None and around.rounds is not None:
            plan = around.outer.scope.by_id[around.rounds.node_id]
            if plan.type == "loop":
                around.stopped = True
                return
            around = around.outer

    def _rounds(self, execution_id: str, frame: Frame, plan: NodePlan, opened: Opened) -> Rounds:
        rounds = Rounds(execution_id, frame.path, plan.id, opened.length)
        self.hop.frames.add_rounds(rounds, opened.items)
        return rounds

    def _go_on(self, frame: Frame, plan: NodePlan, rounds: Rounds) -> None:
        """Begins as many rounds as there may be, or ends the container."""
        node, inner = plan.container, plan.inner
        assert node is not None
        assert inner is not None
        while not rounds.is_closed and rounds.begun - rounds.ended < node.parallel:
            if node.is_over(frame.pool):
                rounds.stopped = True
            elif not node.has_items and rounds.begun >= self.hop.options.max_loop_rounds:
                rounds.fail(rounds.begun, f"maximum loop rounds exceeded: {self.hop.options.max_loop_rounds}")
            else:
                self._begin_round(frame, plan, rounds)
        if rounds.is_closed and rounds.begun == rounds.ended:
            self._end(frame, plan, rounds)

    def _begin_round(self, outer: Frame, plan: NodePlan, rounds: Rounds) -> None:
        assert plan.container is not None
        assert plan.inner is not None
        own: Mapping[str, Any] = {}
        if plan.container.has_items:
            own = {"item": self.hop.frames.item(rounds, rounds.begun), "index": rounds.begun}
        frame = self.hop.frames.add_round(outer, plan, rounds, self.hop.now(), own)
        self.hop.reach(frame, plan.inner.plans[0], plan.id)

    def _end(self, frame: Frame, plan: NodePlan, rounds: Rounds) -> None:
        hop, node = self.hop, plan.container
        waiting = hop.state.waiting(rounds.execution_id)
        assert node is not None
        assert waiting is not None
        items = rounds.length if node.has_items else 0
        ended = hop.frames.end_rounds(rounds, items)
        hop.state.no_longer_waits(rounds.execution_id)
        record = execution_record(hop.base, plan, rounds.execution_id, waiting, frame.container)
        record["revision"] = waiting.revision + 1
        record["finished_at"] = hop.now()
        record["elapsed_time"] = (record["finished_at"] - waiting.created_at) / US
        results = [result for _, kept, result in ended if kept]
        durations = {str(index): duration_s for index, (duration_s, *_) in enumerate(ended)}
        used = {
            "total_tokens": rounds.tokens,
            "total_price": float(rounds.price),
            "currency": rounds.currency,
        }
        metadata = {**used, f"{node.kind}_duration_map": durations, **node.metadata(results)}
        if not node.has_items:
            reason = "loop_break" if rounds.stopped else "loop_completed"
            metadata["completed_reason"] = "error" if rounds.failed_round >= 0 else reason
        add_metadata(record, frame.marks, metadata)
        self._finish(frame, plan, rounds, waiting, record, results)

    def _finish(
        self,
        frame: Frame,
        plan: NodePlan,
        rounds: Rounds,
        waiting: Waiting,
        record: Record,
        results: list[Any],
    ) -> None:
        assert plan.container is not None
        failure = NodeFailure(rounds.error, _NO_ERROR_TYPE) if rounds.failed_round >= 0 else None
        outputs: Mapping[str, Any] = {}
        if failure is None or plan.container.has_items:
            outputs = plan.container.outputs(results, frame.pool)
            try:
                record["outputs"] = as_json(outputs)
            except UNFIT_VALUES as wrong:  # each round had some levels less
                failure = failure or NodeFailure(str(wrong), type(wrong).__name__)
        if failure is not None:
            self.hop.failed(frame, plan, waiting, record, failure)
            return
        record["status"] = "succeeded"
        self.hop.emit(NodeExecuted(record))
        self.hop.proceed(frame, plan, {**(frame.pool.get(plan.id) or {}), **outputs}, None)


def spend(state: RunState, frame: Frame, metadata: Mapping[str, Any]) -> None:
    """Adds the tokens and the price of an execution to the run and to the containers around it."""
    tokens, price = metadata.get("total_tokens"), metadata.get("total_price")
    if not tokens and not price:
        return
    counted = tokens if isinstance(tokens, int) else 0
    state.tokens += counted
    around: Frame | None = frame
    while around is not None and around.rounds is not None:
        rounds = around.rounds
        rounds.tokens += counted
        rounds.price = str(Decimal(rounds.price) + _decimal(price))
        rounds.currency = str(metadata.get("currency") or rounds.currency)
        around = around.outer


def _decimal(price: Any) -> Decimal:
    try:
        return Decimal(str(price or 0))
    except InvalidOperation:
        return Decimal(0)


def _respond(outer: Frame, plan: NodePlan, frame: Frame, rounds: Rounds) -> None:
    """Keeps what answer and end nodes gave: each round of a loop, the last one of an iteration (Dify)."""
    assert plan.container is not None
    assert plan.inner is not None
    if plan.container.has_items and frame.index < rounds.length - 1:
        return
    name = responses_name(plan.id)
    outputs = dict(outer.pool.get(name) or {})
    merge(outputs, merged_outputs(plan.inner.responses, frame.pool))
    outer.values[name] = outputs
