"""Externs of an object: undefined symbols whose BTF says that the kernel or its build has them.

Clang gives ``extern`` declarations in ``.ksyms`` and ``.kconfig`` no ELF section: a VAR or FUNC
of linkage EXTERN stands in a DATASEC of that name, the symbol is undefined. Source: libbpf's
``__ksym``, ``__kconfig`` and ``__weak`` (bpf_helpers.h).
"""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Btf, Datasec, Func, Linkage, Var
from beebox.errors import ObjectError
from beebox.obj.elf import SHN_UNDEF, Elf, SymbolBind, SymbolType
from beebox.obj.model import ExternKind, ExternSpec

KSYMS: Final = ".ksyms"
KCONFIG: Final = ".kconfig"
EXTERN_SECTIONS: Final = frozenset({KSYMS, KCONFIG})


def read_externs(elf: Elf, btf: Btf | None, *, file: str) -> dict[str, ExternSpec]:
    """The externs by name. Undefined symbols that no such section declares are not among them.

    Raises :exc:`ObjectError` for a function in ``.kconfig``.
    """
    if btf is None:
        return {}
    declared: dict[str, tuple[str, Var | Func, int]] = {}
    for section in EXTERN_SECTIONS:
        for type_id in btf.named(section):
            row = btf.type(type_id)
            for placed in row.vars if isinstance(row, Datasec) else ():
                found = btf.type(placed.type)
                if isinstance(found, Var | Func) and found.linkage is Linkage.EXTERN:
                    declared[found.name] = (section, found, placed.type)
    externs: dict[str, ExternSpec] = {}
    for symbol in elf.symbols:
        if symbol.section != SHN_UNDEF or symbol.bind == SymbolBind.LOCAL:
            continue
        if symbol.type == SymbolType.NOTYPE and symbol.name in declared:
            section, declaration, type_id = declared[symbol.name]
            is_weak = symbol.bind == SymbolBind.WEAK
            kind = ExternKind.KCONFIG if section == KCONFIG else ExternKind.VARIABLE
            if isinstance(declaration, Var):
                type_id = declaration.type if btf.resolve(declaration.type)[0] else 0
            elif kind is ExternKind.KCONFIG:
                problem = f"{symbol.name} is a function; a kernel's configuration has none"
                raise ObjectError(problem, file=file, section=section)
            else:
                kind = ExternKind.FUNCTION
            externs[symbol.name] = ExternSpec(symbol.name, kind, type_id, is_weak)
    return externs
