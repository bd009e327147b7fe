"""Variables and functions of the kernel by name (``.ksyms``): what their address is.

Linux's ``__check_pseudo_btf_id``. A symbol without a type is its address, just a number; a weak one
that the kernel does not have is 0.
"""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Btf, Datasec, Func, Struct, Var
from beebox.errors import BtfError
from beebox.obj.model import KconfigPlace, KernelAddress, KernelSymbol, Missing
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import const
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PtrFlag, Reg

_PER_CPU: Final = ".data..percpu"


def address(path: Path, name: str) -> Reg:
    """What a 16-byte load of the symbol gives."""
    extern = path.spec.externs.get(name)
    place = extern.resolved if extern is not None else None
    match place:
        case KernelAddress(address=number):
            return path.number(const(number))
        case Missing():
            return path.number(const(0))
        case KernelSymbol():
            return _typed(path, name, place)
        case KconfigPlace() | None:
            raise Refusal(
                "not-supported", path.pc, f"where the kernel has the symbol {name} is not known"
            )


def _typed(path: Path, name: str, place: KernelSymbol) -> Reg:
    target = path.options.target
    btf = path.options.kernel
    if target is None or btf is None:
        raise Refusal("not-supported", path.pc, f"the symbol {name} needs the kernel's types (BTF)")
    if place.module:
        btf = target.modules.get(place.module, btf)
    row = btf.type(place.btf_id) if 0 < place.btf_id <= len(btf) else None
    if isinstance(row, Func | Var) and target.kallsyms and row.name not in target.kallsyms:
        raise Refusal(
            "missing-in-target", path.pc, f"the kernel tells no address of {row.name}",
            kernel=f"ldimm64 failed to find the address for kernel symbol '{row.name}'.",
            hint="a kernel built without CONFIG_KALLSYMS_ALL knows functions alone by name",
        )  # fmt: skip
    match row:
        case Func():
            return path.pointer(RegKind.MEM, flags=PtrFlag.RDONLY)
        case Var(type=type_id):
            type_ = path.type_ref(btf, type_id)
            if _is_per_cpu(btf, place.btf_id):
                return path.pointer(RegKind.BTF_ID, flags=PtrFlag.PERCPU, type_=type_)
            if isinstance(btf.resolve(type_id)[1], Struct):
                return path.pointer(RegKind.BTF_ID, type_=type_)
            try:
                size = btf.size_of(type_id)
            except BtfError as error:
                raise Refusal(
                    "not-supported", path.pc, f"the kernel's variable {name} has no size",
                    kernel="ldimm64 unable to resolve the size of type",
                ) from error  # fmt: skip
            return path.pointer(RegKind.MEM, flags=PtrFlag.RDONLY, range_=size)
        case _:
            raise Refusal(
                "not-supported", path.pc, f"{name} is no variable and no function of the kernel",
                kernel=f"pseudo btf_id {place.btf_id} in ldimm64 isn't KIND_VAR or KIND_FUNC",
            )  # fmt: skip


def _is_per_cpu(btf: Btf, variable: int) -> bool:
    for type_id in btf.named(_PER_CPU):
        section = btf.type(type_id)
        if isinstance(section, Datasec):
            return any(row.type == variable for row in section.vars)
    return False
