"""Blocks of random programs: our verdict beside Linux's, counted; disagreements minimised.

Everything is decided by (kind, seed, share of mutated programs), so a block can be done anywhere
and again. Disagreements are of two sorts: *lax*, where we accept what Linux refuses, and *strict*.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from typing import Any, Final, Self

import verifier_bounds
import verifier_callbacks
import verifier_calls
import verifier_dynptrs
import verifier_kfuncs
import verifier_oracle
import verifier_values

from beebox.errors import SyscallError
from beebox.linux.load import Verdict
from beebox.obj.model import ExternSpec, MapSpec, ProgramSpec
from beebox.obj.targets.host import host
from beebox.verifier.findings import Refusal
from beebox.verifier.options import DEFAULT, Options
from beebox.verifier.path import Path
from beebox.verifier.result import Report
from beebox.verifier.states.state import State
from beebox.verifier.verify import verify
from verifier_fuzz import coverage, known, reasons
from verifier_fuzz.minimise import minimised
from verifier_fuzz.mutations import mutated

MOST_INSNS: Final = 10_000
"""How many instructions we process before a program counts as having no verdict."""
_COVERAGE_STEP: Final = 16  # of how many programs one is looked at instruction by instruction
_MOST_MINIMISED: Final = 3  # of a block
_COUNTERS: Final = ("counts", "codes", "lines", "seen")
_NO_VERDICT: Final = ("not-supported", "too-complex")


@dataclass(frozen=True)
class Kind:
    """A generator, the maps of its programs, and its share of a campaign, in per cent."""

    program: Callable[[int], ProgramSpec]
    maps: Mapping[str, MapSpec]
    share: int
    mutated_percent: int = 10  # to begin with
    kernel_types: bool = False  # calls functions of the running kernel


def _dynptrs(seed: int) -> ProgramSpec:
    return verifier_dynptrs.random_program(seed, _externs())


@cache
def _externs() -> dict[str, ExternSpec]:
    return verifier_dynptrs.kfunc_externs()


def _iterators(seed: int) -> ProgramSpec:
    kernel = host().btf
    assert kernel is not None
    return verifier_kfuncs.iterator_program(kernel, seed)


KINDS: Final = {
    "values": Kind(verifier_values.program, verifier_values.MAPS, 30),
    "bounds": Kind(verifier_bounds.program, verifier_bounds.MAPS, 16),
    "budget": Kind(partial(verifier_values.program, budget=True), verifier_values.MAPS, 8),
    "calls": Kind(verifier_calls.program, verifier_calls.MAPS, 18),
    "types": Kind(verifier_calls.other_program, verifier_calls.MAPS, 15),
    "callbacks": Kind(verifier_callbacks.random_program, verifier_callbacks.MAPS, 4, 50),
    "dynptrs": Kind(_dynptrs, verifier_dynptrs.MAPS, 6, 0, kernel_types=True),
    "iterators": Kind(_iterators, verifier_kfuncs.MAPS, 1, 50, kernel_types=True),
}
OFFLINE: Final = tuple(kind for kind, row in KINDS.items() if not row.kernel_types)
"""The kinds that need no running Linux."""


def program(kind: str, seed: int, mutated_percent: int) -> ProgramSpec:
    """The program that a campaign draws."""
    spec = KINDS[kind].program(seed)
    if random.Random(seed).random() * 100 < mutated_percent:
        return mutated(spec, seed)
    return spec


class Limit:
    """Ends a verification that takes too long; an observer."""

    def __init__(self, insns: int = MOST_INSNS) -> None:
        self.left = insns

    def arrive(self, _path: Path, pc: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise Refusal("too-complex", pc, "enough for a fuzzer")

    def pruned(self, path: Path, pc: int) -> None: ...
    def pushed(self, path: Path, other: State) -> None: ...
    def entered(self, path: Path, state: State) -> None: ...
    def ended(self, path: Path, pc: int) -> None: ...


def verdict(spec: ProgramSpec) -> Report:
    """Ours, within the fuzzer's limit."""
    options = Options(target=host()) if spec.externs else DEFAULT
    return verify(spec, options, observer=Limit())


def code_of(report: Report) -> str:
    """``accepted``, or the finding's code."""
    return "accepted" if report.accepted else report.findings[0].code


@dataclass
class Disagreement:
    """One program on which the verdicts differ, and the smallest that was made of it."""

    kind: str
    seed: int
    mutated_percent: int
    sort: str  # lax, strict or internal
    ours: str
    reason: str
    line: str  # Linux's last, without numbers
    text: str = ""


