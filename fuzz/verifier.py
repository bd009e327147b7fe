"""Random programs for the verifier, against Linux's verdict, for a while.

``python fuzz/verifier.py --seconds 60`` compares verdicts with the running kernel, prints each
disagreement as assembly with both explanations, and the share of accepted programs. ``--kind
calls`` draws programs of every packet program type over contexts, helpers and references, ``--kind
values`` XDP programs over numbers and memory. Each bug found becomes a case in
``tests/data/verifier``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from beebox.errors import SyscallError
from beebox.verifier import explore
from beebox.verifier.verify import verify

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))

import verifier_calls
import verifier_values
from verifier_oracle import Oracle, describe

_KINDS = {"values": verifier_values, "calls": verifier_calls}
_NO_VERDICT = ("not-supported", "too-complex")


def main() -> None:
    """Fuzz for ``--seconds``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=tuple(_KINDS), default="values")
    parser.add_argument("--show", type=int, default=3, help="disagreements to print in full")
    parser.add_argument("--limit", type=int, default=20_000, help="instructions to process")
    options = parser.parse_args()
    explore.MAX_INSNS = options.limit
    generator = _KINDS[options.kind]
    counts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    disagreed: list[int] = []
    ours_processed = theirs_processed = 0
    deadline, seed = time.monotonic() + options.seconds, options.seed
    with Oracle(generator.MAPS) as oracle:
        while time.monotonic() < deadline:
            spec = generator.program(seed)
            seed += 1
            ours = verify(spec)
            code = "accepted" if ours.accepted else ours.findings[0].code
            codes[code] += 1
            if code in _NO_VERDICT:
                continue
            try:
                theirs = oracle.verdict(spec)
            except SyscallError as error:
                counts[f"linux: {error}"] += 1
                continue
            if "verifier bug" in theirs.log:
                counts["linux: a bug of its verifier"] += 1
                continue
            counts[f"linux {theirs.accepted}, ours {ours.accepted}"] += 1
            if ours.accepted != theirs.accepted:
                disagreed.append(seed - 1)
                if len(disagreed) <= options.show:
                    logged = oracle.verdict(spec, log_level=7)
                    print(f"=== seed {seed - 1}\n{describe(spec, ours, logged)}")
            elif ours.accepted:
                same = ours.insns_processed == theirs.insns_processed
                counts["same instruction count" if same else "other instruction count"] += 1
                ours_processed += ours.insns_processed
                theirs_processed += theirs.insns_processed
    for what, count in (*counts.most_common(), *codes.most_common()):
        print(f"{count:8} {what}")
    print(
        f"processed: ours {ours_processed}, linux {theirs_processed}; disagreed: {disagreed[:20]}"
    )


if __name__ == "__main__":
    main()
