"""Whether a pointer to one struct of the kernel may stand for a pointer to another one."""

from __future__ import annotations

from beebox.btf.types import Array, Btf, Struct
from beebox.verifier.kfuncs.argument_classes import PROJECTIONS

_UNINITIALISED = "___init"  # as in nf_conn___init: a struct of its own, however alike


def contains(btf: Btf, type_id: int, offset: int, wanted: tuple[Btf, int]) -> bool:
    """Whether at ``offset`` of the struct lies the wanted one, however deep: the kernel's walk."""
    for _ in range(64):
        if offset == 0 and same(btf, type_id, *wanted):
            return True
        inner = _member_at(btf, type_id, offset)
        if inner is None:
            return False
        type_id, offset = inner
    return False


def same(btf: Btf, type_id: int, other: Btf, other_id: int) -> bool:
    """Whether both ids name one type; types of a base that both share have one id."""
    if type_id != other_id:
        return False
    return btf is other or btf.type(type_id) is other.type(type_id)


def _member_at(btf: Btf, type_id: int, offset: int) -> tuple[int, int] | None:
    """The struct member that ``offset`` is in, and the offset in it."""
    struct = btf.type(type_id)
    if not isinstance(struct, Struct) or not 0 <= offset < max(struct.size, 1):
        return None
    for member in struct.members:
        start = member.bit_offset // 8
        size = btf.size_of(member.type)
        if member.bitfield_size or not start <= offset < start + size:
            continue
        inner_id, inner = btf.resolve(member.type)
        inside = offset - start
        while isinstance(inner, Array):
            inner_id, inner = btf.resolve(inner.type)
            inside %= btf.size_of(inner_id) or 1
        if isinstance(inner, Struct):
            return inner_id, inside
        return None
    return None


def projects(wanted: str, name: str) -> bool:
    """Whether a context's struct is wanted and this is what it stands for."""
    return PROJECTIONS.get(wanted) == name


def must_be_same(name: str, wanted: str) -> bool:
    """Whether the structs are alike, but one is of objects not yet initialised."""
    return wanted == name + _UNINITIALISED or name == wanted + _UNINITIALISED
