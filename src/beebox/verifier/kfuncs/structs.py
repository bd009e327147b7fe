"""Whether a pointer to one struct of the kernel may stand for a pointer to another one."""

from __future__ import annotations

from beebox.btf.types import Btf
from beebox.verifier.btf_pointers import walk
from beebox.verifier.kfuncs.argument_classes import PROJECTIONS

_UNINITIALISED = "___init"  # as in nf_conn___init: a struct of its own, however alike


def contains(btf: Btf, type_id: int, offset: int, wanted: tuple[Btf, int]) -> bool:
    """Whether at ``offset`` of the struct lies the wanted one, however deep."""
    other, wanted_id = wanted
    if other.base is btf:
        btf = other
    if btf is not other and btf.base is not other:
        return False
    return walk.reaches(btf, type_id, offset, wanted_id)


def same(btf: Btf, type_id: int, other: Btf, other_id: int) -> bool:
    """Whether both ids name one type; types of a base that both share have one id."""
    if type_id != other_id:
        return False
    return btf is other or btf.type(type_id) is other.type(type_id)


def projects(wanted: str, name: str) -> bool:
    """Whether a context's struct is wanted and this is what it stands for."""
    return PROJECTIONS.get(wanted) == name


def must_be_same(name: str, wanted: str) -> bool:
    """Whether the structs are alike, but one is of objects not yet initialised."""
    return wanted == name + _UNINITIALISED or name == wanted + _UNINITIALISED
