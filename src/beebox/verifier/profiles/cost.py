"""What one run may cost at most: instructions executed, calls weighted, for the profile strict.

:class:`Meter` watches the exploration and keeps its graph: from checkpoint to checkpoint, and from
a path that was pruned to the checkpoint that covers it, with the cost of the way between. The
longest way through it bounds every run, since every run is a path of it. Where it goes in circles
(calls back, ``may_goto``, iterators) the circle counts as often as the program may go round; so
circles in circles multiply (:mod:`beebox.verifier.profiles.longest`).
"""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import Call, CallKind, Instruction, LoadPacket, MayGoto
from beebox.tables import costs
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS, ArgKind
from beebox.tables.limits import MAX_LOOPS
from beebox.verifier.cfg import Shape, kernel_function
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.profiles.longest import Edge, Graph, UnboundedError
from beebox.verifier.prune import Pruner
from beebox.verifier.result import RegKind
from beebox.verifier.state import Checkpoint, State

_LOOP: Final = HELPER_BY_NAME["loop"].id
_FOR_EACH: Final = HELPER_BY_NAME["for_each_map_elem"].id
_DRAIN: Final = HELPER_BY_NAME["user_ringbuf_drain"].id
_FIND_VMA: Final = HELPER_BY_NAME["find_vma"].id
_TREE_ADD: Final = "bpf_rbtree_add_impl"
_SIZES: Final = (ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO)


