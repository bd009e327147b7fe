"""Random programs for the verifier, against the running kernel's verdict.

``python fuzz/verifier.py --programs 1000000 --state fuzz.json`` compares a million programs on
``--jobs`` processes and prints what came of them: agreement, each disagreement minimised with both
explanations, accepted shares, and which operations and features the programs had. ``--seconds``
ends it sooner; with ``--state`` it goes on where it was interrupted. ``--kinds`` picks generators
(``tests/support/verifier_fuzz/campaign.py`` has them); ``--show KIND SEED PERCENT`` prints one
program. A share of the programs is mutated, more of them while most are accepted and fewer while
most are refused. Each bug found becomes a case in ``tests/data/verifier``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))

from verifier_fuzz import coverage, reasons
from verifier_fuzz.campaign import KINDS, Comparison, Tally, program, verdict
from verifier_oracle import Oracle, describe

_BLOCK = 500
_LEAST, _MOST = 35, 65  # per cent of programs that are accepted; mutations steer towards it


class Campaign:
    """What was done so far: by kind the next seed, the share of mutations, and the tally."""

    def __init__(self, data: dict[str, Any] | None = None) -> None:
        rows = data["kinds"] if data else {}
        self.seconds: float = data["seconds"] if data else 0.0
        self.next = {kind: rows.get(kind, {}).get("next", 0) for kind in KINDS}
        self.percent = {
            kind: rows.get(kind, {}).get("percent", KINDS[kind].mutated_percent) for kind in KINDS
        }
        self.tallies = {
            kind: Tally.from_data(rows[kind]["tally"]) if kind in rows else Tally()
            for kind in KINDS
        }

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        kinds = {
            kind: {
                "next": self.next[kind],
                "percent": self.percent[kind],
                "tally": self.tallies[kind].as_data(),
            }
            for kind in KINDS
        }
        return {"seconds": self.seconds, "kinds": kinds}

    @property
    def programs(self) -> int:
        """How many programs were compared or given up on."""
        return sum(tally.counts["programs"] for tally in self.tallies.values())

    def blocks(self, kinds: list[str], programs: int) -> Iterator[tuple[str, int, int]]:
        """Blocks to do, each kind in its share, until ``programs`` are on their way."""
        given = dict.fromkeys(kinds, 0)
        for _ in range((programs - self.programs + _BLOCK - 1) // _BLOCK):
            kind = min(kinds, key=lambda one: (given[one] + 1) / KINDS[one].share)
            given[kind] += 1
            start = self.next[kind]
            self.next[kind] += _BLOCK
            yield kind, start, self.percent[kind]

    def add(self, kind: str, tally: Tally) -> None:
        """A block is done: count it and steer."""
        self.tallies[kind].add(tally)
        share = 100 * tally.counts["both accept"] / max(tally.compared, 1)
        step = (share > _MOST) - (share < _LEAST)
        self.percent[kind] = max(0, min(self.percent[kind] + 2 * step, 90))


_comparison: Comparison | None = None


def _start() -> None:
    global _comparison  # noqa: PLW0603  # one set of maps for each process of the pool
    os.nice(5)
    _comparison = Comparison()


def _block(block: tuple[str, int, int]) -> tuple[str, Tally]:
    assert _comparison is not None
    kind, start, percent = block
    return kind, _comparison.block(kind, range(start, start + _BLOCK), percent)


def main() -> int:
    """Fuzz; the exit status is 1 when verdicts differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--show", nargs=3, metavar=("KIND", "SEED", "PERCENT"))
    options = parser.parse_args()
    if options.show:
        _show(*options.show)
        return 0
    stored = options.state is not None and options.state.exists()
    campaign = Campaign(json.loads(options.state.read_text()) if stored else None)
    if not stored:
        campaign.next = dict.fromkeys(KINDS, options.first_seed)
    before, begin = campaign.seconds, time.monotonic()
    saved = begin
    with multiprocessing.get_context("spawn").Pool(options.jobs, _start) as pool:
        waiting: list[Any] = []
        blocks = campaign.blocks(options.kinds.split(","), options.programs)
        going = True
        while going or waiting:
            if time.monotonic() - begin > options.seconds:
                going = False
            while going and len(waiting) < 2 * options.jobs:
                block = next(blocks, None)
                if block is None:
                    going = False
                else:
                    waiting.append(pool.apply_async(_block, (block,)))
            if waiting:
                kind, tally = waiting.pop(0).get()
                campaign.add(kind, tally)
                campaign.seconds = before + time.monotonic() - begin
                _tell(tally)
            if options.state and (time.monotonic() - saved > 10 or not (going or waiting)):
                saved = time.monotonic()
                partial = options.state.with_suffix(".new")
                partial.write_text(json.dumps(campaign.as_data()))
                partial.replace(options.state)
    return _report(campaign)


def _tell(tally: Tally) -> None:
    for row in tally.found:
        print(f"=== {row.sort}: {row.kind} {row.seed} {row.mutated_percent}: ours {row.ours}; "
              f"linux: {row.reason} {row.line}\n{row.text}", flush=True)  # fmt: skip


def _report(campaign: Campaign) -> int:
    whole = Tally()
    for kind, tally in campaign.tallies.items():
        whole.add(tally)
        both, compared = tally.counts["both accept"], max(tally.compared, 1)
        print(f"{kind:10} {tally.counts['programs']:9} programs, {100 * both / compared:5.1f} % "
              f"accepted of those compared, {campaign.percent[kind]} % mutated now")  # fmt: skip
    print(coverage.table(whole.seen))
    for counter in (whole.counts, whole.codes):
        print("\n".join(f"{count:9} {what}" for what, count in counter.most_common()))
    print(f"{len(whole.lines)} different lines of Linux's refusals; the rarest:")
    print("\n".join(f"{count:9} {line}" for line, count in whole.lines.most_common()[-15:]))
    shapes = Counter((row.sort, row.ours, row.reason, row.line) for row in whole.found)
    for (sort, ours, why, line), count in shapes.most_common():
        print(f"{count:9} {sort}: ours {ours}, linux {why or 'accepts'} {line}")
    rate = campaign.programs / max(campaign.seconds, 0.001)
    unsafe = sum(row.sort == "lax" and row.reason == reasons.Reason.SAFETY.value
                 for row in whole.found)  # fmt: skip
    strict = whole.counts["strict"] / max(whole.compared, 1)
    print(f"{campaign.programs} programs in {campaign.seconds:.0f} s ({rate:.0f}/s): "
          f"{whole.compared} compared; we accept what Linux refuses: {whole.counts['lax']}, for "
          f"safety {unsafe}; we refuse what Linux accepts: {whole.counts['strict']} "
          f"({100 * strict:.4f} %); internal: {whole.counts['internal']}")  # fmt: skip
    return 1 if whole.found else 0


def _show(kind: str, seed: str, percent: str) -> None:
    spec = program(kind, int(seed), int(percent))
    with Oracle(KINDS[kind].maps) as oracle:
        print(describe(spec, verdict(spec), oracle.verdict(spec, log_level=7)))


if __name__ == "__main__":
    sys.exit(main())
