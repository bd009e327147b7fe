"""Runs a program that nobody verified over one block of memory: natively, every access checked."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from beebox.errors import ExecutionError
from beebox.isa.instruction import Instruction
from beebox.llvm import native, worker
from beebox.tables.limits import MAX_CALL_FRAMES, MAX_STACK_BYTES
from beebox.vm.checked import lower_checked
from beebox.vm.checked_state import CHECKED, STATE_BYTES, STATE_FIELDS, Fault
from beebox.vm.memory import CHECKED_SIGNATURE, Buffer

SANDBOX_FUEL: Final = 1 << 28  # instructions: about a second of a tight loop

_WORD: Final = struct.Struct("<Q")
_PROBLEMS: Final = {
    Fault.READ: "access outside the program's memory",
    Fault.WRITE: "access outside the program's memory",
    Fault.MISALIGNED: "misaligned atomic access",
    Fault.FUEL: "ran out of fuel",
    Fault.DEPTH: "call chain too deep",
}


class Sandbox:
    """One program as native code of the checked lowering; not for two threads at a time."""

    def __init__(self, slots: Sequence[Instruction | None]) -> None:
        """Compile. Raises as :func:`beebox.vm.checked.lower_checked`."""
        obj = worker.compile_native(lower_checked(slots), opt=1)
        code = native.link(obj, imports={}, exports=[CHECKED])
        self._run = code.function(CHECKED, *CHECKED_SIGNATURE)

    def run(self, memory: Buffer, size: int, *, fuel: int = SANDBOX_FUEL) -> int:
        """R0 after a run with R1 the address of ``memory`` and R2 ``size``, its bytes in use.

        ``memory`` may be read, written and, as the packet, read by LD_ABS and LD_IND; without any
        bytes R1 is 0. Raises :exc:`ExecutionError` with the pc of a fault.
        """
        stack = Buffer(MAX_STACK_BYTES * MAX_CALL_FRAMES)
        regions = Buffer(24)
        start = memory.address if size else 0
        struct.pack_into("<3Q", regions.view, 0, start, start + size, 1)
        state = Buffer(STATE_BYTES)
        filled = {
            "fuel": fuel,
            "stack_end": stack.address + stack.size,
            "regions": regions.address,
            "region_count": 1 if size else 0,
            "packet": start,
            "packet_bytes": size,
        }
        for name, value in filled.items():
            _WORD.pack_into(state.view, STATE_FIELDS[name], value)
        result = int(self._run(state.address, start, size, 0, 0, 0))
        fault = Fault(_field(state, "fault"))
        if fault is Fault.NONE:
            return result
        access = None
        if _field(state, "fault_size"):
            kind = "read" if fault is Fault.READ else "write"
            address = _field(state, "fault_address")
            access = f"{kind} of {_field(state, 'fault_size')} bytes at {address:#x}"
        raise ExecutionError(_PROBLEMS[fault], pc=_field(state, "fault_pc"), access=access)


def _field(state: Buffer, name: str) -> int:
    (value,) = _WORD.unpack_from(state.view, STATE_FIELDS[name])
    return int(value)