class Meter:
    """An observer of one exploration. ``bound`` is what :meth:`check` found."""

    __slots__ = (
        "_before",
        "_calls",
        "_ended",
        "_functions",
        "_graph",
        "_node",
        "_numbers",
        "_parent",
        "_pruner",
        "_saved",
        "_shape",
        "_spent",
        "bound",
    )

    def __init__(self, shape: Shape, functions: frozenset[int], pruner: Pruner) -> None:
        self._shape = shape
        self._pruner = pruner
        self._functions = functions  # the global ones, which are explored by themselves
        self._graph = Graph()
        self._saved: dict[State, tuple[int, int, tuple[int, ...]]] = {}
        self._node = 0  # where the way that is followed began, and what it cost since
        self._parent: Checkpoint | None = None
        self._spent = 0
        self._before = 0  # ... without the instruction arrived at last
        self._calls: tuple[int, ...] = ()  # global functions called on it
        self._ended = True
        self._numbers = 0  # rounds of the longest bpf_iter_num
        self.bound: int | None = None

    def entered(self, path: Path, state: State) -> None:
        """A path is begun or taken up again."""
        self._close()
        self._ended = False
        saved = self._saved.pop(state, None)
        if saved is None:
            function = state.frames[0].function
            self._node, self._spent, self._calls = self._graph.root(function), 0, ()
        else:
            self._node, self._spent, self._calls = saved
        self._before = self._spent
        self._parent = path.state.parent

    def arrive(self, path: Path, pc: int) -> None:
        """The path is about to execute ``pc``."""
        self._settle(path)
        insn = path.spec.slots[pc]
        self._before = self._spent
        self._spent += costs.INSN
        if isinstance(insn, Call):
            self._call(path, pc, insn)
        elif isinstance(insn, MayGoto):
            self._graph.rounds(pc, MAX_LOOPS, shared=True)
        elif isinstance(insn, LoadPacket):
            self._spent += costs.HELPER

    def pruned(self, path: Path, pc: int) -> None:  # noqa: ARG002 -- the observer's signature
        """What the path may cost from here is what it costs from the state that covers it."""
        covering = self._pruner.covering
        target = covering.node if covering is not None else 0
        self._graph.add(self._node, Edge(self._before, target, self._calls))
        self._ended = True

    def pushed(self, path: Path, other: State) -> None:
        """Another path is put aside: it goes on from where this one is."""
        self._settle(path)
        self._saved[other] = (self._node, self._spent, self._calls)

    def ended(self, path: Path, pc: int) -> None:  # noqa: ARG002 -- the observer's signature
        """The path reached the program's end."""
        self._settle(path)
        self._close()

    def check(self, limit: int) -> None:
        """Find the most that a run may cost. Raises :exc:`Refusal` where that is too much."""
        self._close()
        try:
            found = self.bound = self._graph.longest(0)
        except UnboundedError as unbounded:
            raise Refusal(
                "cost-bound", unbounded.pc,
                "nothing says how often this loop goes round, so its cost has no bound",
            ) from None  # fmt: skip
        if found > limit:
            raise Refusal(
                "cost-bound", 0, f"one run may cost up to {found} instructions; {limit} are allowed"
            )

    def _settle(self, path: Path) -> None:
        """Whether a checkpoint was made where the path arrived last: a new node."""
        parent = path.state.parent
        if parent is self._parent or parent is None:
            return
        self._parent = parent
        parent.node = self._graph.node(parent.pc, len(parent.frames) - 1)
        self._graph.add(self._node, Edge(self._before, parent.node, self._calls))
        self._node = parent.node
        self._spent -= self._before
        self._before = 0
        self._calls = ()

    def _close(self) -> None:
        if not self._ended:
            self._graph.add(self._node, Edge(self._spent, None, self._calls))
            self._ended = True

    def _call(self, path: Path, pc: int, insn: Call) -> None:
        match insn.kind:
            case CallKind.SUBPROG:
                if isinstance(insn.target, int):
                    callee = self._shape.function_of(pc + 1 + insn.target)
                    if callee in self._functions:
                        self._calls = (*self._calls, callee)
            case CallKind.HELPER:
                self._helper(path, pc, insn)
            case CallKind.KFUNC:
                self._spent += costs.KFUNC
                self._kfunc(path, pc, insn)

    def _helper(self, path: Path, pc: int, insn: Call) -> None:
        row = HELPERS.get(insn.target) if isinstance(insn.target, int) else None
        if row is None:
            return
        self._spent += costs.HELPERS.get(row.name, costs.HELPER)
        regs = path.regs
        for number, arg in enumerate(row.args, 1):
            size = regs[number] if arg.kind in _SIZES else None
            if size is not None and size.kind is RegKind.SCALAR:
                self._spent += size.scalar.umax // costs.BYTES_PER_INSN
        first = regs[1]
        if insn.target == _LOOP:
            asked = first.scalar.umax if first is not None and first.kind is RegKind.SCALAR else 0
            self._graph.rounds(pc, min(asked, MAX_LOOPS))
        elif insn.target == _FOR_EACH:
            known = first is not None and first.kind is RegKind.MAP
            entries = path.map_spec(first.map).max_entries if first is not None and known else 0
            self._graph.rounds(pc, entries)
        elif insn.target == _DRAIN:
            self._graph.rounds(pc, costs.MOST_SAMPLES)
        elif insn.target == _FIND_VMA:
            self._graph.rounds(pc, 1)

    def _kfunc(self, path: Path, pc: int, insn: Call) -> None:
        match name_of(insn):
            case "bpf_iter_num_new":
                start, end = path.regs[2], path.regs[3]
                rounds = MAX_LOOPS
                if start is not None and end is not None:
                    rounds = min(MAX_LOOPS, end.scalar.s32_max - start.scalar.s32_min)
                self._numbers = max(self._numbers, rounds)
            case "bpf_iter_num_next":
                self._graph.rounds(pc, self._numbers)
            case "bpf_iter_bits_next":
                self._graph.rounds(pc, costs.MOST_BITS)
            case name if name == _TREE_ADD:
                self._graph.rounds(pc, costs.MOST_TREE_DEPTH)
            case _:
                pass


def name_of(insn: Instruction) -> str:
    """The kernel function that is called."""
    row = kernel_function(insn)
    return row.name if row is not None else ""
