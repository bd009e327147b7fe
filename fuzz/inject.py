"""Plausible bugs in the verifier, one at a time, and which of the suites notice them.

``python fuzz/inject.py`` starts a process for each bug of ``fuzz/injected.py``, in which the module
is compiled from the edited source, and runs the suites in turn until one finds something wrong:

- ``cases``: programs of ``tests/data/verifier`` have another verdict, first of all the unsafe one
  of the bug class that the bug is like;
- ``embedding``: a run leaves the abstract states of its path, or pruning changes a verdict;
- ``linux``: the running kernel says otherwise of a random program, lax or strict;
- ``proofs``: a quick proof does not hold.

``--every`` runs all suites for each bug, ``--names`` picks bugs by how they begin. The exit status
is 1 when a bug is missed, or when the verifier without any is found wrong.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.abc
import importlib.machinery
import importlib.util
import json
import linecache
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))
sys.path.insert(0, str(Path(__file__).parent.parent / "proofs"))

from injected import BUGS, Bug

_ROOT = Path(__file__).parent.parent
_PACKAGE = "beebox.verifier."
_SECONDS = 900.0  # for one bug
NO_BUG = Bug("none", "", "", "")


class _Edited(importlib.machinery.SourceFileLoader):
    """Loads a module from its source with one edit."""

    bug = NO_BUG

    def get_code(self, fullname: str) -> CodeType:
        """The edited code; tracebacks and ``inspect`` see the edited source, too."""
        path = self.get_filename(fullname)
        source = self.get_data(path).decode()
        if source.count(self.bug.old) != 1:
            raise ValueError(f"{self.bug.old!r} occurs {source.count(self.bug.old)} times")
        source = source.replace(self.bug.old, self.bug.new)
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
        return compile(source, path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the one module that has the bug."""

    def __init__(self, bug: Bug) -> None:
        self.name = _PACKAGE + bug.module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Nothing for every other module."""
        if fullname != self.name:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        if found is None or found.origin is None:
            return None
        return importlib.util.spec_from_file_location(
            fullname, found.origin, loader=_Edited(fullname, found.origin)
        )


def cases(bug: Bug, _quick: bool) -> str | None:
    """What a case shows, None when all verdicts are as they should be."""
    path = _ROOT / "tests/unit/verifier/test_cases.py"
    spec = importlib.util.spec_from_file_location("verifier_cases", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = sorted(module.CASES, key=lambda case: "class " not in case.name)
    wanted = tuple(f"class {number}, unsafe" for number in bug.like)
    unsafe = {case.name for case in rows if case.name.startswith(wanted)} if wanted else set()
    first = ""
    for case in rows:
        report = module.verify(case.spec)
        verdict = "accepted" if report.accepted else report.findings[0].code
        if verdict == case.expected:
            continue
        if case.name in unsafe and report.accepted:
            return f"{case.name}: accepted"
        first = first or f"{case.name}: {verdict}"
        if not unsafe:
            break
    if unsafe:
        return None if not first else f"(not its own class) {first}"
    return first or None


def embedding(_bug: Bug, quick: bool) -> str | None:
    """What a run shows."""
    from verifier_fuzz.embedded import KINDS, block  # noqa: PLC0415  # only with the bug in place

    for start in range(0, 60 if quick else 300, 60):
        for kind in KINDS:
            seeds = range(start, start + (60 if kind in {"bounds", "values"} else 20))
            found = block(kind, seeds, count=128)
            if found.violations:
                return found.violations[0]
    return None


def linux(_bug: Bug, quick: bool) -> str | None:
    """What the running kernel shows."""
    from verifier_fuzz import campaign  # noqa: PLC0415  # only with the bug in place

    with campaign.Comparison() as comparison:
        for start in range(0, 200 if quick else 1000, 100):
            for kind, row in campaign.KINDS.items():
                count = 100 if kind != "callbacks" else 25
                found = comparison.block(
                    kind, range(start, start + count), row.mutated_percent, minimise=False
                ).found
                if found:
                    one = found[0]
                    return f"{one.sort}: {kind} {one.seed}: {one.ours}; {one.line}"
    return None


def proofs(_bug: Bug, quick: bool) -> str | None:
    """Which proof fails."""
    import ledger  # noqa: PLC0415  # only with the bug in place
    import run  # noqa: PLC0415

    for proof in run.PROOFS:
        if not proof.quick:
            continue
        try:
            for obligation in proof.build(()):
                verdict, example = ledger.check(obligation, 2.0 if quick else 20.0)
                if str(verdict) == "sat":
                    return f"{proof.name}: {obligation.name} is false: {example}"[:300]
        except Exception as error:  # noqa: BLE001  # code that cannot be followed is noticed, too
            return f"{proof.name}: {type(error).__name__}: {error}"[:300]
    return None


SUITES: dict[str, Callable[[Bug, bool], str | None]] = {
    "cases": cases,
    "embedding": embedding,
    "linux": linux,
    "proofs": proofs,
}


def _child(name: str, suites: list[str], *, every: bool, quick: bool) -> None:
    """With one bug in place: which suites notice, as a line of JSON."""
    bug = next((bug for bug in BUGS if bug.name == name), NO_BUG)
    if bug.module:
        _Edited.bug = bug
        sys.meta_path.insert(0, _Finder(bug))
    noticed: dict[str, str | None] = {}
    for suite in suites:
        try:
            found = SUITES[suite](bug, quick)
        except Exception as error:  # noqa: BLE001  # a crash is noticed by everyone
            found = f"{type(error).__name__}: {error}"
        noticed[suite] = found
        if found is not None and not every:
            break
    print("noticed", json.dumps(noticed))


def examine(
    bug: Bug, suites: Sequence[str] = tuple(SUITES), *, every: bool = False, quick: bool = False
) -> dict[str, str | None]:
    """Suites that were run with the bug, and what each found. Raises if the process fails."""
    command = [sys.executable, __file__, "--child", bug.name, "--suites", ",".join(suites)]
    command += ["--every"] * every + ["--quick"] * quick
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_SECONDS, cwd=_ROOT
        )
    except subprocess.TimeoutExpired:
        return {"time": None}  # nobody noticed so far
    for line in done.stdout.splitlines():
        if line.startswith("noticed "):
            found: dict[str, str | None] = json.loads(line.removeprefix("noticed "))
            return found
    raise RuntimeError(f"{bug.name}: {done.stderr[-1500:]}")


def main() -> int:
    """Inject each bug and say who noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", nargs="*", default=[])
    parser.add_argument("--suites", default=",".join(SUITES))
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer programs")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    suites = options.suites.split(",")
    if options.child is not None:
        _child(options.child, suites, every=options.every, quick=options.quick)
        return 0
    begin = time.monotonic()
    chosen = [bug for bug in BUGS if not options.names or bug.name.startswith(tuple(options.names))]
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:

        def one(bug: Bug) -> dict[str, str | None]:
            return examine(bug, suites, every=options.every, quick=options.quick)

        for bug, noticed in zip((NO_BUG, *chosen), pool.map(one, (NO_BUG, *chosen)), strict=True):
            by = [suite for suite, what in noticed.items() if what is not None]
            if bug is NO_BUG:
                print(f"without a bug: {noticed}" if by else "without a bug: nothing", flush=True)
                missed += bool(by)
                continue
            verdict = f"caught by {', '.join(by)}" if by else "MISSED"
            like = f" (classes {', '.join(map(str, bug.like))})" if bug.like else ""
            shown = next((what for what in noticed.values() if what is not None), "")
            print(f"{verdict:20} {bug.module}: {bug.name}{like}\n{'':20} {shown}", flush=True)
            missed += not by
    print(f"{len(chosen)} bugs, {missed} missed, {time.monotonic() - begin:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
