"""The stack: 512 bytes in slots of 8, each a spilled value or eight kinds of byte.

Reads and writes at a constant offset are exact; at a variable offset they cover every byte that the
offset can reach. As for a privileged load on Linux, bytes that were never written may be read: they
hold an unknown number (in userspace, 0). What the stricter profiles ask of bytes before they are
read or overwritten is in ``written.py``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from beebox.tables.limits import MAX_STACK_BYTES, MAX_VAR_OFFSET
from beebox.verifier.dynptrs import slots
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import const, of_size
from beebox.verifier.numbers.transfer import truncate
from beebox.verifier.path import Path
from beebox.verifier.profiles import written
from beebox.verifier.pruning.liveness import SLOTS, slots_of
from beebox.verifier.reports.names import bits, misaligned
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import (
    DYNPTR,
    MISC,
    OBJECTS,
    SPILL,
    SPILLED,
    UNWRITTEN,
    ZERO,
    Slot,
)
from beebox.verifier.states.value import SCALAR, STACK, PtrFlag, Reg

_NOTHING = UNWRITTEN * 8
_WIDENED: Final = PtrFlag.WIDENED
_NOT_KEPT: Final = (RegKind.TP_BUFFER, RegKind.DYNPTR)
"""Pointers that Linux keeps no record of on the stack. A dynptr that a function is given there must
not outlive it: its caller's stack would."""