@dataclass
class Tally:
    """What came of some blocks. Sums of tallies are tallies."""

    counts: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    found: list[Disagreement] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in another tally."""
        self.counts += other.counts
        self.codes += other.codes
        self.lines += other.lines
        self.seen += other.seen
        self.found += other.found

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        counters = {name: dict(getattr(self, name)) for name in _COUNTERS}
        return {**counters, "found": [asdict(row) for row in self.found]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """From JSON."""
        found = [Disagreement(**row) for row in data["found"]]
        return cls(*(Counter(data[name]) for name in _COUNTERS), found)

    @property
    def compared(self) -> int:
        """Programs with two verdicts."""
        known_ones = sum(self.counts[name] for name in self.counts if name.startswith("known: "))
        return known_ones + sum(
            self.counts[name] for name in ("both accept", "both refuse", "lax", "strict")
        )


class Comparison:
    """One process's part of a campaign. A context manager: it holds the kernel's maps."""

    def __init__(self) -> None:
        self._oracles: dict[int, verifier_oracle.Oracle] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for oracle in self._oracles.values():
            oracle.__exit__()

    def _oracle(self, kind: str) -> verifier_oracle.Oracle:
        maps = KINDS[kind].maps
        if id(maps) not in self._oracles:
            self._oracles[id(maps)] = verifier_oracle.Oracle(maps).__enter__()
        return self._oracles[id(maps)]

    def block(
        self, kind: str, seeds: range, mutated_percent: int, *, minimise: bool = True
    ) -> Tally:
        """Compare the programs of ``seeds``."""
        tally = Tally()
        oracle = self._oracle(kind)
        for seed in seeds:
            spec = program(kind, seed, mutated_percent)
            found = _compare(spec, oracle, tally, looked_at=seed % _COVERAGE_STEP == 0)
            if found is not None:
                sort, ours, theirs = found
                line = reasons.last_line(theirs.log) if theirs else ""
                why = reasons.reason(theirs.log).value if theirs and not theirs.accepted else ""
                row = Disagreement(
                    kind, seed, mutated_percent, sort, code_of(ours), why, reasons.shape_of(line)
                )
                if minimise and len(tally.found) < _MOST_MINIMISED:
                    row.text = _smallest(spec, oracle, row)
                tally.found.append(row)
        return tally


def _compare(
    spec: ProgramSpec, oracle: verifier_oracle.Oracle, tally: Tally, *, looked_at: bool
) -> tuple[str, Report, Verdict | None] | None:
    ours = verdict(spec)
    code = code_of(ours)
    tally.counts["programs"] += 1
    tally.codes[code] += 1
    if looked_at:
        tally.seen.update(coverage.features(spec, ours))
        tally.seen["programs looked at"] += 1
    if code in _NO_VERDICT:
        tally.counts[f"no verdict: {code}"] += 1
        return None
    if code == "internal":
        tally.counts["internal"] += 1
        return "internal", ours, None
    try:
        theirs = oracle.verdict(spec)
    except SyscallError as error:
        tally.counts[f"linux has no verdict: {error.errno}"] += 1
        return None
    if "verifier bug" in theirs.log:
        tally.counts["linux has a bug"] += 1
        return None
    if "func_info" in theirs.log or "func info" in theirs.log:
        tally.counts["not a program: mutated functions"] += 1
        return None
    if not theirs.accepted:
        tally.lines[reasons.shape_of(reasons.last_line(theirs.log))] += 1
    if ours.accepted == theirs.accepted:
        tally.counts["both accept" if ours.accepted else "both refuse"] += 1
        if ours.accepted:
            same = ours.insns_processed == theirs.insns_processed
            tally.counts["the same number processed"] += same
        return None
    theirs = oracle.verdict(spec, log_level=7)  # the short log has not all of it
    if "verifier bug" in theirs.log:
        tally.counts["linux has a bug"] += 1
        return None
    why = known.difference(spec, ours, lambda other: _agree(other, oracle))
    if why is not None:
        tally.counts[f"known: {why}"] += 1
        return None
    sort = "lax" if ours.accepted else "strict"
    tally.counts[sort] += 1
    return sort, ours, theirs


def _agree(spec: ProgramSpec, oracle: verifier_oracle.Oracle) -> bool:
    ours = verdict(spec)
    if code_of(ours) in _NO_VERDICT:
        return False
    theirs = oracle.verdict(spec, log_level=7)
    return ours.accepted == theirs.accepted or "verifier bug" in theirs.log


def _smallest(spec: ProgramSpec, oracle: verifier_oracle.Oracle, row: Disagreement) -> str:
    """The minimised program with both explanations."""

    def shows(candidate: ProgramSpec) -> bool:
        ours = verdict(candidate)
        if code_of(ours) != row.ours:
            return False
        if row.sort == "internal":
            return True
        theirs = oracle.verdict(candidate)
        if theirs.accepted == ours.accepted:
            return False
        if "verifier bug" in oracle.verdict(candidate, log_level=7).log:
            return False
        if known.difference(candidate, ours, lambda other: _agree(other, oracle)) is not None:
            return False
        return reasons.shape_of(reasons.last_line(theirs.log)) == row.line or theirs.accepted

    try:
        small = minimised(spec, shows)
        return verifier_oracle.describe(small, verdict(small), oracle.verdict(small, log_level=7))
    except SyscallError as error:
        return f"not minimised: {error}"
