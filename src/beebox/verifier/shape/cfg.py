"""The program's shape, before any value is known: functions, jumps, reachability, liveness.

Refuses what Linux's ``check_subprogs``/``check_cfg`` refuse. What follows may then rely on every
jump staying inside its function and landing on an instruction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from beebox.btf.core_access import essential_name
from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    Instruction,
    Jump,
    JumpIf,
    KfuncRef,
    Load,
    LoadImm64,
    LoadPacket,
    MayGoto,
    PseudoImm64,
    Reg,
    Store,
    Swap,
)
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPERS, ArgKind
from beebox.tables.kfuncs import KFUNCS, Kfunc, KfuncFlags
from beebox.tables.limits import MAX_INSNS, MAX_SUBPROGRAMS
from beebox.tables.opcodes import AluOp, AtomicOp, Mode
from beebox.verifier.fields.exception_callback import callback
from beebox.verifier.findings import Refusal

_CALLER_SAVED = 0b111111  # R0-R5
_ARGUMENTS = 0b111110  # R1-R5
_ALL = (1 << 10) - 1  # R0-R9
_CALLING_BACK = frozenset(
    row.id for row in HELPERS.values() if any(arg.kind is ArgKind.FUNC for arg in row.args)
)
_MOVES: Final = frozenset({AluOp.MOV, AluOp.MOVSX8, AluOp.MOVSX16, AluOp.MOVSX32})
_ORDERS_TREE = "bpf_rbtree_add_impl"
_TAKES_FUNCTION = frozenset(
    {
        _ORDERS_TREE,
        "bpf_wq_set_callback_impl",
        "bpf_task_work_schedule_signal_impl",
        "bpf_task_work_schedule_resume_impl",
    }
)
"""Kernel functions that call a function of the program, or have it called later."""
_PSEUDO_FUNC = 4  # BPF_PSEUDO_FUNC: the address of a function of the program


@dataclass(frozen=True, slots=True)
class Shape:
    """``starts``: first pc of each function. ``prune``: pcs where states are compared.

    ``calls[i]``: the indices of the functions that function ``i`` calls, or whose address it takes;
    ``direct[i]``: those that it calls itself. ``live[pc]``: the bit set of registers whose value
    may still be read; ``live_numbers[pc]``: those of R0-R9, as numbers.
    """

    starts: tuple[int, ...]
    live: tuple[int, ...]
    live_numbers: tuple[tuple[int, ...], ...]
    prune: frozenset[int]
    calls: tuple[frozenset[int], ...]
    direct: tuple[frozenset[int], ...]

    def function_of(self, pc: int) -> int:
        """The index in ``starts`` of the function that ``pc`` belongs to."""
        low, high = 0, len(self.starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.starts[middle] <= pc else (low, middle)
        return low


def shape(spec: ProgramSpec) -> Shape:
    """Check and measure the program's control flow. Raises :exc:`Refusal`."""
    slots = spec.slots
    if not 0 < len(slots) <= MAX_INSNS:
        raise Refusal("program-size", 0, f"{len(slots)} instructions; 1 to {MAX_INSNS} are allowed")
    starts = _function_starts(slots)
    by_kernel = callback(spec)
    if by_kernel is not None and by_kernel not in starts:
        starts = tuple(sorted((*starts, by_kernel)))
    ends = (*starts[1:], len(slots))
    for start, end in zip(starts, ends, strict=True):
        _check_jumps(slots, start, end)
    steps = tuple(successors(slots, pc) for pc in range(len(slots)))
    _check_reachable(slots, steps, starts, spec)
    called = tuple(
        frozenset(starts.index(pc + 1 + target) for pc, target in _calls(slots, start, end))
        for start, end in zip(starts, ends, strict=True)
    )
    direct = tuple(
        frozenset(
            starts.index(pc + 1 + insn.target)
            for pc, insn in enumerate(slots[start:end], start)
            if isinstance(insn, Call)
            and insn.kind is CallKind.SUBPROG
            and isinstance(insn.target, int)
        )
        for start, end in zip(starts, ends, strict=True)
    )
    live = _liveness(slots, steps)
    numbers = {
        bits: tuple(number for number in range(10) if bits >> number & 1) for bits in set(live)
    }
    listed = tuple(numbers[bits] for bits in live)
    return Shape(starts, live, listed, _prune_points(slots), called, direct)


def successors(slots: tuple[Instruction | None, ...], pc: int) -> tuple[int, ...]:
    """Where control may go inside the function; the fall-through comes first."""
    insn = slots[pc]
    match insn:
        case Jump(offset):
            return (pc + 1 + offset,)
        case JumpIf(_, _, _, offset) | MayGoto(offset):
            return (pc + 1, pc + 1 + offset)
        case Exit():
            return ()
        case LoadImm64():
            return (pc + 2,)
        case _:
            return (pc + 1,)


