"""The stack: 512 bytes in slots of 8, each a spilled value or eight kinds of byte.

Reads and writes at a constant offset are exact; at a variable offset they cover every byte that the
offset can reach. As for a privileged load on Linux, bytes that were never written may be read: they
hold an unknown number (in userspace, 0).
"""

from __future__ import annotations

from beebox.tables.limits import MAX_STACK_BYTES, MAX_VAR_OFFSET
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.scalar import const, of_size
from beebox.verifier.state import MISC, SPILLED, UNWRITTEN, ZERO, Reg, Slot
from beebox.verifier.transfer import zero_extend

_NOTHING = UNWRITTEN * 8


def reach(path: Path, base: Reg, offset: int, size: int, *, what: str) -> tuple[int, int]:
    """The stack bytes ``[low, high)`` that the access can touch. Refuses those outside."""
    variable = base.scalar
    low = base.off + offset + variable.smin
    high = base.off + offset + variable.smax + size
    if variable.smin <= -MAX_VAR_OFFSET or variable.smax >= MAX_VAR_OFFSET:
        raise Refusal(
            "stack-bounds", path.pc, f"{what} of the stack at an offset without bounds",
            kernel=f"invalid unbounded variable-offset {what} stack", values=(base,),
        )  # fmt: skip
    if low < -MAX_STACK_BYTES or high > 0:
        where = f"{low}" if variable.is_const else f"{low}..={high - size}"
        raise Refusal(
            "stack-bounds", path.pc,
            f"{what} of {size} bytes at stack offset {where}; the stack is -{MAX_STACK_BYTES}..0",
            kernel=f"invalid {what} stack off={base.off + offset} size={size}", values=(base,),
        )  # fmt: skip
    if variable.is_const and low % size and size in (2, 4, 8) and what != "helper access to":
        raise Refusal(
            "stack-bounds", path.pc, f"{what} of {size} bytes at the unaligned stack offset {low}",
            kernel=f"misaligned stack access off {low} size {size}", values=(base,),
        )  # fmt: skip
    return low, high


def load(path: Path, base: Reg, offset: int, size: int) -> Reg:
    """What a zero-extending load gives."""
    low, high = reach(path, base, offset, size, what="read from")
    stack = path.state.frames[base.frame].stack
    if not base.scalar.is_const:
        return _joined(path, stack, low, high, size)
    slot = _slot(stack, low)
    start = low % 8
    if slot is not None and slot.reg is not None:
        if size == 8 and slot.kinds == SPILLED:
            return slot.reg
        if slot.reg.kind is not RegKind.SCALAR:
            raise Refusal(
                "stack-pointer-corrupt", path.pc,
                f"{size} bytes of an 8-byte pointer are read from the stack",
                kernel="invalid size of register fill", values=(slot.reg,),
            )  # fmt: skip
        if start == 0 and size <= 4:
            return _narrowed(path, slot.reg, size)
        return path.number(of_size(size))
    return _joined(path, stack, low, high, size)


def store(path: Path, base: Reg, offset: int, size: int, value: Reg) -> None:
    """Write the low ``size`` bytes of ``value``."""
    low, high = reach(path, base, offset, size, what="write to")
    stack = path.state.frames[base.frame].stack
    is_zero = value.kind is RegKind.SCALAR and value.scalar.is_const and value.scalar.value == 0
    if not base.scalar.is_const:
        smear(path, base.frame, low, high)
        return
    index = (-low - 1) // 8
    _grow(stack, index)
    if size == 8:
        stack[index] = Slot(value, SPILLED)
        return
    if value.kind is not RegKind.SCALAR:
        raise Refusal(
            "stack-pointer-corrupt", path.pc,
            f"{size} bytes of an 8-byte pointer are written to the stack",
            kernel="invalid size of register spill", values=(value,),
        )  # fmt: skip
    old, start = stack[index], low % 8
    kinds = _NOTHING if old is None else old.kinds
    kind = ZERO if is_zero else MISC
    if is_zero:
        path.precise(value)
    kinds = kinds[:start] + kind * size + kinds[start + size :]
    whole = start == 0 and size == 4 and value.scalar.umax <= 0xFFFFFFFF
    stack[index] = Slot(value if whole else None, kinds)


def smear(path: Path, frame: int, low: int, high: int) -> None:
    """Any of the bytes ``[low, high)`` may now hold any number."""
    stack = path.state.frames[frame].stack
    for offset in range(low, high):
        index = (-offset - 1) // 8
        _grow(stack, index)
        slot = stack[index]
        kinds = _NOTHING if slot is None else slot.kinds
        at = offset % 8
        stack[index] = Slot(None, kinds[:at] + MISC + kinds[at + 1 :])


def observe(path: Path, base: Reg, size: int) -> tuple[int, int]:
    """A helper reads ``size`` bytes: spilled numbers among them must stay as precise as now."""
    low, high = reach(path, base, 0, size, what="helper access to")
    stack = path.state.frames[base.frame].stack
    for index in range((-high) // 8 if high % 8 == 0 else (-high - 1) // 8, (-low - 1) // 8 + 1):
        slot = stack[index] if 0 <= index < len(stack) else None
        if slot is not None and slot.reg is not None and slot.reg.kind is RegKind.SCALAR:
            path.precise(slot.reg)
    return low, high


def constant_at(path: Path, base: Reg, size: int) -> int | None:
    """The number that ``size`` bytes at the pointer certainly hold: a constant map key."""
    if base.kind is not RegKind.STACK or not base.scalar.is_const or size not in (1, 2, 4, 8):
        return None
    stack = path.state.frames[base.frame].stack
    slot = _slot(stack, base.off)
    start = base.off % 8
    if slot is None or start + size > 8:
        return None
    if slot.kinds[start : start + size] == ZERO * size:
        return 0
    reg = slot.reg
    if start == 0 and reg is not None and reg.kind is RegKind.SCALAR and reg.scalar.is_const:
        path.precise(reg)
        return reg.scalar.value & ((1 << 8 * size) - 1)
    return None


def _joined(path: Path, stack: list[Slot | None], low: int, high: int, size: int) -> Reg:
    zero = True
    for offset in range(low, high):
        slot = _slot(stack, offset)
        if slot is not None and slot.reg is not None and slot.reg.kind is not RegKind.SCALAR:
            raise Refusal(
                "stack-pointer-corrupt", path.pc, "part of a pointer is read from the stack",
                kernel="invalid size of register fill", values=(slot.reg,),
            )  # fmt: skip
        zero = zero and slot is not None and slot.kinds[offset % 8] == ZERO
    return path.number(const(0) if zero else of_size(size))


def _narrowed(path: Path, value: Reg, size: int) -> Reg:
    """The low bytes of a spilled number, zero-extended."""
    if size == 4:
        scalar = zero_extend(value.scalar)
    elif value.scalar.umax < 1 << 8 * size:
        scalar = value.scalar
    elif value.scalar.is_const:
        scalar = const(value.scalar.value & ((1 << 8 * size) - 1))
    else:
        scalar = of_size(size)
    return value if scalar is value.scalar else path.number(scalar, value)


def _slot(stack: list[Slot | None], offset: int) -> Slot | None:
    index = (-offset - 1) // 8
    return stack[index] if index < len(stack) else None


def _grow(stack: list[Slot | None], index: int) -> None:
    while len(stack) <= index:
        stack.append(None)


def depth_bytes(stack: list[Slot | None]) -> int:
    """How deep the frame's stack was written."""
    return 8 * len(stack)
