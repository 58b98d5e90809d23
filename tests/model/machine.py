"""The hand-over protocol as a state machine that hypothesis drives: what may happen, in any order.

Real: the whole `Worker` of the shell (reader, recovery, stages, overlays, tables, due rows, outbox, offsets,
assignments), put together by `streams.app`, with the router, the gates, the conversations, the engine, the
schedules, the executor stage and the codec; the fence and commit of `ShellConsumer`. Modelled: the broker and
its group (`broker`, `group`), librdkafka (`link`), aiokafka and Faust's app (`consumer`), processes, disks,
event loops and the time (`process`, `loop`), what nodes do (`deployment`), and ingress (`flows`).
"""

from contextlib import ExitStack
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from schemas.codec import Record
from tests.model import flows
from tests.model.deployment import BEGIN_S, NAMES, SOURCES, Deployment
from tests.model.flows import CODEC, FLOWS, WITHOUT_GATES, Accepted
from tests.model.history import History, firsts, holds
from tests.model.link import EVERYTHING
from tests.model.loop import Clock
from tests.model.process import Process, modelled
from transport.producer import Send

PLACES = [
    (EVERYTHING,), ("trigger.logs", "gate.commands"), ("run.commands",), ("runs", "node.executions"),
    ("node.tasks.default", "node.tasks.high_priority"), ("trigger.events",), ("changelog.runs",),
    ("changelog.dedup",), ("changelog.gates",), ("changelog.schedules",),
]  # fmt: skip
"""Topics that a link may hold up while others pass."""

TIMES_S = (1, 4, 7, 12, 31)
_LONG_S = (1_300, flows.HOUR_S + 100)
_COMMITS_S = 4
_WHOLE, _SPLIT = 16 * 1024, 0
_PATIENCE = 40
"""Steps of time within which everything is over that is under way."""

names = st.sampled_from(NAMES)
away = st.sampled_from((0, 0, 7, 31, 1_300))
happenings = st.sampled_from((*FLOWS, "time", "much time", "answer", "cancel"))
meanwhiles = st.sampled_from(("nothing", "nothing", *FLOWS, "answer", "cancel"))
some = st.integers(0, 7)


