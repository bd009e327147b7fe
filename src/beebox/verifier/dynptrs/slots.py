"""Dynptrs on the stack: two slots each, what makes them, reads them and ends them.

The value of such a slot has the kind DYNPTR: ``off`` is 0 in the first slot (the lower one) and 8
in the second, ``range`` the dynptr's type, ``id`` its identity, ``ref`` the reference that it
holds. ``frame`` of a MEM pointer is the ``id`` of the dynptr that the memory is a slice of.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.pruning.liveness import SLOTS
from beebox.verifier.result import RegKind
from beebox.verifier.states import references
from beebox.verifier.states.state import DYNPTR, Slot
from beebox.verifier.states.value import PtrFlag, Reg

_SLOTS: Final = 2
_WHOLE: Final = DYNPTR * 8


class DynptrType(Enum):
    """What a dynptr's memory is: the kernel's ``BPF_DYNPTR_TYPE_*``."""

    LOCAL = 1  # memory of the program
    RINGBUF = 2  # a record of a ring buffer, to be submitted or discarded
    SKB = 3
    XDP = 4
    SKB_META = 5

    @property
    def holds_reference(self) -> bool:
        """Whether the dynptr has to be given back."""
        return self is DynptrType.RINGBUF

    @property
    def slices(self) -> int:
        """What pointers are that kernel functions give into its memory, besides MEM."""
        packet = self in (DynptrType.SKB, DynptrType.XDP, DynptrType.SKB_META)
        return PtrFlag.SLICE | PtrFlag.PACKET if packet else PtrFlag.SLICE

    @property
    def moves(self) -> bool:
        """Whether writing through the dynptr may move its memory."""
        return self in (DynptrType.SKB, DynptrType.SKB_META)


def type_of(dynptr: Reg) -> DynptrType:
    """The type of a dynptr that :func:`found` gave."""
    return DynptrType(dynptr.range)


def place(path: Path, base: Reg, number: int) -> int | None:
    """The index of the first slot that a stack pointer means; None where nothing is there yet.

    Refuses what no dynptr can be at.
    """
    offset = base.off + base.scalar.smin
    text = kernel = ""
    if not base.scalar.is_const:
        text, kernel = "at a variable offset", "dynptr has to be at a constant offset"
    elif offset % 8 or (-offset - 1) // 8 < _SLOTS - 1:
        text = f"at stack offset {offset}: it takes 16 bytes, aligned to 8"
        kernel = f"cannot pass in dynptr at an offset={offset}"
    if text:
        raise Refusal(
            "dynptr", path.pc, f"a dynptr cannot be {text}", kernel=kernel, values=(base,),
            reg=number,
        )  # fmt: skip
    index = (-offset - 1) // 8
    return index if index < len(path.state.frames[base.frame].stack) else None


def found(path: Path, base: Reg, number: int) -> Reg:
    """The dynptr that the argument means: one on the stack, or one that a function was given."""
    if base.kind is RegKind.DYNPTR:
        return base
    index = place(path, base, number)
    slot = path.state.frames[base.frame].stack[index] if index is not None else None
    if slot is None or slot.kinds != _WHOLE or slot.reg is None or slot.reg.off:
        raise Refusal(
            "dynptr", path.pc, f"argument {number} is no initialised dynptr",
            kernel=f"Expected an initialized dynptr as arg #{number - 1}", values=(base,),
            reg=number,
        )  # fmt: skip
    if index is not None:
        path.liveness.read(path.state, path.pc, _both(base.frame, index))
    return slot.reg


def _both(frame: int, index: int) -> int:
    """The slots of the dynptr whose first one is ``index``, as :mod:`liveness` has them."""
    return 3 << index - 1 + SLOTS * frame


def make(path: Path, base: Reg, number: int, type_: DynptrType, ref: int = 0) -> None:
    """The 16 bytes at a stack pointer are a dynptr now. ``ref``: that of what it is a clone of.

    The slots exist, and hold no other dynptr any more.
    """
    index = place(path, base, number)
    if index is None:
        raise Refusal("internal", path.pc, "a dynptr outside of the stack in use")
    stack = path.state.frames[base.frame].stack
    path.liveness.writing |= _both(base.frame, index)
    if type_.holds_reference and not ref:
        ref = path.new_id()
        references.acquire(path, ref)
    id_ = path.new_id()
    for at, off in ((index, 0), (index - 1, 8)):
        reg = path.pointer(RegKind.DYNPTR, off=off, range_=type_.value, id_=id_, ref=ref)
        stack[at] = Slot(reg, _WHOLE)


def constant(path: Path) -> Reg:
    """What a function gets for an argument ``const struct bpf_dynptr *``."""
    return path.pointer(RegKind.DYNPTR, range_=DynptrType.LOCAL.value, id_=path.new_id())


def overwrite(path: Path, frame: int, index: int) -> None:
    """A slot of a dynptr is written to: the dynptr is gone, and so are its slices.

    As in Linux, those of ``bpf_dynptr_slice`` live on: their memory is still there.
    """
    stack = path.state.frames[frame].stack
    slot = stack[index]
    if slot is None or slot.reg is None or slot.kinds != _WHOLE:
        return
    dynptr = slot.reg
    if type_of(dynptr).holds_reference:
        raise Refusal(
            "dynptr", path.pc, "a dynptr that holds a reference is overwritten",
            kernel="cannot overwrite referenced dynptr", values=(dynptr,),
            hint="submit or discard the record first",
        )  # fmt: skip
    first = index if not dynptr.off else index + 1
    path.liveness.writing |= _both(frame, first)
    _end(stack, first)
    _void_slices(path, dynptr.id, PtrFlag.SLICE)


def is_slice(value: Reg, slot: Slot) -> bool:
    """Whether the value points into the memory of the dynptr in the slot, and ends with it."""
    dynptr = slot.reg
    if dynptr is None or slot.kinds != _WHOLE or value.kind is not RegKind.MEM:
        return False
    return value.frame == dynptr.id and not value.flags & PtrFlag.SLICE


def release(path: Path, base: Reg, number: int) -> None:
    """The record behind the dynptr is given back: its clones and all slices end with it."""
    dynptr = found(path, base, number)
    references.release(path, dynptr.ref)
    for depth, frame in enumerate(path.state.frames):
        for index, slot in enumerate(frame.stack):
            reg = slot.reg if slot is not None and slot.kinds == _WHOLE else None
            if reg is not None and reg.ref == dynptr.ref and not reg.off:
                path.liveness.writing |= _both(depth, index)
                _end(frame.stack, index)
                _void_slices(path, reg.id)


def _end(stack: list[Slot | None], index: int) -> None:
    stack[index] = stack[index - 1] = None


def _void_slices(path: Path, id_: int, spared: int = PtrFlag.NONE) -> None:
    """Pointers into the dynptr's memory are void now."""
    path.state.replace_where(
        lambda reg: reg.kind is RegKind.MEM and reg.frame == id_ and not reg.flags & spared,
        path.voided,
    )
