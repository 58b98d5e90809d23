"""`python -m bench.matching --triggers 10000 --events 50000 --seed 1`: the router against brute force.

Exit code 0 only if the runs are the same ones, each with an id of its own; the last line says the counts.
"""

import argparse
import sys
import time

from bench.matching.reference import expected_runs
from bench.matching.routed import routed_runs
from bench.matching.world import World


def main() -> int:
    """See above."""
    arguments = _parser().parse_args()
    world = World(arguments.triggers, arguments.events, arguments.seed)
    began = time.process_time()
    started = routed_runs(world)
    routed_s = time.process_time() - began
    expected = expected_runs(world)
    missing, extra = expected - started.runs, started.runs - expected
    for number, trigger_id in sorted(missing | extra)[:10]:
        sign = "missing" if (number, trigger_id) in missing else "extra"
        print(f"{sign}: event {number} ({world.happenings[number].kind}), {trigger_id}")
    doubled = len(started.runs) - len(started.run_ids)
    print(
        f"events {arguments.events}, triggers {arguments.triggers}, duplicates "
        f"{started.outcomes.get('duplicate', 0)}, runs {len(started.runs)}, missing {len(missing)}, extra "
        f"{len(extra)}, ids shared {doubled}; {routed_s / arguments.events * 1e6:.0f} µs CPU an event"
    )
    return 0 if not missing and not extra and not doubled else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.matching", description=__doc__)
    parser.add_argument("--triggers", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
