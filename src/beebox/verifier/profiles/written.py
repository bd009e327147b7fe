"""Stack bytes that a profile wants written before they are read, and pointers kept whole there.

Linux's rules of loads without CAP_PERFMON; with the profile ``kernel`` none of this is asked.
"""

from __future__ import annotations

from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.reports.names import bits
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import MISC, SPILL, UNWRITTEN, ZERO, Slot
from beebox.verifier.states.value import Reg

_NOTHING = UNWRITTEN * 8
_PLAIN = MISC + ZERO


def check_load(
    path: Path, stack: list[Slot | None], base: Reg, number: int, low: int, high: int, size: int
) -> None:
    """A load of ``size`` bytes, all within ``[low, high)``."""
    if not base.scalar.is_const:
        _check_variable(path, base, number)
        _check_bytes(path, stack, base, number, low, high, size)
        return
    slot = stack[(-low - 1) // 8]
    kinds = _NOTHING if slot is None else slot.kinds
    at = kinds.find(UNWRITTEN, low % 8, low % 8 + size)
    if at >= 0:
        first = at - low % 8
        raise _unwritten(
            path, base, low + first, f"invalid read from stack off {low}+{first} size {size}"
        )


def check_store(
    path: Path,
    stack: list[Slot | None],
    base: Reg,
    low: int,
    high: int,
    size: int,
    value: Reg | None,
) -> None:
    """A store into some of ``[low, high)``; ``value``: of an instruction, None of an atomic one."""
    if not base.scalar.is_const:
        _check_smear(path, stack, base, low, high)
        return
    slot = _slot(stack, low)
    _check_whole(path, slot, size)
    if path.speculation is not None:
        kinds = _NOTHING if slot is None else slot.kinds
        pointer = value is not None and value.kind is not RegKind.SCALAR
        path.speculation.wrote(path.pc, kinds, size, pointer=pointer)


def check_argument(
    path: Path,
    stack: list[Slot | None],
    base: Reg,
    number: int,
    low: int,
    high: int,
    size: int,
    *,
    raw: bool,
) -> None:
    """Memory for a helper. ``raw``: it fills all of it, so nothing needs to be there before."""
    if not base.scalar.is_const:
        _check_variable(path, base, number)
    elif raw:
        _check_filled(path, stack, low, high)
        return
    _check_bytes(path, stack, base, number, low, high, size)


def refuse_below(path: Path, base: Reg, number: int, low: int, size: int) -> None:
    """Refuse a read below all that was accessed so far."""
    what, where = "", f"off={low}"
    if not base.scalar.is_const:
        what = "variable-offset "
        where = f"var_off={bits(base.scalar)} off={base.off}"
    kernel = f"invalid {what}read from stack R{number} {where} size={size}"
    raise _unwritten(path, base, low, kernel)


def _check_filled(path: Path, stack: list[Slot | None], low: int, high: int) -> None:
    """Linux looks at it as at stores of single bytes."""
    guard = path.speculation
    if path.allow_ptr_leaks:
        return
    for offset in range(low, high):
        slot = _slot(stack, offset)
        _check_whole(path, slot, 1)
        if guard is not None and (offset == low or offset % 8 == 0):
            guard.wrote(path.pc, _NOTHING if slot is None else slot.kinds, 1)


def _check_bytes(
    path: Path, stack: list[Slot | None], base: Reg, number: int, low: int, high: int, size: int
) -> None:
    """Every byte that may be read holds a number."""
    strict = path.speculation is None and not path.allow_ptr_leaks
    for offset in range(low, high):
        slot = _slot(stack, offset)
        kind = UNWRITTEN if slot is None else slot.kinds[offset % 8]
        if kind in _PLAIN:
            continue
        if (
            slot is not None
            and (kind == SPILL or (not strict and slot.kinds[0] == SPILL))
            and (path.allow_ptr_leaks or _holds_number(slot))
        ):  # Linux takes the whole slot of a short spill for written
            continue
        kernel = f"invalid read from stack R{number} off {low}+{offset - low} size {size}"
        if not base.scalar.is_const:
            where = f"var_off {bits(base.scalar)}+{offset - low}"
            kernel = f"invalid read from stack R{number} {where} size {size}"
        if kind == SPILL and slot is not None:
            raise Refusal(
                "pointer-leak", path.pc,
                f"the stack holds a pointer at offset {offset}, and a helper would read it",
                kernel=kernel, values=(slot.reg, base), reg=number,
            )  # fmt: skip
        raise _unwritten(path, base, offset, kernel)


def _check_smear(path: Path, stack: list[Slot | None], base: Reg, low: int, high: int) -> None:
    """What a store at a variable offset may hit was written before, and is no pointer."""
    for offset in range(low, high):
        slot = _slot(stack, offset)
        kind = UNWRITTEN if slot is None else slot.kinds[offset % 8]
        if kind in _PLAIN:
            continue
        if path.speculation is None and kind == SPILL and slot is not None and _holds_number(slot):
            continue
        what = "what was spilled there" if kind != UNWRITTEN else "bytes that were never written"
        raise Refusal(
            "stack-pointer-corrupt", path.pc,
            f"a store at a variable offset may hit offset {offset}: {what}",
            kernel="spilled ptr in range of var-offset stack write; "
            f"insn {path.pc}, ptr off: {offset}", values=(base,),
        )  # fmt: skip


def _check_whole(path: Path, slot: Slot | None, size: int) -> None:
    """A spilled pointer is overwritten as a whole, or not at all: half of it would be its bits."""
    if slot is None or slot.kinds[0] != SPILL or _holds_number(slot) or size == 8:
        return
    raise Refusal(
        "stack-pointer-corrupt", path.pc,
        f"{size} bytes of an 8-byte pointer on the stack are overwritten",
        kernel="attempt to corrupt spilled pointer on stack", values=(slot.reg,),
    )  # fmt: skip


def _check_variable(path: Path, base: Reg, number: int) -> None:
    if path.speculation is not None:
        raise Refusal(
            "speculation", path.pc,
            "access to the stack at a variable offset: nothing keeps a mispredicting CPU inside",
            kernel=f"R{number} variable offset stack access prohibited for !root, "
            f"var_off={bits(base.scalar)}", values=(base,), reg=number,
        )  # fmt: skip


def _unwritten(path: Path, base: Reg, offset: int, kernel: str) -> Refusal:
    return Refusal(
        "stack-uninitialised", path.pc,
        f"the stack byte at offset {offset} is read, but was never written on this path",
        kernel=kernel, values=(base,), access=(offset, 1, 0),
    )  # fmt: skip


def _holds_number(slot: Slot) -> bool:
    return slot.reg is not None and slot.reg.kind is RegKind.SCALAR


def _slot(stack: list[Slot | None], offset: int) -> Slot | None:
    index = (-offset - 1) // 8
    return stack[index] if index < len(stack) else None
