"""Disagreements with Linux that are understood, and in ``docs/parity.md``.

Each is recognised by changing the program so that only that difference is gone: then the verdicts
must be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from beebox.isa.instruction import Alu, Atomic, Call, Load, Reg
from beebox.obj.model import ProgramSpec
from beebox.tables.opcodes import AluOp, AtomicOp
from beebox.verifier.result import Report
from verifier_fuzz import edits

_EXTENSION = {1: AluOp.MOVSX8, 2: AluOp.MOVSX16, 4: AluOp.MOVSX32}


def difference(spec: ProgramSpec, ours: Report, agree: Callable[[ProgramSpec], bool]) -> str | None:
    """Which known difference makes the verdicts differ, None if it is another one.

    ``agree`` says of a changed program whether the verdicts are the same.
    """
    if ours.accepted:
        return None
    finding = ours.findings[0]
    if finding.code == "not-a-pointer" and "'map_ptr'" in finding.kernel_message:
        return "Linux lets programs read the struct bpf_map"
    if finding.code in {"iterator", "dynptr"} and _above_the_stack(spec, finding.pc):
        return "Linux takes an object at R10 itself for the one below it"
    changed = _with_fills_unlinked(spec)
    if changed is not None and agree(changed):
        return "Linux keeps a sign-extended fill linked with the register that was spilled"
    changed = _with_fetches_as_loads(spec)
    if changed is not None and agree(changed):
        return "Linux does not look back to the slot that an atomic operation fetched from"
    return None


def _above_the_stack(spec: ProgramSpec, pc: int) -> bool:
    """Whether an argument of the call at ``pc`` was just made R10, and not moved."""
    moved = {Reg(number): False for number in range(1, 6)}
    for at in range(pc - 1, max(pc - 12, -1), -1):
        match spec.slots[at]:
            case Alu(AluOp.MOV, dst, src) if dst in moved:
                if src is Reg.R10 and not moved[dst]:
                    return True
                moved[dst] = True
            case Alu(_, dst) if dst in moved:
                moved[dst] = True
            case Call():
                return False
            case _:
                pass
    return False


def _with_fills_unlinked(spec: ProgramSpec) -> ProgramSpec | None:
    """Loads with sign extension from the stack, maybe, as a load and arithmetic; None: none."""
    parts = edits.take_apart(spec)
    found = False
    for index in range(len(parts.insns) - 1, -1, -1):
        insn = parts.insns[index]
        if isinstance(insn, Load) and insn.signed and insn.src is not Reg.R1:
            found = True
            extension = Alu(_EXTENSION[insn.size.value.bytes], insn.dst, insn.dst, wide=True)
            parts = edits.inserted(parts, index + 1, extension)
            parts = edits.inserted(parts, index + 1, Alu(AluOp.XOR, insn.dst, 0, wide=True))
            parts = edits.with_insn(parts, index, replace(insn, signed=False))
    return edits.put_together(spec, parts) if found else None


def _with_fetches_as_loads(spec: ProgramSpec) -> ProgramSpec | None:
    """Atomic operations that fetch, as a load of what they fetch; None: there are none."""
    parts = edits.take_apart(spec)
    found = False
    for index, insn in enumerate(parts.insns):
        if isinstance(insn, Atomic) and insn.op.value.fetch:
            found = True
            result = Reg.R0 if insn.op is AtomicOp.CMPXCHG else insn.src
            load = Load(result, insn.dst, insn.offset, insn.size)
            parts = edits.with_insn(parts, index, load)
    return edits.put_together(spec, parts) if found else None
