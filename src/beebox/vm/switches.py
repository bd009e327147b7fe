"""Switches found again: a tree of comparisons of one register with constants is one ``switch``.

Compilers lower a dense ``switch`` for BPF to a search tree, for want of jump tables. LLVM makes a
table of it again once the tree is gone, but does not see through ordered comparisons by itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from beebox.isa import semantics
from beebox.isa.instruction import Jump, JumpIf, Reg
from beebox.tables.opcodes import JmpOp
from beebox.verifier.result import VerifiedProgram

MIN_COMPARISONS: Final = 5
MAX_COMPARISONS: Final = 256
MAX_CASES: Final = 1024


@dataclass(frozen=True, slots=True)
class Switch:
    """Values (unsigned) with their target pcs; every other value goes to ``default``."""

    cases: tuple[tuple[int, int], ...]
    default: int
    comparisons: frozenset[int]  # the pcs that it replaces, as far as only it leads there


def recover(verified: VerifiedProgram, root: int) -> Switch | None:
    """The switch that starts with the comparison at ``root``, if it is one worth having."""
    tree = _Tree(verified, root)
    if len(tree.nodes) < MIN_COMPARISONS:
        return None
    targets: Counter[int] = Counter()
    ranges = []
    for low, high in pairwise(tree.boundaries()):  # all values in [low, high) go one way
        target = tree.target(low)
        if target is None:
            return None
        targets[target] += high - low
        ranges.append((low, high, target))
    default, covered = targets.most_common(1)[0]
    if not 0 < (1 << tree.bits) - covered <= MAX_CASES:
        return None
    cases = [
        (value, target)
        for low, high, target in ranges
        if target != default
        for value in range(low, high)
    ]
    return Switch(tuple(cases), default, frozenset(tree.nodes))


class _Tree:
    """All comparisons reached from the root with nothing but jumps between them."""

    def __init__(self, verified: VerifiedProgram, root: int) -> None:
        self._verified = verified
        self._slots = verified.spec.slots
        first = self._slots[root]
        assert isinstance(first, JumpIf)
        self._first = first
        self._root = root
        self.bits = 64 if first.wide else 32
        self.nodes: dict[int, tuple[JumpIf, int]] = {}  # pc -> comparison, its constant
        pending = [root]
        while pending and len(self.nodes) < MAX_COMPARISONS:
            pc = self._landing(pending.pop())
            node = self._comparison(pc)
            if node is not None and pc not in self.nodes:
                self.nodes[pc] = node
                pending += [pc + 1, pc + 1 + node[0].offset]

    def _comparison(self, pc: int) -> tuple[JumpIf, int] | None:
        insn = self._slots[pc]
        if not isinstance(insn, JumpIf) or isinstance(insn.src, Reg) or insn.op is JmpOp.SET:
            return None
        if (insn.dst, insn.wide) != (self._first.dst, self._first.wide):
            return None
        if self._verified.edges.get(pc, 3) != 3 or self._verified.regs[pc] is None:
            return None
        return insn, insn.src & ((1 << self.bits) - 1)

    def _landing(self, pc: int) -> int:
        """Where ``pc`` leads through unconditional jumps."""
        for _ in range(8):
            insn = self._slots[pc]
            if not isinstance(insn, Jump):
                break
            pc += 1 + insn.offset
        return pc

    def boundaries(self) -> list[int]:
        """Values between which no comparison changes its result, from 0 to 1 << bits."""
        end = 1 << self.bits
        points = {0, end >> 1, end}
        for _, constant in self.nodes.values():
            points |= {constant, constant + 1}
        return sorted(points)

    def target(self, value: int) -> int | None:
        """The pc behind the tree for ``value``."""
        pc = self._root
        for _ in range(len(self.nodes) + 1):
            pc = self._landing(pc)
            node = self.nodes.get(pc)
            if node is None:
                return pc
            insn, constant = node
            taken = semantics.compare(insn.op, value, constant, self.bits)
            pc += 1 + (insn.offset if taken else 0)
        return None