def _function_starts(slots: tuple[Instruction | None, ...]) -> tuple[int, ...]:
    starts = {0}
    for pc, insn in enumerate(slots):
        if isinstance(insn, Call) and insn.kind is CallKind.SUBPROG:
            if not isinstance(insn.target, int):
                raise Refusal("not-supported", pc, f"call of {insn.target!r} is not linked")
            target = pc + 1 + insn.target
            if not 0 <= target < len(slots) or slots[target] is None:
                raise Refusal(
                    "jump-range", pc, f"call to insn {target}, which does not exist",
                    kernel=f"call to invalid destination {target}",
                )  # fmt: skip
            starts.add(target)
        elif isinstance(insn, LoadImm64) and (address := function_address(pc, insn)) is not None:
            if not 0 <= address < len(slots) or slots[address] is None:
                raise Refusal(
                    "jump-range", pc, f"the address of insn {address}, which does not exist",
                    kernel=f"call to invalid destination {address}",
                )  # fmt: skip
            starts.add(address)
    if len(starts) > MAX_SUBPROGRAMS:
        raise Refusal(
            "program-size", 0, f"{len(starts)} functions; at most {MAX_SUBPROGRAMS} are allowed",
            kernel="too many subprograms",
        )  # fmt: skip
    return tuple(sorted(starts))


def function_address(pc: int, insn: LoadImm64) -> int | None:
    """Where the function begins whose address is loaded; None for other immediates."""
    match insn.value:
        case PseudoImm64(pseudo, distance) if pseudo == _PSEUDO_FUNC:
            return pc + 1 + distance
        case _:
            return None


def _calls(
    slots: tuple[Instruction | None, ...], start: int, end: int
) -> Iterator[tuple[int, int]]:
    """``(pc, distance)`` of each call of a subprogram, and of each address of one."""
    for pc in range(start, end):
        match slots[pc]:
            case Call(CallKind.SUBPROG, int(target)):
                yield pc, target
            case LoadImm64(value=PseudoImm64(pseudo, distance)) if pseudo == _PSEUDO_FUNC:
                yield pc, distance
            case _:
                pass


def _check_jumps(slots: tuple[Instruction | None, ...], start: int, end: int) -> None:
    for pc in range(start, end):
        insn = slots[pc]
        if not isinstance(insn, Jump | JumpIf | MayGoto):
            continue
        target = pc + 1 + insn.offset
        if not start <= target < end:
            raise Refusal(
                "jump-range", pc, f"the jump leaves its function (insns {start} to {end - 1})",
                kernel=f"jump out of range from insn {pc} to {target}",
            )  # fmt: skip
        if slots[target] is None:
            raise Refusal(
                "jump-range", pc, "the jump lands in the middle of a 16-byte instruction",
                kernel="jump into the middle of ldimm64 insn",
            )  # fmt: skip
    last = end - 1 if slots[end - 1] is not None else end - 2
    if not isinstance(slots[last], Exit | Jump):
        raise Refusal(
            "fall-through", last, "the function's last instruction is neither exit nor a jump",
            kernel="last insn is not an exit or jmp",
        )  # fmt: skip


def _check_reachable(
    slots: tuple[Instruction | None, ...],
    steps: tuple[tuple[int, ...], ...],
    starts: tuple[int, ...],
    spec: ProgramSpec,
) -> None:
    seen = bytearray(len(slots) + 2)
    work = list(starts)
    while work:
        pc = work.pop()
        if not seen[pc]:
            seen[pc] = 1
            work.extend(steps[pc])
    for pc, insn in enumerate(slots):
        if insn is not None and not seen[pc]:
            names = {info.pc: info.name for info in spec.functions}
            if pc in names:  # linked for its address or its tag: the kernel calls it
                problem = f"{names[pc]} is a callback, which is not verified yet"
                raise Refusal("not-supported", pc, problem)
            raise Refusal(
                "unreachable", pc, "no path leads to this instruction",
                kernel=f"unreachable insn {pc}",
            )  # fmt: skip


