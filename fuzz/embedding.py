"""State embedding: each concrete state of a run is one that the verifier's abstract state allows.

``python fuzz/embedding.py --runs 10000000 --state embedding.json`` explores random programs twice,
without pruning and with it, some hundred runs of each going along every path, and ends when so many
runs of accepted programs reached the end in the exploration without pruning; with ``--state`` it
goes on where it was interrupted. Programs that are refused count for what came before the refusal.
The verdicts with and without pruning must be the same. The exit status is 1 when something was
violated.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))

from verifier_fuzz.embedded import KINDS, Tally, block

_BLOCK = 50


def _block(job: tuple[str, int, int]) -> tuple[str, Tally]:
    kind, start, count = job
    return kind, block(kind, range(start, start + _BLOCK), count=count)


def main() -> int:
    """Fuzz until ``--runs`` or ``--seconds``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--count", type=int, default=256, help="runs of each program")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    tallies = {kind: Tally() for kind in KINDS}
    following, before = dict.fromkeys(KINDS, options.first_seed), 0.0
    if options.state is not None and options.state.exists():
        data = json.loads(options.state.read_text())
        following, before = data["next"], data["seconds"]
        for kind, row in data["tallies"].items():
            tallies[kind] = Tally(Counter(row["counts"]), row["violations"])
    begin = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(options.jobs, os.nice, (5,)) as pool:
        waiting = []
        given = dict.fromkeys(KINDS, 0)
        while True:
            runs = sum(tally.counts["runs of accepted programs"] for tally in tallies.values())
            spent = time.monotonic() - begin
            going = runs < options.runs and spent < options.seconds
            while going and len(waiting) < 2 * options.jobs:
                kind = min(KINDS, key=lambda one: (given[one] + 1) / KINDS[one])
                given[kind] += 1
                waiting.append(pool.apply_async(_block, ((kind, following[kind], options.count),)))
                following[kind] += _BLOCK
            if not waiting:
                break
            kind, tally = waiting.pop(0).get()
            tallies[kind].add(tally)
            for violation in tally.violations:
                print(violation, flush=True)
            if options.state is not None:
                rows = {
                    name: {"counts": dict(one.counts), "violations": one.violations}
                    for name, one in tallies.items()
                }
                partial = options.state.with_suffix(".new")
                data = {"next": following, "seconds": before + spent, "tallies": rows}
                partial.write_text(json.dumps(data))
                partial.replace(options.state)
    whole = Tally()
    for kind, tally in tallies.items():
        print(kind, dict(tally.counts))
        whole.add(tally)
    seconds = before + time.monotonic() - begin
    counts = whole.counts
    print(f"{counts['runs of accepted programs']} runs of {counts['accepted']} accepted programs "
          f"({counts['programs']} explored), {counts['comparisons']} comparisons, {seconds:.0f} s; "
          f"violations: {len(whole.violations)}")  # fmt: skip
    return 1 if whole.violations else 0


if __name__ == "__main__":
    sys.exit(main())
