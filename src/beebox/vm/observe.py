"""What a run may be asked to write down: where its verdict came from, what it cost.

Native code with an :class:`Observe` other than NOTHING notes in the runtime block the instruction
that last set the program's result, and the one that last set a subprogram's; COSTS also counts
instructions and the executions of each block. One record per run goes to the arrays that the
runtime block names, as long as they have room. A tail call goes on in another program, which notes
into the same block: so every pc comes with the mark of its program, and counts of blocks lie with
the program that they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from beebox.isa.instruction import (
    Alu,
    Call,
    CallKind,
    Exit,
    Instruction,
    Jump,
    JumpIf,
    MayGoto,
    Reg,
    slot_count,
)
from beebox.tables.opcodes import AluOp
from beebox.verifier.result import SubprogramFact, VerifiedProgram
from beebox.verifier.shape.cfg import registers, successors
from beebox.vm.memory import PROGRAM, RUNTIME_FIELDS

# tail_call, redirect, redirect_map, redirect_neigh, redirect_peer
MARK: Final = "observed_mark"
BLOCKS: Final = "observed_blocks"
"""Imports of observing code: its mark as an address (:func:`mark_address`), and the u64 executions
per block, in the order of :func:`blocks`."""
MAX_MARK: Final = (1 << 12) - 2
_MARK_SHIFT: Final = 20  # pcs stay below 1,000,000

_STATEFUL: Final = frozenset({12, 23, 51, 152, 155})


class Observe(Enum):
    """How much a program writes down; each costs more than the one before."""

    NOTHING = auto()
    ORIGINS = auto()
    COSTS = auto()


def origins(verified: VerifiedProgram, function: SubprogramFact) -> frozenset[int]:
    """The pcs of ``function`` that give its result its value, behind any register copies."""
    slots = verified.spec.slots
    before = _predecessors(slots, function)
    found: set[int] = set()
    pending = [
        (pc, int(Reg.R0))
        for pc in range(function.start, function.end)
        if isinstance(slots[pc], Exit)
    ]
    seen = set(pending)
    while pending:
        pc, reg = pending.pop()
        for earlier in before.get(pc, ()):
            insn = slots[earlier]
            assert insn is not None
            source = reg
            if registers(insn)[1] >> reg & 1:
                copied = _copied(insn)
                if copied is None:
                    found.add(earlier)
                    continue
                source = copied
            if (earlier, source) not in seen:
                seen.add((earlier, source))
                pending.append((earlier, source))
    return frozenset(pc for pc in found if verified.regs[pc] is not None)


def _copied(insn: Instruction) -> int | None:
    """The register whose value ``insn`` passes on unchanged, if it only does that."""
    if isinstance(insn, Alu) and insn.op is AluOp.MOV and isinstance(insn.src, Reg):
        return int(insn.src)
    return None


def _callee(verified: VerifiedProgram, pc: int) -> int | None:
    """Where the subprogram starts that the instruction at ``pc`` calls, if it calls one."""
    insn = verified.spec.slots[pc]
    if isinstance(insn, Call) and insn.kind is CallKind.SUBPROG and isinstance(insn.target, int):
        return pc + 1 + insn.target
    return None


def _result_is_used(verified: VerifiedProgram, function: SubprogramFact) -> bool:
    """Whether any caller looks at what ``function`` returns."""
    for pc in range(len(verified.spec.slots) - 1):
        facts = verified.regs[pc + 1]
        if _callee(verified, pc) == function.start and facts is not None and facts[0] is not None:
            return True
    return False


def _predecessors(
    slots: tuple[Instruction | None, ...], function: SubprogramFact
) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for pc in range(function.start, function.end):
        if slots[pc] is not None:
            for target in successors(slots, pc):
                found.setdefault(target, []).append(pc)
    return found


def blocks(verified: VerifiedProgram) -> dict[int, int]:
    """First pc -> number of instructions, for each straight run of visited instructions."""
    slots = verified.spec.slots
    leaders = {function.start for function in verified.subprograms}
    for pc, insn in enumerate(slots):
        if isinstance(insn, Jump | JumpIf | MayGoto):
            leaders |= {pc + 1, pc + 1 + insn.offset}
    sizes: dict[int, int] = {}
    first, expected = 0, -1
    for pc, insn in enumerate(slots):
        if insn is None or verified.regs[pc] is None:
            continue
        if pc in leaders or pc != expected:
            first = pc
            sizes[first] = 0
        sizes[first] += 1
        expected = -1 if isinstance(insn, Exit) else pc + slot_count(insn)
    return sizes


def mark_address(mark: int) -> int:
    """What :data:`MARK` is linked to, for marks from 0 to :data:`MAX_MARK`."""
    return (mark + 1) << _MARK_SHIFT


def noted(mark: int, pc: int) -> int:
    """How ``pc`` of the program with ``mark`` is noted: never 0."""
    return mark_address(mark) + pc + 1


def place_of(noted_pc: int) -> tuple[int, int]:
    """The mark and the pc that :func:`noted` made ``noted_pc`` of."""
    return (noted_pc >> _MARK_SHIFT) - 1, (noted_pc & ((1 << _MARK_SHIFT) - 1)) - 1


class Notes:
    """The text that makes one program's native code write down what ``observe`` asks for."""

    def __init__(self, verified: VerifiedProgram, observe: Observe) -> None:
        self._observe = observe
        self._origins: dict[int, str] = {}
        self._blocks: dict[int, tuple[int, int]] = {}  # first pc -> (number, instructions)
        if observe is Observe.NOTHING:
            return
        for function in verified.subprograms:
            if function.start == 0:
                self._origins |= dict.fromkeys(origins(verified, function), "verdict_pc")
            elif _result_is_used(verified, function):
                for pc in origins(verified, function):
                    if _callee(verified, pc) is None:  # else: the callee knows better
                        self._origins[pc] = "reason_pc"
        if observe is Observe.COSTS:
            sizes = blocks(verified)
            self._blocks = {pc: (i, size) for i, (pc, size) in enumerate(sizes.items())}

    @property
    def origins(self) -> Mapping[int, str]:
        """By pc, the field of the runtime block that notes it: ``verdict_pc`` or ``reason_pc``."""
        return self._origins

    @property
    def program(self) -> str:
        """The symbol of the program's own body."""
        return PROGRAM if self._observe is Observe.NOTHING else f"{PROGRAM}_observed"

    @property
    def counts(self) -> bool:
        """Whether every instruction must be executed one by one, as written."""
        return self._observe is Observe.COSTS

    def before(self, pc: int) -> list[str]:
        """Lines to stand before the code of ``pc``: the block that starts there is counted."""
        if pc not in self._blocks:
            return []
        number, size = self._blocks[pc]
        name = f"%o{pc}"
        return [
            _field(f"{name}.p", "insns"),
            f"  {name}.n = load i64, ptr {name}.p, align 8",
            f"  {name}.m = add i64 {name}.n, {size}",
            f"  store i64 {name}.m, ptr {name}.p, align 8",
            f"  {name}.d = getelementptr i64, ptr @{BLOCKS}, i64 {number}",
            f"  {name}.k = load i64, ptr {name}.d, align 8",
            f"  {name}.l = add i64 {name}.k, 1",
            f"  store i64 {name}.l, ptr {name}.d, align 8",
        ]

    def after(self, pc: int) -> list[str]:
        """Lines to stand after the code of ``pc``: it may be where the result comes from."""
        field = self._origins.get(pc)
        if field is None:
            return []
        name = f"%w{pc}"
        return [
            _field(name, field),
            f"  {name}.m = ptrtoint ptr @{MARK} to i64",
            f"  {name}.t = trunc i64 {name}.m to i32",
            f"  {name}.n = add i32 {name}.t, {pc + 1}",
            f"  store i32 {name}.n, ptr {name}, align 4",
        ]

    def wrapper(self) -> str:
        """The function under the program's own name, that writes the record of each run."""
        if self._observe is Observe.NOTHING:
            return ""
        fields = {name: offset for name, (offset, _) in RUNTIME_FIELDS.items()}
        costs = _COSTS.format(**fields) if self.counts else ""
        text = _WRAPPER.format(program=PROGRAM, body=self.program, note_costs=costs, **fields)
        return "\n".join([*(f"@{name} = external global i8" for name in (MARK, BLOCKS)), text])