def reach(
    path: Path, base: Reg, number: int, offset: int, size: int, *, what: str
) -> tuple[int, int]:
    """The stack bytes ``[low, high)`` that the access can touch. Refuses those outside."""
    variable = base.scalar
    low = base.off + offset + variable.smin
    high = base.off + offset + variable.smax + size
    if variable.smin <= -MAX_VAR_OFFSET or variable.smax >= MAX_VAR_OFFSET:
        raise Refusal(
            "stack-bounds", path.pc, f"{what} the stack at an offset without bounds",
            kernel=f"invalid unbounded variable-offset {what} stack R{number}", values=(base,),
            reg=number,
        )  # fmt: skip
    if low < -MAX_STACK_BYTES or high > 0 or low >= 0:
        where = f"{low}" if variable.is_const else f"{low}..={high - size}"
        kernel = f"invalid {what} stack R{number} off={low} size={size}"
        if not variable.is_const:
            kernel = f"invalid variable-offset {what} stack R{number} var_off={bits(variable)} "
            kernel += f"off={base.off + offset} size={size}"
        raise Refusal(
            "stack-bounds", path.pc,
            f"{what} {size} bytes at stack offset {where}; the stack is -{MAX_STACK_BYTES}..0",
            kernel=kernel, values=(base,), reg=number,
        )  # fmt: skip
    frame = path.state.frames[base.frame]
    function = frame.function
    if (-low - 1) // 8 >= len(frame.stack):
        if not path.allow_uninit_stack and what == "read from":
            written.refuse_below(path, base, number, low, size)
        _grow(frame.stack, (-low - 1) // 8)
    path.stack_bytes[function] = max(path.stack_bytes.get(function, 0), (7 - low) // 8 * 8)
    return low, high


def _aligned(path: Path, base: Reg, offset: int, size: int) -> None:
    """Loads and stores of the stack must be aligned, whatever the machine."""
    if (base.off + offset + base.scalar.value) % size or base.scalar.mask % size:
        raise Refusal(
            "stack-bounds", path.pc,
            f"access to {size} bytes of the stack that may be unaligned",
            kernel=misaligned(base, offset, size), values=(base,),
        )  # fmt: skip


def load(
    path: Path, base: Reg, number: int, offset: int, size: int, *, extends: bool = False
) -> Reg:
    """What a zero-extending load gives; before a sign extension, all that was spilled."""
    _aligned(path, base, offset, size)
    low, high = reach(path, base, number, offset, size, what="read from")
    if base.scalar.is_const:
        used = 1 << (-low - 1) // 8 + SLOTS * base.frame
    else:
        used = slots_of(base.frame, low, high)
    now = path.liveness.now
    if now is None or used & ~now.reads.get(path.pc, 0):
        path.liveness.read(path.state, path.pc, used)
    stack = path.state.frames[base.frame].stack
    if not path.allow_uninit_stack:
        written.check_load(path, stack, base, number, low, high, size)
    if not base.scalar.is_const:
        _refuse_objects(path, base, number, low, high, size)
        return _joined(path, stack, low, high, size)
    slot = _slot(stack, low)
    if slot is None or slot.reg is None:
        return _joined(path, stack, low, high, size)
    if size == 8 and slot.kinds == SPILLED:
        reg = slot.reg
        if reg.kind is not SCALAR:
            return reg
        return path.number(reg.scalar, reg) if reg.flags is _WIDENED else path.copied(reg)
    if slot.kinds[0] in OBJECTS:
        _refuse_objects(path, base, None, low, high, size)
    if slot.reg.kind is not SCALAR:
        raise Refusal(
            "stack-pointer-corrupt", path.pc,
            f"{size} bytes of an 8-byte pointer are read from the stack",
            kernel="invalid size of register fill", values=(slot.reg,),
        )  # fmt: skip
    start = low % 8
    kinds = slot.kinds[start : start + size]
    if kinds == SPILL * size:
        if start == 0:
            return path.copied(slot.reg) if extends else _narrowed(path, slot.reg, size)
        if slot.reg.scalar.is_const and slot.reg.scalar.value == 0:
            return path.number(const(0), slot.reg)
    return path.number(const(0) if kinds == ZERO * size else of_size(size))


def store(path: Path, base: Reg, number: int, offset: int, size: int, value: Reg) -> None:
    """Write the low ``size`` bytes of ``value``."""
    _aligned(path, base, offset, size)
    low, high = reach(path, base, number, offset, size, what="write to")
    frames = path.state.frames
    stack = frames[base.frame].stack
    if not path.allow_ptr_leaks:
        written.check_store(path, stack, base, low, high, size, value)
    if not base.scalar.is_const:
        is_zero = value.kind is SCALAR and value.scalar.is_const and value.scalar.value == 0
        if smear(path, base.frame, low, high, is_zero=is_zero):
            path.precise(value)
        return
    index = (-low - 1) // 8
    if size == 8:
        path.liveness.writing |= 1 << index + SLOTS * base.frame
    _grow(stack, index)
    start = low % 8
    there = stack[index]
    kinds = _written_over(path, base.frame, index, there, scrubs=start != 0)
    if there is not None and slots.is_slice(value, there):
        value = path.unknown()  # it ended with the dynptr that it is stored over
    if value.kind is not SCALAR:
        value = _spilled_pointer(path, base, size, value)
    elif value.scalar.is_const:  # precision is kept per value: each stored constant is its own
        value = path.number(value.scalar, value if value.serial else None)
    elif not value.scalar.umax >> 8 * size:
        value = path.copied(path.unlinked(value) if size == 8 else value)
    if start == 0:
        if value.scalar.umax >> 8 * size:
            value = path.number(value.scalar, value)  # cut off: no copy of the register any more
        stack[index] = Slot(value, SPILL * size + kinds[size:])
        return
    is_zero = value.scalar.is_const and value.scalar.value == 0
    if is_zero:
        path.precise(value)
    kind = ZERO if is_zero else MISC
    stack[index] = Slot(None, kinds[:start] + kind * size + kinds[start + size :])


def _spilled_pointer(path: Path, base: Reg, size: int, value: Reg) -> Reg:
    if value.kind in _NOT_KEPT:
        return path.unknown()
    _check_pointer_spill(path, base, size, value)
    return value


def _check_pointer_spill(path: Path, base: Reg, size: int, value: Reg) -> None:
    if size != 8:
        raise Refusal(
            "stack-pointer-corrupt", path.pc,
            f"{size} bytes of an 8-byte pointer are written to the stack",
            kernel="invalid size of register spill", values=(value,),
        )  # fmt: skip
    if value.kind is STACK and base.frame != len(path.state.frames) - 1:
        raise Refusal(
            "stack-pointer-corrupt", path.pc,
            "a pointer to the stack is stored in the caller's frame, which may outlive it",
            kernel="cannot spill pointers to stack into stack frame of the caller",
            values=(value,),
        )  # fmt: skip


def alter(path: Path, base: Reg, number: int, offset: int, size: int) -> None:
    """An atomic operation leaves some number in ``size`` bytes."""
    _aligned(path, base, offset, size)
    low, high = reach(path, base, number, offset, size, what="write to")
    if not path.allow_ptr_leaks:
        stack = path.state.frames[base.frame].stack
        written.check_store(path, stack, base, low, high, size, None)
    if size == 8 and base.scalar.is_const:
        path.liveness.writing |= slots_of(base.frame, low, high)
    smear(path, base.frame, low, high)


def smear(path: Path, frame: int, low: int, high: int, *, is_zero: bool = False) -> bool:
    """Any of the bytes ``[low, high)`` may now hold any number.

    ``is_zero``: or 0, so that those known to be 0 still are. True when there are such.
    """
    stack = path.state.frames[frame].stack
    kept = False
    for offset in range(low, high):
        index, at = (-offset - 1) // 8, offset % 8
        _grow(stack, index)
        slot = stack[index]
        if is_zero and slot is not None and _holds_zero(slot, at):
            kept = True
            continue
        kinds = _written_over(path, frame, index, slot, scrubs=True)
        stack[index] = Slot(None, kinds[:at] + MISC + kinds[at + 1 :])
    return kept


def _holds_zero(slot: Slot, at: int) -> bool:
    """Whether a byte of the slot is known to be 0, for Linux: a spilled one, or none is spilled."""
    if slot.kinds[at] != SPILL or slot.reg is None:
        return slot.kinds[at] == ZERO and slot.kinds[0] != SPILL
    scalar = slot.reg.scalar
    return slot.reg.kind is SCALAR and scalar.is_const and scalar.value == 0


def _written_over(path: Path, frame: int, index: int, slot: Slot | None, *, scrubs: bool) -> str:
    """The kinds of the slot's bytes, now that some of them are about to be written.

    ``scrubs``: as in Linux, bytes beside a spilled value are not known to be 0 any more.
    """
    if slot is None:
        return _NOTHING
    if slot.kinds[0] not in OBJECTS:
        kinds = slot.kinds.replace(SPILL, MISC)
        return kinds.replace(ZERO, MISC) if scrubs and slot.kinds[0] == SPILL else kinds
    if slot.kinds[0] != DYNPTR:
        return MISC * 8
    slots.overwrite(path, frame, index)
    return _NOTHING


def observe(
    path: Path, base: Reg, number: int, size: int, *, write: bool, raw: bool = False
) -> tuple[int, int]:
    """A helper accesses ``size`` bytes: any numbers will do, whoever wrote them.

    ``raw``: what was there before is of no interest.
    """
    low, high = reach(path, base, number, 0, size, what="write to" if write else "read from")
    stack = path.state.frames[base.frame].stack
    if not raw:
        if size:
            path.liveness.read(path.state, path.pc, slots_of(base.frame, low, high))
        _refuse_objects(path, base, number, low, high, size)
    else:
        _refuse_filling_objects(path, base, number, low, high)
    if not path.allow_uninit_stack:
        written.check_argument(path, stack, base, number, low, high, size, raw=raw)
    return low, high


def _refuse_filling_objects(path: Path, base: Reg, number: int, low: int, high: int) -> None:
    stack = path.state.frames[base.frame].stack
    for offset in range(low, high):
        slot = _slot(stack, offset)
        if slot is not None and slot.kinds[offset % 8] == DYNPTR:
            raise Refusal(
                "stack-object", path.pc, f"a call might write into the dynptr at offset {offset}",
                kernel=f"potential write to dynptr at off={offset} disallowed",
                values=(base, slot.reg), reg=number,
            )  # fmt: skip


def _refuse_objects(
    path: Path, base: Reg, number: int | None, low: int, high: int, size: int
) -> None:
    """Refuse a read of the kernel's objects. ``number`` is None for a load at a known offset."""
    stack = path.state.frames[base.frame].stack
    for offset in range(low, high):
        slot = _slot(stack, offset)
        if slot is not None and slot.kinds[offset % 8] in OBJECTS:
            at = f"off {low}" if base.scalar.is_const else f"var_off {bits(base.scalar)}"
            what = f"R{number} {at}" if number is not None else at
            raise Refusal(
                "stack-object", path.pc,
                f"reading {size} bytes of the stack, of which those from offset {offset} on are "
                "an object of the kernel's",
                kernel=f"invalid read from stack {what}+{offset - low} size {size}",
                values=(base, slot.reg), reg=number,
            )  # fmt: skip


def constant_at(path: Path, base: Reg, size: int) -> int | None:
    """The number that ``size`` bytes at the pointer certainly hold: a constant map key."""
    if base.kind is not STACK or not base.scalar.is_const or size not in (1, 2, 4, 8):
        return None
    stack = path.state.frames[base.frame].stack
    slot = _slot(stack, base.off)
    start = base.off % 8
    if slot is None or start + size > 8:
        return None
    if slot.kinds[start : start + size] == ZERO * size:
        return 0
    reg = slot.reg
    if reg is not None and reg.scalar.is_const and slot.kinds[:size] == SPILL * size:
        if start or slot.kinds[size : size + 1] == SPILL or reg.kind is not SCALAR:
            return None  # Linux looks at spills of exactly the key's size only
        path.precise(reg)
        return reg.scalar.value & ((1 << 8 * size) - 1)
    return None


def _joined(path: Path, stack: list[Slot | None], low: int, high: int, size: int) -> Reg:
    """What lies in any of the bytes: 0 where all are known to be 0, else any number."""
    for offset in range(low, high):
        slot = _slot(stack, offset)
        if slot is None or slot.kinds[offset % 8] != ZERO:
            return path.number(of_size(size))
    return path.number(const(0))


def _narrowed(path: Path, value: Reg, size: int) -> Reg:
    """The low bytes of a spilled number, zero-extended."""
    if value.scalar.umax >> 8 * size == 0:
        return path.copied(value)
    return path.number(truncate(value.scalar, size), value)


def _slot(stack: list[Slot | None], offset: int) -> Slot | None:
    index = (-offset - 1) // 8
    return stack[index] if index < len(stack) else None


def _grow(stack: list[Slot | None], index: int) -> None:
    while len(stack) <= index:
        stack.append(None)


class ObjectPlace(NamedTuple):
    """Where on the stack an object is, or may be made: its slots, lowest address first.

    ``first`` is the first one's index in the frame's stack; the others' are smaller.
    """

    frame: int
    first: int
    regs: tuple[Reg | None, ...]
    kinds: tuple[str, ...]


def object_place(path: Path, base: Reg, count: int) -> ObjectPlace | None:
    """The ``count`` slots that the pointer points to; None where no object can be."""
    if base.kind is not STACK or not base.scalar.is_const:
        return None
    low = base.off + base.scalar.smin
    if low % 8 or not -MAX_STACK_BYTES <= low <= -8 * count:
        return None
    stack = path.state.frames[base.frame].stack
    index = (-low - 1) // 8
    slots = [stack[at] if at < len(stack) else None for at in range(index, index - count, -1)]
    return ObjectPlace(
        base.frame,
        index,
        tuple(None if slot is None else slot.reg for slot in slots),
        tuple(_NOTHING if slot is None else slot.kinds for slot in slots),
    )


def put_object(path: Path, place: ObjectPlace, slots: tuple[Slot | None, ...]) -> None:
    """Put an object's slots, or None for bytes that are free again."""
    stack = path.state.frames[place.frame].stack
    path.liveness.writing |= _object_slots(place)
    _grow(stack, place.first)
    for at, slot in enumerate(slots):
        stack[place.first - at] = slot


def read_object(path: Path, place: ObjectPlace) -> None:
    """What is done depends on the object: its slots are read."""
    path.liveness.read(path.state, path.pc, _object_slots(place))


def _object_slots(place: ObjectPlace) -> int:
    count = len(place.regs)
    return ((1 << count) - 1) << place.first + 1 - count + SLOTS * place.frame
