"""Loads and stores through pointers to structs that BTF describes.

Linux's ``check_ptr_to_btf_access``. Loads through pointers without trust are made so that they
survive a fault (PROBE_MEM), so they are allowed; only few members may be stored to.
"""

from __future__ import annotations

from typing import Final, assert_never

from beebox.btf.types import Array, Btf, Struct
from beebox.verifier.btf_pointers import trust
from beebox.verifier.btf_pointers.walk import Denied, Memory, Number, Pointer, access
from beebox.verifier.fields import access as fields
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import of_size
from beebox.verifier.path import Path
from beebox.verifier.reports.names import bits
from beebox.verifier.result import RegKind
from beebox.verifier.shape.license import GPL
from beebox.verifier.states.value import PtrFlag, Reg, TypeRef

PROBED: Final = PtrFlag.RDONLY | PtrFlag.UNTRUSTED
"""Flags of MEM that is only probed: any offset may be read."""


def load(path: Path, base: Reg, number: int, offset: int, size: int) -> Reg:
    """What a load of ``size`` bytes gives. ``base`` is not NULL."""
    type_ = _type(path, base)
    at = check(path, base, number, offset)
    if base.flags & PtrFlag.ALLOC:
        fields.check_object(path, base, type_, at, size)
    found = path.walks.get((type_, at, size))
    if found is None:
        found = path.walks[type_, at, size] = access(type_.btf, type_.id, at, size)
    match found:
        case Number():
            return path.number(of_size(size))
        case Memory():
            return path.pointer(RegKind.MEM, flags=PROBED)
        case Denied(kernel=kernel):
            raise _denied(path, base, number, at, size, kernel)
        case Pointer():
            if base.flags & PtrFlag.ALLOC:
                return path.number(of_size(8))
            flags, nullable = trust.of_member(path, base, found)
            return path.pointer(
                RegKind.BTF_ID,
                flags=flags,
                type_=path.type_ref(type_.btf, found.type_id),
                nullable=nullable,
                id_=path.new_id() if nullable else 0,
            )
        case _:
            assert_never(found)


def store(path: Path, base: Reg, number: int, offset: int, size: int) -> None:
    """Check a store of ``size`` bytes. ``base`` is not NULL."""
    type_ = _type(path, base)
    at = check(path, base, number, offset)
    if base.flags & PtrFlag.ALLOC:
        fields.check_object(path, base, type_, at, size)
        found = access(type_.btf, type_.id, at, size)
        if isinstance(found, Denied):
            raise _denied(path, base, number, at, size, found.kernel)
        return
    ops = path.attach.ops if path.attach is not None else None
    if ops is None:
        raise _read_only(path, base, number, type_, "only read is supported")
    members = ops.writable.get(type_.name)
    row = type_.btf.type(type_.id)
    if members is None or not isinstance(row, Struct):
        whole = next((name for name, parts in ops.writable.items() if not parts), None)
        kernel = f"only access to {whole} is supported" if whole else "only read is supported"
        raise _read_only(path, base, number, type_, kernel)
    if not members:
        if at + size <= row.size:
            return
        kernel = f"write access at off {at} with size {size}"
        raise _read_only(path, base, number, type_, kernel)
    for name in members:
        place = _place(type_.btf, row, name)
        if place is None:
            continue
        start, end, is_array = place
        if at == start or (is_array and start < at < end):
            if at + size <= end:
                return
            kernel = f"write access at off {at} with size {size} beyond the member of "
            kernel += f"{type_.name} ended at {end}"
            raise _read_only(path, base, number, type_, kernel)
    kernel = f"no write support to {type_.name} at off {at}"
    raise _read_only(path, base, number, type_, kernel)


def check(path: Path, base: Reg, number: int, offset: int) -> int:
    """Whether the memory may be touched at all; the offset from the start of the struct."""
    type_ = _type(path, base)
    problem = kernel = ""
    at = base.off + offset
    if type_.btf is not path.spec.btf and path.spec.license not in GPL:
        problem = "only programs with a GPL-compatible license read structs of the kernel"
        kernel = f"Cannot access kernel 'struct {type_.name}' from non-GPL compatible program"
    elif at < 0:
        problem = f"offset {at} lies before the start of struct {type_.name}"
        kernel = f"R{number} is ptr_{type_.name} invalid negative access: off={at}"
    elif not base.scalar.is_const or base.scalar.value:
        problem = f"structs such as {type_.name} are accessed at constant offsets"
        kernel = f"R{number} is ptr_{type_.name} invalid variable offset: off={at}, "
        kernel += f"var_off={bits(base.scalar)}"
    elif base.flags & PtrFlag.USER:
        problem = "the pointer is one of user space"
        kernel = f"R{number} is ptr_{type_.name} access user memory: off={at}"
    elif base.flags & PtrFlag.PERCPU:
        problem = "every CPU has its own struct: bpf_per_cpu_ptr and bpf_this_cpu_ptr give one"
        kernel = f"R{number} is ptr_{type_.name} access percpu memory: off={at}"
    else:
        return at
    raise Refusal("struct-access", path.pc, problem, kernel=kernel, values=(base,), reg=number)


def _place(btf: Btf, row: Struct, name: str) -> tuple[int, int, bool] | None:
    """Bytes ``[start, end)`` of the member ``name`` (``a.b``: b in a); whether it is an array."""
    head, _, rest = name.partition(".")
    for member in row.members:
        if member.name not in ("", head) or member.bitfield_size:
            continue
        start = member.bit_offset // 8
        inner = btf.resolve(member.type)[1]
        if member.name and not rest:
            return start, start + btf.size_of(member.type), isinstance(inner, Array)
        found = None
        if isinstance(inner, Struct):
            found = _place(btf, inner, rest if member.name else name)
        if found is not None:
            return start + found[0], start + found[1], found[2]
    return None


def _type(path: Path, base: Reg) -> TypeRef:
    if base.type is None:
        raise Refusal("internal", path.pc, "a pointer without the type that it points to")
    return base.type


def _denied(path: Path, base: Reg, number: int, at: int, size: int, kernel: str) -> Refusal:
    name = _type(path, base).name
    return Refusal(
        "struct-access", path.pc,
        f"{size} bytes at offset {at} are no member of struct {name}", kernel=kernel,
        values=(base,), reg=number,
    )  # fmt: skip


def _read_only(path: Path, base: Reg, number: int, type_: TypeRef, kernel: str) -> Refusal:
    return Refusal(
        "read-only", path.pc,
        f"programs may only read there in struct {type_.name}",
        kernel=kernel, values=(base,), reg=number,
    )  # fmt: skip
