"""The quick proofs of `make prove`: z3 finds no counterexample, and one for every mutant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_quick_proofs_hold_and_refute_their_mutants(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "proofs/run.py", "--quick", "--jobs", "1"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
