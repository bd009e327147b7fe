"""What must hold of a program that nobody verified before an engine may decode it.

Functions are ranges of slots, one behind the other, as Linux has them: a jump stays inside its
function, no function runs into the next, and R10 is never written. Everything else (addresses,
loops, depth) is checked while the program runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from beebox.errors import DecodeError
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
    Load,
    LoadImm64,
    MayGoto,
    Reg,
    Swap,
)
from beebox.tables.limits import MAX_INSNS, MAX_SUBPROGRAMS
from beebox.tables.opcodes import AtomicOp


def functions(slots: Sequence[Instruction | None]) -> tuple[range, ...]:
    """The pcs of each function, the entry's first. Raises :exc:`DecodeError`."""
    if not 0 < len(slots) <= MAX_INSNS:
        raise DecodeError(f"{len(slots)} instructions; 1 to {MAX_INSNS} are allowed", pc=0)
    starts = sorted({0, *(target for pc in range(len(slots)) for target in _called(slots, pc))})
    if len(starts) > MAX_SUBPROGRAMS:
        raise DecodeError(f"{len(starts)} functions; {MAX_SUBPROGRAMS} are allowed", pc=0)
    found = tuple(
        range(start, end) for start, end in zip(starts, [*starts[1:], len(slots)], strict=True)
    )
    for pcs in found:
        _check(slots, pcs)
    return found


def _called(slots: Sequence[Instruction | None], pc: int) -> tuple[int, ...]:
    match slots[pc]:
        case Call(CallKind.SUBPROG, int(distance)):
            target = pc + 1 + distance
            if not 0 <= target < len(slots) or slots[target] is None:
                raise DecodeError(f"call of insn {target}, which does not exist", pc=pc)
            return (target,)
        case _:
            return ()


def _check(slots: Sequence[Instruction | None], pcs: range) -> None:
    for pc in pcs:
        insn = slots[pc]
        if insn is not None and written(insn) is Reg.R10:
            raise DecodeError("R10, the frame pointer, is read-only", pc=pc)
        if isinstance(insn, Jump | JumpIf | MayGoto):
            target = pc + 1 + insn.offset
            if target not in pcs:
                problem = f"a jump to insn {target} leaves its function"
                raise DecodeError(f"{problem} (insns {pcs[0]} to {pcs[-1]})", pc=pc)
            if slots[target] is None:
                raise DecodeError("a jump into the middle of a 16-byte instruction", pc=pc)
    last = pcs[-1] if slots[pcs[-1]] is not None else pcs[-2]
    if not isinstance(slots[last], Exit | Jump):
        raise DecodeError("the function's last instruction is neither exit nor a jump", pc=last)


def written(insn: Instruction) -> Reg | None:
    """The register that ``insn`` sets, apart from what calls and packet loads do to R0-R5."""
    match insn:
        case Alu(dst=dst) | Swap(dst=dst) | Load(dst=dst) | LoadImm64(dst=dst):
            return dst
        case AddrSpaceCast(dst=dst):
            return dst
        case Atomic():
            return fetched(insn)
        case _:
            return None


def fetched(insn: Atomic) -> Reg | None:
    """The register that gets what was in memory, zero-extended; None where none does."""
    match insn.op:
        case AtomicOp.LOAD_ACQUIRE:
            return insn.dst
        case AtomicOp.CMPXCHG:
            return Reg.R0
        case op:
            return insn.src if op.value.fetch else None