def registers(insn: Instruction) -> tuple[int, int]:
    """Bit sets of the registers that ``insn`` reads and writes."""
    match insn:
        case Alu(op, dst, src):
            reads = 1 << src if isinstance(src, Reg) else 0
            return reads | (0 if op in _MOVES else 1 << dst), 1 << dst
        case Swap(_, _, dst):
            return 1 << dst, 1 << dst
        case AddrSpaceCast(dst, src):
            return 1 << src, 1 << dst
        case LoadImm64(dst):
            return 0, 1 << dst
        case Load(dst, src):
            return 1 << src, 1 << dst
        case LoadPacket(mode, _, src):
            return (1 << src if mode is Mode.IND else 0) | 1 << 6, _CALLER_SAVED
        case Store(dst, _, src):
            return 1 << dst | (1 << src if isinstance(src, Reg) else 0), 0
        case Atomic(op, dst, _, src):
            if op is AtomicOp.CMPXCHG:
                return 1 << dst | 1 << src | 1, 1
            if op.name == "LOAD_ACQUIRE":
                return 1 << src, 1 << dst
            return 1 << dst | 1 << src, 1 << src if op.value.fetch else 0
        case JumpIf(_, dst, src):
            return 1 << dst | (1 << src if isinstance(src, Reg) else 0), 0
        case Call(CallKind.HELPER, int(target)) if target in HELPERS:
            row = HELPERS[target]
            return _ARGUMENTS if row.variadic else (2 << len(row.args)) - 2, _CALLER_SAVED
        case Call():
            kfunc = kernel_function(insn)
            if kfunc is not None and kfunc.args is not None:
                return (2 << len(kfunc.args)) - 2, _CALLER_SAVED
            return _ARGUMENTS, _CALLER_SAVED
        case Exit():
            return 1, 0
        case Jump() | MayGoto():
            return 0, 0


def kernel_function(insn: Instruction | None) -> Kfunc | None:
    """The row of the kernel function that the instruction calls, if it calls a known one."""
    if isinstance(insn, Call) and isinstance(insn.target, KfuncRef):
        return KFUNCS.get(essential_name(insn.target.name))
    return None


def orders_tree(insn: Instruction | None) -> bool:
    """Whether the instruction puts a node into a tree, and so calls the function that orders it."""
    row = kernel_function(insn)
    return row is not None and row.name == _ORDERS_TREE


def throws(insn: Instruction | None) -> bool:
    """Whether the instruction calls ``bpf_throw``: nothing comes after it."""
    row = kernel_function(insn)
    return row is not None and row.name == "bpf_throw"


def asks_iterator(insn: Instruction | None) -> bool:
    """Whether the instruction calls an open-coded iterator's ``next``: there loops converge."""
    row = kernel_function(insn)
    return row is not None and bool(row.flags & KfuncFlags.ITER_NEXT)


def _as_counted(insn: Instruction) -> tuple[int, int]:
    """Bit sets of the registers that Linux takes ``insn`` to read and write.

    Of a classic load it has no row: that counts as reading all of them, and writing none.
    """
    return (_ALL, 0) if isinstance(insn, LoadPacket) else registers(insn)


def _liveness(
    slots: tuple[Instruction | None, ...], steps: tuple[tuple[int, ...], ...]
) -> tuple[int, ...]:
    live = [0] * len(slots)
    back = any(target <= pc for pc, targets in enumerate(steps) for target in targets)
    effects = [_as_counted(insn) if insn is not None else (0, 0) for insn in slots]
    work = list(range(len(slots)))  # from the end on
    sources: list[list[int]] = []
    lowest = len(slots)
    while work:  # each time only adds bits: at most 11 per instruction
        pc = work.pop()
        lowest = min(lowest, pc)
        after = 0
        for target in steps[pc]:
            after |= live[target]
        reads, writes = effects[pc]
        before = reads | (after & ~writes)
        if before == live[pc]:
            continue
        live[pc] = before
        if back:  # without jumps back, what leads here comes later
            sources = sources or sources_of(steps)
            work += [source for source in sources[pc] if source >= lowest]
    return tuple(bits | 1 << 10 for bits in live)


def sources_of(steps: Sequence[Sequence[int]]) -> list[list[int]]:
    """By place, the places that lead to it: ``steps`` the other way round."""
    sources: list[list[int]] = [[] for _ in steps]
    for place, targets in enumerate(steps):
        for target in targets:
            sources[target].append(place)
    return sources


def _prune_points(slots: tuple[Instruction | None, ...]) -> frozenset[int]:
    points: set[int] = set()
    for pc, insn in enumerate(slots):
        match insn:
            case JumpIf(_, _, _, offset) | MayGoto(offset):
                points |= {pc, pc + 1 + offset}
            case Jump(offset):
                points.add(pc + 1 + offset)
            case Call(CallKind.SUBPROG, int(target)):
                points |= {pc, pc + 1, pc + 1 + target}
            case Call():
                points.add(pc + 1)
                if insn.kind is CallKind.HELPER and insn.target in _CALLING_BACK:
                    points.add(pc)
                row = kernel_function(insn)
                if asks_iterator(insn) or (row is not None and row.name in _TAKES_FUNCTION):
                    points.add(pc)
            case LoadImm64(value=PseudoImm64(pseudo, distance)) if pseudo == _PSEUDO_FUNC:
                points |= {pc, pc + 2, pc + 1 + distance}
            case _:
                pass
    return frozenset(points)


def function_ranges(shape_: Shape, length: int) -> tuple[tuple[int, int], ...]:
    """``(start, end)`` of every function."""
    return tuple(pairwise((*shape_.starts, length)))
