"""Random programs and all cases for the profile unprivileged, against Linux without CAP_PERFMON.

``python fuzz/profiles.py --seconds 30`` prints how often both say the same: verdicts, the line that
Linux logs, processed instructions; and each disagreement as assembly with both explanations.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from beebox.errors import SyscallError
from beebox.linux.load import Verdict
from beebox.obj.model import ProgramSpec
from beebox.verifier import explore
from beebox.verifier.options import Options, Profile
from beebox.verifier.result import Report
from beebox.verifier.verify import verify

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))

import verifier_calls
import verifier_values
from capabilities import unprivileged
from verifier_oracle import Oracle, describe

_KINDS = {"values": verifier_values, "calls": verifier_calls}
_NO_VERDICT = ("not-supported", "too-complex")
_LIMIT = 20_000  # instructions to process: more are no use here


def main() -> None:
    """Fuzz each kind for ``--seconds``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=3, help="disagreements to print in full")
    options = parser.parse_args()
    explore.MAX_INSNS = _LIMIT
    for name in _KINDS:
        counts: Counter[str] = Counter()
        shown = 0
        for spec, ours, theirs in _compared(name, options.seed, options.seconds):
            counts[_outcome(ours, theirs)] += 1
            if ours.accepted != theirs.accepted and shown < options.show:
                shown += 1
                print(describe(spec, ours, theirs))
        print(name)
        for what, count in counts.most_common():
            print(f"{count:8} {what}")


def _compared(
    name: str, seed: int, seconds: float
) -> Iterator[tuple[ProgramSpec, Report, Verdict]]:
    kind, deadline = _KINDS[name], time.monotonic() + seconds
    with Oracle(kind.MAPS) as oracle:
        while time.monotonic() < deadline:
            spec = kind.program(seed)
            seed += 1
            ours = verify(spec, Options(Profile.UNPRIVILEGED))
            if not ours.accepted and ours.findings[0].code in _NO_VERDICT:
                continue
            try:
                oracle.verdict(spec)  # its maps are made with every right
                with unprivileged():
                    theirs = oracle.verdict(spec)
            except SyscallError:
                continue  # no right to load the type at all, or an environment that lacks it
            if "verifier bug" not in theirs.log:
                yield spec, ours, theirs


def _outcome(ours: Report, theirs: Verdict) -> str:
    if ours.accepted != theirs.accepted:
        return f"disagree: Linux {theirs.accepted}, ours {ours.accepted}"
    if not ours.accepted:
        same = ours.findings[0].kernel_message in theirs.log
        return "both refuse, " + ("the same line" if same else "another line")
    same = ours.insns_processed == theirs.insns_processed
    return "both accept, " + ("as many instructions" if same else "other counts")


if __name__ == "__main__":
    main()
