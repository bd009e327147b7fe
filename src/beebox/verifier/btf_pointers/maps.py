"""Loads through a map's pointer: of what the map is in the kernel.

Linux's ``check_ptr_to_map_access``.
"""

from __future__ import annotations

from typing import assert_never

from beebox.btf.types import Struct
from beebox.tables.map_structs import MAP_STRUCTS
from beebox.verifier.btf_pointers.walk import Denied, Memory, Number, Pointer, access
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import of_size
from beebox.verifier.path import Path
from beebox.verifier.reports.names import kernel_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PtrFlag, Reg, TypeRef


def load(path: Path, base: Reg, number: int, offset: int, size: int) -> Reg:
    """What a load of ``size`` bytes gives. ``base`` is not NULL."""
    type_ = _type(path, base, number)
    if offset < 0:
        raise _refusal(
            path, base, number, f"offset {offset} lies before the start of the map",
            f"R{number} is {type_.name} invalid negative access: off={offset}",
        )  # fmt: skip
    found = access(type_.btf, type_.id, offset, size)
    match found:
        case Number():
            return path.number(of_size(size))
        case Memory():
            return path.pointer(RegKind.MEM, flags=PtrFlag.RDONLY | PtrFlag.UNTRUSTED)
        case Pointer():
            target = path.type_ref(type_.btf, found.type_id)
            return path.pointer(RegKind.BTF_ID, flags=found.flags, type_=target)
        case Denied(kernel=kernel):
            problem = f"{size} bytes at offset {offset} are no member of struct {type_.name}"
            raise _refusal(path, base, number, problem, kernel)
        case _:
            assert_never(found)


def refuse_store(path: Path, base: Reg, number: int) -> None:
    """A map's own memory is only read."""
    type_ = _type(path, base, number)
    raise Refusal(
        "read-only", path.pc, f"R{number} points to the map itself, which is only read",
        kernel=f"only read from {type_.name} is supported", values=(base,), reg=number,
    )  # fmt: skip


def _type(path: Path, base: Reg, number: int) -> TypeRef:
    """The struct that the map is. Without the kernel's types a map is no memory."""
    btf = path.options.kernel
    name = MAP_STRUCTS.get(path.map_spec(base.map).type)
    ids = btf.kinded(name, Struct) if btf is not None and name is not None else ()
    if btf is None or not ids:
        raise Refusal(
            "not-a-pointer", path.pc, f"R{number} is used as an address, but is a map",
            kernel=f"R{number} invalid mem access '{kernel_name(base)}'", values=(base,),
            reg=number,
        )  # fmt: skip
    return path.type_ref(btf, ids[0])


def _refusal(path: Path, base: Reg, number: int, problem: str, kernel: str) -> Refusal:
    return Refusal("struct-access", path.pc, problem, kernel=kernel, values=(base,), reg=number)
