"""Structs of the kernel by name, as contexts and helpers mean them."""

from __future__ import annotations

from beebox.btf.types import Struct
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import Reg, TypeRef


def kernel_type(path: Path, name: str) -> TypeRef:
    """The kernel's struct called ``name``. Refuses where the kernel's types are not known."""
    btf = path.options.kernel
    if btf is None:
        raise Refusal(
            "not-supported", path.pc, f"a pointer to struct {name} needs the kernel's types (BTF)"
        )
    found = btf.kinded(name, Struct)
    if not found:
        raise Refusal("not-supported", path.pc, f"the kernel has no struct {name}")
    return path.type_ref(btf, found[0])


def kernel_struct(
    path: Path, name: str, flags: int, *, nullable: bool = False, ref: int = 0
) -> Reg:
    """A pointer to the kernel's struct called ``name``."""
    id_ = ref or (path.new_id() if nullable else 0)
    return path.pointer(
        RegKind.BTF_ID,
        flags=flags,
        type_=kernel_type(path, name),
        nullable=nullable,
        id_=id_,
        ref=ref,
    )
