"""Map values with fields that belong to the kernel: whether a map has any at all.

Kernels that do not have such fields refuse these maps. What programs may do with the fields is
judged in ``fields``.
"""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Array, Btf, Datasec, Modifier, Ptr, Struct, Typedef, Var
from beebox.obj.model import MapSpec

_STRUCTS: Final = frozenset(
    {
        "bpf_spin_lock",
        "bpf_res_spin_lock",
        "bpf_timer",
        "bpf_wq",
        "bpf_task_work",
        "bpf_list_head",
        "bpf_list_node",
        "bpf_rb_root",
        "bpf_rb_node",
        "bpf_refcount",
    }
)
_TAGS: Final = frozenset({"kptr", "kptr_untrusted", "percpu_kptr", "uptr"})


def kernel_field(spec: MapSpec, btf: Btf | None) -> str | None:
    """The name of a field of the kernel's in the map's values, None where there is none."""
    return _special(btf, spec.value_type_id) if btf is not None else None


def _special(btf: Btf, type_id: int) -> str | None:
    """The name of a kernel field in the type, found anywhere inside; pointers are not followed."""
    seen: set[int] = set()
    work = [type_id]
    while work:
        type_id = work.pop()
        if type_id in seen or not 0 < type_id <= len(btf):
            continue
        seen.add(type_id)
        match btf.types[type_id - 1]:
            case Struct(name) if name in _STRUCTS:
                return name
            case Struct(members=members):
                work += [member.type for member in members]
            case Datasec(vars=variables):
                work += [variable.type for variable in variables]
            case Array(element) | Typedef(_, element) | Modifier(_, element) | Var(_, element):
                work.append(element)
            case Ptr(target) if (tag := _tag(btf, target)) is not None:
                return tag
            case _:
                pass
    return None


def _tag(btf: Btf, type_id: int) -> str | None:
    for _ in range(32):
        row = btf.types[type_id - 1] if 0 < type_id <= len(btf) else None
        if not isinstance(row, Modifier):
            return None
        if row.name in _TAGS:
            return row.name
        type_id = row.type
    return None
