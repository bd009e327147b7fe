"""Proves the verifier's arithmetic sound, and that each proof can fail. See docs/proofs.md.

``python proofs/run.py`` runs every proof (``make prove``); ``--quick`` those of ``make test``; names
select by their
beginning. The exit status is 1 when one does not hold, is not decided in time, or
when a mutant of the code survives it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import arithmetic
import branches
import conversions
import ledger
import product
import registers
import scalars
import tnums

PROOFS = (
    *tnums.PROOFS,
    *scalars.PROOFS,
    *arithmetic.PROOFS,
    *product.PROOFS,
    *conversions.PROOFS,
    *branches.PROOFS,
    *registers.PROOFS,
)
LIMIT_SECONDS = 300.0  # per obligation; the slowest takes seconds on a machine of its own


def prove(name: str) -> ledger.Outcome:
    """One proof, by its name; what goes wrong is a problem of the outcome."""
    (proof,) = (one for one in PROOFS if one.name == name)
    try:
        return ledger.run(proof, LIMIT_SECONDS)
    except Exception as error:  # noqa: BLE001  # reported beside the others, and fails the run
        return ledger.Outcome(name, 0, 0.0, "", [f"{type(error).__name__}: {error}"])


def main() -> int:
    """Run the selected proofs on ``--jobs`` processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    begin = time.monotonic()
    chosen = [
        proof.name
        for proof in PROOFS
        if (proof.quick or not options.quick)
        and (not options.names or proof.name.startswith(tuple(options.names)))
    ]
    mutants = sum(len(proof.mutants) for proof in PROOFS if proof.name in chosen)
    failed = obligations = 0
    with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=1) as pool:
        for outcome in pool.imap_unordered(prove, chosen):
            verdict = "FAILED" if outcome.problems else "proved"
            obligations += outcome.obligations
            slow = f"slowest: {outcome.slowest}"
            print(f"{verdict} {outcome.name:16} {outcome.obligations:5} obligations "
                  f"{outcome.seconds:6.1f} s, {slow}", flush=True)  # fmt: skip
            for problem in outcome.problems:
                print(f"       {problem}", flush=True)
            failed += bool(outcome.problems)
    print(f"{len(chosen) - failed} of {len(chosen)} proofs hold: {obligations} obligations, "
          f"{mutants} mutants refuted, {time.monotonic() - begin:.0f} s")  # fmt: skip
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
