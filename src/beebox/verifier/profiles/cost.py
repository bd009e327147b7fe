"""What one run may cost at most: instructions executed, calls weighted, for the profile strict.

:class:`Meter` watches the exploration and keeps its graph: from checkpoint to checkpoint, and from
a path that was pruned to the checkpoint that covers it, with the cost of the way between. The
longest way through it bounds every run, since every run is a path of it. Where it goes in circles
(calls back, ``may_goto``, iterators) the circle counts as often as the program may go round: each
round takes from a budget that is filled where the helper is called, the iterator made, the function
entered. So circles in circles multiply, and a circle that fills its budget again has no bound
(:mod:`beebox.verifier.profiles.longest`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from beebox.isa.instruction import Call, CallKind, Instruction, LoadPacket, MayGoto
from beebox.obj.model import ProgramSpec
from beebox.tables import costs
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS, ArgKind
from beebox.tables.limits import MAX_LOOPS
from beebox.tables.map_types import MapFlags, MapType
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.profiles.longest import Budget, Edge, Graph, UnboundedError
from beebox.verifier.pruning.prune import Pruner
from beebox.verifier.result import RegKind
from beebox.verifier.shape.cfg import Shape, asks_iterator, kernel_function, throws
from beebox.verifier.states.state import Checkpoint, State
from beebox.verifier.states.value import Reg

_LOOP: Final = HELPER_BY_NAME["loop"].id
_FOR_EACH: Final = HELPER_BY_NAME["for_each_map_elem"].id
_DRAIN: Final = HELPER_BY_NAME["user_ringbuf_drain"].id
_FIND_VMA: Final = HELPER_BY_NAME["find_vma"].id
_UPDATES: Final = ("map_update_elem", "sys_bpf")
_HASHES: Final = (
    MapType.HASH,
    MapType.LRU_HASH,
    MapType.PERCPU_HASH,
    MapType.LRU_PERCPU_HASH,
)
_TREE_ADD: Final = "bpf_rbtree_add_impl"
_BOUNDED_NEXT: Final = ("bpf_iter_num_next", "bpf_iter_bits_next")
_LATER: Final = -1  # less the function's number: the root of one that the kernel calls later
_NUMBERS: Final = "bpf_iter_num_new"
_NONE: Final[frozenset[Budget]] = frozenset()
_SIZES: Final = (ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO)


class Meter:
    """An observer of one exploration. ``bound`` is what :meth:`check` found."""

    __slots__ = (
        "_before",
        "_calls",
        "_counted",
        "_ended",
        "_fills",
        "_functions",
        "_graph",
        "_hashes",
        "_iterator",
        "_later",
        "_may_goto",
        "_nested",
        "_node",
        "_parent",
        "_pruner",
        "_saved",
        "_shape",
        "_spent",
        "_takes",
        "_updated",
        "bound",
    )

    def __init__(
        self, spec: ProgramSpec, shape: Shape, functions: frozenset[int], pruner: Pruner
    ) -> None:
        self._shape = shape
        self._pruner = pruner
        self._functions = functions  # the global ones, which are explored by themselves
        self._graph = Graph()
        self._may_goto = frozenset(
            shape.function_of(pc) for pc, insn in enumerate(spec.slots) if isinstance(insn, MayGoto)
        )
        # With maps of maps, one map may have two names.
        self._nested = any(row.inner is not None for row in spec.maps.values())
        self._saved: dict[State, _Way] = {}
        self._node = 0  # where the way that is followed began, and what it cost since
        self._parent: Checkpoint | None = None
        self._spent = 0
        self._before = 0  # ... without the instruction arrived at last
        self._calls: tuple[int, ...] = ()  # global functions called on it
        self._takes = self._fills = _NONE
        self._later: set[int] = set()  # roots of functions that the kernel calls later
        self._hashes: dict[int, str] = {}  # by call of for_each_map_elem, the map that it walks
        self._updated: set[str] = set()  # maps that global functions update; "": any
        self._iterator: Budget = None  # that the instruction arrived at last asks
        self._counted: tuple[Reg, ...] = ()  # numbers that bound an iterator just made
        self._ended = True
        self.bound: int | None = None

    def entered(self, path: Path, state: State) -> None:
        """A path is begun or taken up again."""
        self._close()
        self._ended = False
        saved = self._saved.pop(state, None)
        if saved is None:
            function = state.frames[0].function
            saved = _Way(self._graph.root(function), 0, (), _NONE, _NONE)
        self._node, self._spent, self._calls, self._takes, self._fills = saved
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
        elif isinstance(insn, LoadPacket):
            self._spent += costs.HELPER

    def pruned(self, path: Path, pc: int) -> None:  # noqa: ARG002 -- the observer's signature
        """What the path may cost from here is what it costs from the state that covers it."""
        covering = self._pruner.covering
        target = covering.node if covering is not None else 0
        self._leave(self._before, target)
        self._counted = ()
        self._ended = True

    def pushed(self, path: Path, other: State) -> None:
        """Another path is put aside: it goes on from where this one is."""
        self._settle(path)
        fills, frames = self._fills, other.frames
        if self._is_later(path, other):
            later = _LATER - frames[0].function
            self._later.add(later)
            self._saved[other] = _Way(self._graph.root(later), 0, (), _NONE, _NONE)
            return
        if len(frames) > len(path.state.frames):
            fills |= self._entered_function(frames[-1].function)
        takes = self._takes | self._taken(path, other)
        self._saved[other] = _Way(self._node, self._spent, self._calls, takes, fills)

    def ended(self, path: Path, pc: int) -> None:
        """The path reached the program's end."""
        self._settle(path)
        insn = path.spec.slots[pc]
        if insn is not None and throws(insn) and path.exception_callback > 0:
            self._calls = (*self._calls, path.exception_callback)
        self._close()

    def check(self, limit: int) -> None:
        """Find the most that a run may cost. Raises :exc:`Refusal` where that is too much."""
        self._close()
        for pc, walked in self._hashes.items():
            if self._updated and (self._nested or not self._updated.isdisjoint((walked, ""))):
                self._graph.endless(_RoundsOf(pc))
        try:
            found = self.bound = max(self._graph.longest(each) for each in (0, *self._later))
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
        for value in self._counted:
            path.precise(value)
        self._counted = ()
        parent = path.state.parent
        if parent is self._parent or parent is None:
            return
        self._parent = parent
        parent.node = self._graph.node(parent.pc)
        self._leave(self._before, parent.node)
        self._node = parent.node
        self._spent -= self._before
        self._before = 0
        self._calls = ()
        self._takes = self._fills = _NONE

    def _leave(self, cost: int, target: int | None) -> None:
        edge = Edge(cost, target, self._calls, self._takes, self._fills)
        self._graph.add(self._node, edge)

    def _close(self) -> None:
        if not self._ended:
            self._leave(self._spent, None)
            self._ended = True

    def _is_later(self, path: Path, other: State) -> bool:
        """Whether ``other`` is the start of a function that the kernel calls some time later."""
        frame = other.frames[0]
        return (
            frame.deferred > 0
            and len(other.frames) == 1
            and other.pc == self._shape.starts[frame.function]
            and isinstance(path.spec.slots[path.pc], Call)
        )

    def _entered_function(self, function: int) -> frozenset[Budget]:
        """Each call of a function has its own budget of ``may_goto``."""
        if function not in self._may_goto:
            return _NONE
        self._graph.budget(_MayGotoOf(function), costs.MOST_MAY_GOTO)
        return frozenset((_MayGotoOf(function),))

    def _taken(self, path: Path, other: State) -> frozenset[Budget]:
        """What it costs of a budget to go on as ``other``."""
        insn, state = path.spec.slots[path.pc], path.state
        if isinstance(insn, MayGoto):
            budget = _MayGotoOf(state.frames[-1].function)
            self._graph.budget(budget, costs.MOST_MAY_GOTO)
            return frozenset((budget,))
        if other.called_back > state.called_back:
            return frozenset((_RoundsOf(path.pc),))
        if insn is not None and asks_iterator(insn) and self._iterator is not None:
            return frozenset((self._iterator,))
        return _NONE

    def _call(self, path: Path, pc: int, insn: Call) -> None:
        match insn.kind:
            case CallKind.SUBPROG:
                if isinstance(insn.target, int):
                    callee = self._shape.function_of(pc + 1 + insn.target)
                    if callee in self._functions:
                        self._calls = (*self._calls, callee)
                    else:
                        self._fills |= self._entered_function(callee)
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
        if row.name in _UPDATES:
            self._update(path)
        most = self._most_rounds(path, insn, regs[1])
        if most is not None:
            self._called_back(path, pc, most)

    def _most_rounds(self, path: Path, insn: Call, first: Reg | None) -> int | None:
        """How often a helper calls back; None where it does not."""
        if insn.target == _LOOP:
            asked = first.scalar.umax if first is not None and first.kind is RegKind.SCALAR else 0
            return min(asked, MAX_LOOPS)
        if insn.target == _FOR_EACH:
            if first is None or first.kind is not RegKind.MAP:
                return 0
            walked = path.map_spec(first.map)
            exact = walked.type is MapType.ARRAY and not walked.flags & MapFlags.INNER_MAP
            if first.map not in path.spec.maps and not exact:
                self._graph.endless(_RoundsOf(path.pc))  # inner maps may be larger than they said
            if walked.type in _HASHES:
                self._hashes[path.pc] = first.map
            return walked.max_entries
        if insn.target == _DRAIN:
            return costs.MOST_SAMPLES
        return 1 if insn.target == _FIND_VMA else None

    def _update(self, path: Path) -> None:
        """An element may be set: never in the map that is walked, for then the walk may not end.

        The memory of the element to be walked to next may be taken for one in front of this one.
        """
        first, frames = path.regs[1], path.state.frames
        updated = first.map if first is not None and first.kind is RegKind.MAP else ""
        if frames[0].function in self._functions:
            self._updated.add(updated)
        for frame in frames:
            walked = self._hashes.get(frame.return_pc) if frame.callback else None
            if walked is not None and (not updated or walked == updated or self._nested):
                self._graph.endless(_RoundsOf(frame.return_pc))

    def _called_back(self, path: Path, pc: int, most: int) -> None:
        """Rounds of a helper's calls back, all of them to come where none was done yet."""
        self._graph.budget(_RoundsOf(pc), most)
        if not path.state.frames[-1].rounds:
            self._fills |= {_RoundsOf(pc)}

    def _kfunc(self, path: Path, pc: int, insn: Call) -> None:
        name = name_of(insn)
        if name == _TREE_ADD:
            self._called_back(path, pc, costs.MOST_TREE_DEPTH)
            return
        most = 0
        if name == _NUMBERS:
            start, end = path.regs[2], path.regs[3]
            most = MAX_LOOPS
            if start is not None and end is not None:
                most = max(0, min(most, end.scalar.s32_max - start.scalar.s32_min))
                self._counted = (start, end)
        elif name == "bpf_iter_bits_new":
            most = costs.MOST_BITS
        elif name not in _BOUNDED_NEXT:
            self._iterator = None
            return
        pointer = path.regs[1]
        if pointer is None or pointer.kind is not RegKind.STACK:
            return  # refused by who looks at arguments
        budget = _IteratorAt(path.state.frames[pointer.frame].function, pointer.off)
        if name in _BOUNDED_NEXT:
            self._iterator = budget
        else:
            self._graph.budget(budget, most)
            self._fills |= {budget}


@dataclass(frozen=True, slots=True)
class _MayGotoOf:
    """The budget of all ``may_goto`` of one call of a function."""

    function: int


@dataclass(frozen=True, slots=True)
class _RoundsOf:
    """The budget of calls back by the helper called at ``call_pc``."""

    call_pc: int


@dataclass(frozen=True, slots=True)
class _IteratorAt:
    """The budget of the iterator at ``offset`` of a function's frame."""

    owner: int
    offset: int


class _Way(NamedTuple):
    """How far a path came that is put aside: since which node, and as an edge has it."""

    node: int
    cost: int
    calls: tuple[int, ...]
    takes: frozenset[Budget]
    fills: frozenset[Budget]


def name_of(insn: Instruction) -> str:
    """The kernel function that is called."""
    row = kernel_function(insn)
    return row.name if row is not None else ""
