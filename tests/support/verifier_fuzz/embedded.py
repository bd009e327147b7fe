"""Blocks of programs for state embedding, and for pruning: it must not change a verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from verifier_fuzz.campaign import program
from verifier_fuzz.embedding import follow
from verifier_fuzz.lanes import Violation

KINDS: Final = {"bounds": 35, "values": 45, "budget": 10, "callbacks": 10}
"""The generators whose programs the machine can run, and their share in per cent."""
_MUTATED_PERCENT: Final = 5


@dataclass
class Tally:
    """``counts`` of programs, runs and comparisons; what was violated, in words."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in another tally."""
        self.counts += other.counts
        self.violations += other.violations


def block(kind: str, seeds: range, *, count: int = 256) -> Tally:
    """Explore each program without and with pruning, ``count`` runs along."""
    tally = Tally()
    for seed in seeds:
        spec = program(kind, seed, _MUTATED_PERCENT)
        verdicts = []
        for prune in (False, True):
            try:
                found = follow(spec, seed, count=count, prune=prune)
            except Violation as violation:
                how = "pruned" if prune else "unpruned"
                tally.violations.append(f"{kind} {seed}, {how}: {violation}")
                break
            verdicts.append(found.verdict)
            tally.counts["comparisons"] += found.checked
            tally.counts["runs, pruned" if prune else "runs"] += found.runs
            if found.verdict == "accepted" and not prune:
                tally.counts["runs of accepted programs"] += found.runs
        tally.counts["programs"] += 1
        if len(verdicts) < 2:
            continue
        if "too-complex" in verdicts:
            tally.counts["too complex without pruning, or at all"] += 1
            continue
        plain, pruned = (one == "accepted" for one in verdicts)
        tally.counts["accepted" if plain else "refused"] += 1
        if plain != pruned:
            tally.violations.append(f"{kind} {seed}: {verdicts[0]}, with pruning {verdicts[1]}")
    return tally
