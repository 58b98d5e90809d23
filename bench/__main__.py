"""`python -m bench --peers restate,dbos --reps 3`: one job on Hopline and on each peer, side by side."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench import plot, report
from bench.interrupt import EXIT_CODE, Interrupted, run
from bench.measure import Plan, Repetition, repeat_once
from bench.peers.peer import Peer, PeerUnavailable
from bench.peers.registry import PEERS
from bench.program import StartFailed
from bench.progress import say
from cli.errors import CommandFailed

_HERE = Path(__file__).parent
_INSTALLED = _HERE / ".peers"
RESULTS = _HERE / "results" / "latest.json"
_PLOT = "side-by-side"
_TITLE = "The job side by side, at full load"


def main() -> int:
    """0 if everything that was accepted has ended, 1 if not or if a peer failed, 2 on wrong usage."""
    arguments = _parser().parse_args()
    plan = Plan(full_load_s=arguments.seconds)
    peers, skipped = _installed(("hopline", *arguments.peers))
    try:
        return run(_measure(peers, skipped, arguments.reps, plan)) if peers else 1
    except Interrupted:
        return EXIT_CODE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    known = ", ".join(name for name in PEERS if name != "hopline")
    parser.add_argument(
        "--peers", type=_peer_names, default=["restate"], help=f"comma-separated, of: {known}"
    )
    parser.add_argument("--reps", type=int, default=3, help="repetitions, each on an empty store")
    parser.add_argument("--seconds", type=float, default=Plan().full_load_s, help="of posting at full load")
    return parser


def _peer_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in PEERS]:
        raise argparse.ArgumentTypeError(f"no peer is called {', '.join(unknown)}")
    return [name for name in dict.fromkeys(names) if name != "hopline"]


def _installed(names: Sequence[str]) -> tuple[list[Peer], dict[str, str]]:
    peers, skipped = [], {}
    for name in names:
        home = _INSTALLED / name
        home.mkdir(parents=True, exist_ok=True)
        peer = PEERS[name]()
        try:
            peer.setup(home, partial(say, name))
            peers.append(peer)
        except PeerUnavailable as missing:
            skipped[name] = str(missing)
            say(name, f"is left out: {missing}")
    return peers, skipped


async def _measure(peers: Sequence[Peer], skipped: dict[str, str], reps: int, plan: Plan) -> int:
    measured: dict[str, list[Repetition]] = {peer.name: [] for peer in peers}
    failed: set[str] = set()
    # Repetition by repetition rather than peer by peer: what else the machine does then hits all alike.
    for number in range(1, reps + 1):
        for peer in peers:
            tell = partial(say, f"{number}/{reps} {peer.name}")
            try:
                figures = await repeat_once(peer, _INSTALLED / peer.name / "data", plan, tell)
            except (StartFailed, CommandFailed, OSError) as failure:
                failed.add(peer.name)
                tell(f"failed: {failure}")
                continue
            measured[peer.name].append(figures)
            tell(f"{figures.runs_per_s:,.0f} runs/s, {figures.cpu_ms_per_run:.2f} ms CPU per run")
    done = {name: repetitions for name, repetitions in measured.items() if repetitions}
    if not done:
        return 1
    document = report.write(RESULTS, done, skipped, plan)
    print(report.table(document, list(done)))
    if len(done) > 1:
        plot.save(_PLOT, _TITLE, report.panels(document, list(done)))
    return _verdict(done, failed)


def _verdict(done: dict[str, list[Repetition]], failed: set[str]) -> int:
    spoilt = {name for name, reps in done.items() if any(rep.unfinished or rep.refusals for rep in reps)}
    for name in sorted(spoilt):
        say(name, "has refused orders, or not finished all that it accepted: see the results file")
    return 1 if spoilt or failed else 0


if __name__ == "__main__":
    sys.exit(main())