class Protocol(RuleBasedStateMachine):
    """Two workers, a broker, and everything that may go wrong with them."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._answers = 0

    @initialize(
        seed=st.integers(0, 255),
        is_lasting=st.booleans(),
        split_bytes=st.sampled_from((_WHOLE, _SPLIT)),
        most=st.sampled_from((500, 2, 1)),
    )
    def begin(self, seed: int, is_lasting: bool, split_bytes: int, most: int) -> None:
        """`most`: records of one fetch."""
        self.clock = Clock(BEGIN_S)
        self._stack.enter_context(modelled(self.clock, split_bytes))
        self.deployment = Deployment(self.clock, seed=seed, is_lasting=is_lasting, most=most)
        self.times = self.deployment.install()
        for name in NAMES:
            self.deployment.start(name)

    # What comes from outside ---------------------------------------------------------------------------

    @rule(flow=st.sampled_from(FLOWS), name=st.sampled_from("ab"))
    def an_event_comes(self, flow: str, name: str) -> None:
        """New, or with the identity of one before and another content."""
        number = len(self.deployment.accepted)
        self.deployment.accept(Accepted(flow, name, f"e{number}", self.clock.us(), number))

    @precondition(lambda self: self._recent())
    @rule(which=some)
    def a_delivery_is_repeated(self, which: int) -> None:
        """By an ingress that did not hear that the broker had it."""
        self.deployment.accept(_one_of(self._recent(), which))

    @precondition(lambda self: self._runs())
    @rule(which=some)
    def a_run_is_cancelled(self, which: int) -> None:
        self._cancel(which)

    @precondition(lambda self: self._runs("PAUSED"))
    @rule(which=some, action=st.sampled_from(("yes", "no")), twice=st.booleans())
    def a_run_is_answered(self, which: int, action: str, twice: bool) -> None:
        self._answers += 1
        answer = flows.resume(
            _one_of(self._runs("PAUSED"), which), f"i{self._answers}", action, self.clock.us()
        )
        for _ in range(1 + twice):
            self.deployment.say(answer)

    @precondition(lambda self: self._results())
    @rule(which=some)
    def a_result_comes_again(self, which: int) -> None:
        """Of whatever attempt, however long ago: from an executor that was thought dead."""
        self.deployment.say(_one_of(self._results(), which))

    # Time ----------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from(TIMES_S))
    def time_passes(self, seconds: int) -> None:
        self._pass_time(seconds)

    @rule(seconds=st.sampled_from(_LONG_S))
    def much_time_passes(self, seconds: int) -> None:
        """More than commits take, and sends: librdkafka gives up after a minute."""
        for process in list(self.deployment.processes.values()):
            process.hold_commits(held=False)
            if process.is_running:
                process.link.restore()
            else:
                process.link.fail(0)
        self.deployment.commit()
        self.deployment.pass_time(seconds)
        self.deployment.broker.compact()

    @rule()
    def offsets_are_committed(self) -> None:
        self.deployment.commit()

    # Workers -------------------------------------------------------------------------------------------

    @rule(name=names, topics=st.sampled_from(PLACES), passing=st.integers(0, 5))
    def a_link_stalls(self, name: str, topics: tuple[str, ...], passing: int) -> None:
        """So many messages to these topics pass, those after them are held up."""
        if process := self._alive(name):
            process.link.stall(topics, passing)

    @rule(name=names)
    def a_link_is_restored(self, name: str) -> None:
        if process := self._alive(name):
            process.link.restore()
            self.deployment.settle()

    @rule(name=names, written=st.integers(0, 3))
    def sends_fail(self, name: str, written: int) -> None:
        if process := self._alive(name):
            process.link.fail(written)
            self.deployment.settle()

    @rule(name=names, held=st.booleans())
    def commits_are_held_up(self, name: str, held: bool) -> None:
        if process := self._alive(name):
            process.hold_commits(held=held)
            self.deployment.settle()

    @rule(name=names, written=st.integers(0, 3))
    def a_worker_is_killed(self, name: str, written: int) -> None:
        if process := self._alive(name):
            process.kill(written)
            self.deployment.settle()

    @rule(name=names)
    def the_power_fails(self, name: str) -> None:
        self.deployment.cut_power(name)

    @rule(name=names)
    def a_worker_is_frozen(self, name: str) -> None:
        if process := self._alive(name):
            process.stop()

    @rule(name=names)
    def a_worker_is_thawed(self, name: str) -> None:
        """Before it hears what the group has done meanwhile."""
        if process := self._alive(name):
            process.go_on()
            self.deployment.settle()

    @rule(name=names)
    def a_worker_leaves(self, name: str) -> None:
        if process := self._alive(name):
            process.leave()
            self.deployment.settle()

    @rule(name=names)
    def a_worker_is_started(self, name: str) -> None:
        if self._alive(name) is None:
            self.deployment.start(name)

    @rule(name=names)
    def records_vanish_under_the_reader(self, name: str) -> None:
        if process := self._alive(name):
            process.source.skips = 1

    # In the middle of something ------------------------------------------------------------------------

    @rule(what=happenings, topics=st.sampled_from(PLACES), passing=st.integers(0, 5),
          written=st.integers(0, 3), is_committed=st.booleans(), meanwhile=meanwhiles,
          away_s=away)  # fmt: skip
    def workers_die_over_it(
        self,
        what: str,
        topics: tuple[str, ...],
        passing: int,
        written: int,
        is_committed: bool,
        meanwhile: str,
        away_s: int,
    ) -> None:
        """Whoever is held up half-way is killed, having committed what it thinks is done, and comes again to
        what has happened meanwhile."""
        for process in self._over(what, topics, passing, is_committed=is_committed):
            process.kill(written)
        self._happens(meanwhile)
        self._restore()
        self._pass_time(away_s)
        for name in NAMES:
            self.a_worker_is_started(name)

    @rule(what=happenings, topics=st.sampled_from(PLACES), passing=st.integers(0, 5),
          meanwhile=happenings, sends_first=st.booleans())  # fmt: skip
    def workers_freeze_over_it(
        self, what: str, topics: tuple[str, ...], passing: int, meanwhile: str, sends_first: bool
    ) -> None:
        """Whoever is held up half-way is frozen until others have gone on, then goes on itself: zombies."""
        zombies = self._over(what, topics, passing, is_committed=False)[:1]
        for zombie in zombies:
            zombie.stop()
        for process in self.deployment.processes.values():
            if process not in zombies:
                process.link.restore()
        for seconds in (7, 1):
            self._pass_time(seconds)
        self._happens(meanwhile)
        for zombie in zombies:
            if sends_first:
                zombie.link.restore()
            zombie.go_on()
            self.deployment.settle()
        self._restore()
        self.deployment.pass_time(1)

    def _pass_time(self, seconds: int) -> None:
        """Offsets are committed twice a second; what holds commits up for long is another fault."""
        if seconds > _COMMITS_S:
            for process in self.deployment.processes.values():
                process.hold_commits(held=False)
            self.deployment.commit()
        self.deployment.pass_time(seconds)

    def _over(self, what: str, topics: tuple[str, ...], passing: int, *, is_committed: bool) -> list[Process]:
        """Lets it happen while links stall; whoever is held up then."""
        for process in self.deployment.processes.values():
            process.link.stall(topics, passing)
        self._happens(what)
        if is_committed:
            self.deployment.commit()
        return [process for process in self.deployment.processes.values() if not process.link.is_empty]

    def _restore(self) -> None:
        for process in self.deployment.processes.values():
            if process.is_running:
                process.link.restore()
        self.deployment.settle()

    def _happens(self, what: str) -> None:
        if what in FLOWS:
            self.an_event_comes(what, "a")
        elif what == "time":
            self.deployment.pass_time(4)
        elif what == "much time":
            self._pass_time(_LONG_S[0])
        elif what == "answer" and self._runs("PAUSED"):
            self.a_run_is_answered(0, "yes", twice=False)
        elif what == "cancel" and self._runs():
            self._cancel(0)

    def _cancel(self, which: int) -> None:
        self.deployment.say(flows.cancel(_one_of(self._runs(), which), self.clock.us()))

    # The end -------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if hasattr(self, "times"):
                self._end()
        finally:
            for process in self.deployment.processes.values() if hasattr(self, "deployment") else ():
                process.kill()
            self._stack.close()

    def _end(self) -> None:
        """All faults are over: what was begun is brought to its end, then nobody answers the rest."""
        self._drain()
        History(self.deployment.broker).none_is_stuck(may_be_paused=True)
        self.deployment.pass_time(flows.HOUR_S)
        self._drain()
        holds(not self.deployment.failures, f"a worker has failed: {self.deployment.failures!r}")
        History(self.deployment.broker).check(self.deployment.accepted, self.times)

    def _drain(self) -> None:
        quiet_for = 0
        for _ in range(_PATIENCE):
            self.deployment.heal()
            self.deployment.pass_time(5)
            self.deployment.commit()
            quiet_for = quiet_for + 1 if self.deployment.is_quiet else 0
            if quiet_for > _LONGEST_QUIET and self.clock.us() > self.times[-1] + 10_000_000:
                return
        raise AssertionError(f"not over: {self.deployment.broker.lag(SOURCES)} records are not acknowledged")

    # What there is -------------------------------------------------------------------------------------

    def _alive(self, name: str) -> Process | None:
        return self.deployment.processes.get(name)

    def _runs(self, status: str | None = None) -> list[str]:
        runs = {run["id"]: run["status"] for run in History.read(self.deployment.broker, "runs")}
        return [run_id for run_id, last in runs.items() if status in (None, last)]

    def _recent(self) -> list[Accepted]:
        """Those that may be delivered again. When its window has passed, nobody knows of a duplicate any more
        what it was, and a gate may not know who has entered; of the first one of a workflow without gates,
        its run is known for as long as finished runs are kept."""
        window_us = self.clock.us() - flows.WINDOW_S * 1_000_000
        kept_us = self.clock.us() - flows.HOUR_S // 2 * 1_000_000
        return [
            event
            for event, is_first in firsts(self.deployment.accepted).items()
            if event.received_us > (kept_us if is_first and event.flow in WITHOUT_GATES else window_us)
        ]

    def _results(self) -> list[Send]:
        found = []
        for message in self.deployment.broker.topic("run.commands"):
            command: Record = CODEC.decode("RunCommand", message.value)
            if command["kind"] == "NODE_RESULT":
                found.append(Send("run.commands", message.key, message.value, message.headers))
        return found


_LONGEST_QUIET = 10
"""Steps of time: longer than any node takes, and any attempt or batch waits."""


def _one_of(choices: list[Any], which: int) -> Any:
    """The latest ones first: shrinking leads to them."""
    return choices[-1 - which % len(choices)]


class Halfway(Protocol):
    """Faults in the middle of something, and no others: what a single safeguard is for shows soon."""

    @rule(flow=st.sampled_from((*WITHOUT_GATES, flows.GATHER)), name=st.sampled_from("ab"))
    def an_event_comes(self, flow: str, name: str) -> None:
        Protocol.an_event_comes(self, flow, name)

    a_link_stalls = a_link_is_restored = sends_fail = commits_are_held_up = None
    a_worker_is_killed = the_power_fails = a_worker_is_frozen = a_worker_is_thawed = a_worker_leaves = None
    a_delivery_is_repeated = much_time_passes = None