def keeps_state(verified: VerifiedProgram) -> bool:
    """Whether a run must start afresh: with no tail calls made, no redirection asked for."""
    return bool(verified.helpers & _STATEFUL)


def starts_afresh(verified: VerifiedProgram) -> bool:
    """Whether the runtime block is prepared for each run of the program."""
    return keeps_state(verified) or any(isinstance(insn, MayGoto) for insn in verified.spec.insns)


def body_symbol(verified: VerifiedProgram, observe: Observe = Observe.NOTHING) -> str:
    """The symbol of the program itself, which a tail call goes on in: it is no run of its own."""
    return f"{PROGRAM}_body" if starts_afresh(verified) else Notes(verified, observe).program


def _field(name: str, field: str) -> str:
    """The line that makes ``name`` the address of a field of the runtime block."""
    return f"  {name} = getelementptr i8, ptr %rt, i64 {RUNTIME_FIELDS[field][0]}"


_WRAPPER: Final = """\
define i64 @{program}(ptr noalias nonnull align 8 %a1, ptr noalias nonnull align 8 %rt) nounwind {{
entry:
  %pcs = getelementptr i8, ptr %rt, i64 {verdict_pc}
  store i64 0, ptr %pcs, align 8
  %insns = getelementptr i8, ptr %rt, i64 {insns}
  store i64 0, ptr %insns, align 8
  %result = call i64 @{body}(ptr %a1, ptr %rt)
  %next_at = getelementptr i8, ptr %rt, i64 {observed}
  %next = load i64, ptr %next_at, align 8
  %capacity_at = getelementptr i8, ptr %rt, i64 {observed_capacity}
  %capacity = load i64, ptr %capacity_at, align 8
  %room = icmp ult i64 %next, %capacity
  br i1 %room, label %note, label %done
note:
  %after = add nuw i64 %next, 1
  store i64 %after, ptr %next_at, align 8
  %origins_at = getelementptr i8, ptr %rt, i64 {observed_origins}
  %origins = load ptr, ptr %origins_at, align 8
  %origin_at = getelementptr i64, ptr %origins, i64 %next
  %origin = load i64, ptr %pcs, align 8
  store i64 %origin, ptr %origin_at, align 8
{note_costs}\
  br label %done
done:
  ret i64 %result
}}
"""

_COSTS: Final = """\
  %costs_at = getelementptr i8, ptr %rt, i64 {observed_costs}
  %costs = load ptr, ptr %costs_at, align 8
  %cost_at = getelementptr i32, ptr %costs, i64 %next
  %cost = load i64, ptr %insns, align 8
  %cost32 = trunc i64 %cost to i32
  store i32 %cost32, ptr %cost_at, align 4
"""
