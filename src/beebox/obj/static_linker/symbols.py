"""Which definition a name stands for: the static linker's table of symbols.

A strong definition wins over weak ones, the first weak one over later ones, any definition over
externs. All that one name is in different objects must agree in type; a map must be defined the
same wherever it is named. Local symbols are each object's own. Source: libbpf's linker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from beebox.btf.compatible import difference
from beebox.btf.types import Btf
from beebox.errors import LinkError, ObjectError
from beebox.obj import maps as map_definitions
from beebox.obj.elf import SHN_LORESERVE, SHN_UNDEF, Symbol, SymbolBind, SymbolType
from beebox.obj.model import MapSpec
from beebox.obj.static_linker.inputs import Declaration, Input

_NOTHING: Final = Declaration(0, "")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where a section of an input lies: index of the output's section, first byte in it."""

    section: int
    start: int


@dataclass(frozen=True, slots=True)
class Global:
    """What a name stands for so far.

    ``owner`` defines it, or else declares it first, as ``declared``. ``section`` is that of BTF, of
    whoever names one. ``is_strong``: defined, and not to be replaced.
    """

    at: int
    owner: Input
    declared: Declaration
    section: str
    is_defined: bool
    is_strong: bool


class SymbolTable:
    """The output's symbols, one object after the other."""

    def __init__(self) -> None:
        self.symbols: list[Symbol] = []
        self.globals: dict[str, Global] = {}
        self._section_symbols: dict[int, int] = {}

    def add(self, given: Input, chunks: Mapping[int, Chunk]) -> dict[int, int]:
        """The symbols of ``given``: old to new indices, counted from the null symbol.

        Those of sections without a chunk are not among them. Raises :exc:`LinkError`.
        """
        found: dict[int, int] = {}
        for index, symbol in enumerate(given.elf.symbols[1:], 1):
            placed = symbol
            if symbol.section != SHN_UNDEF and symbol.section < SHN_LORESERVE:
                chunk = chunks.get(symbol.section)
                if chunk is None:
                    continue
                start = 0 if symbol.type == SymbolType.SECTION else chunk.start
                placed = replace(symbol, section=chunk.section, value=symbol.value + start)
            if symbol.type == SymbolType.SECTION:
                at = self._section_symbols.get(placed.section)
                if at is None:
                    at = self._section_symbols[placed.section] = self._append(placed)
                found[index] = at
            elif symbol.bind == SymbolBind.LOCAL:
                found[index] = self._append(placed)
            else:
                found[index] = self._add_global(given, placed)
        return found

    def _append(self, symbol: Symbol) -> int:
        self.symbols.append(symbol)
        return len(self.symbols)

    def _add_global(self, given: Input, symbol: Symbol) -> int:
        is_defined = symbol.section != SHN_UNDEF
        declared = given.declarations.get(symbol.name, _NOTHING)
        if not declared.type_id and not is_defined:
            problem = "this extern has no BTF; compile with -g"
            raise LinkError(problem, name=symbol.name, files=(given.file,))
        is_strong = is_defined and symbol.bind != SymbolBind.WEAK
        old = self.globals.get(symbol.name)
        if old is None:
            at = self._append(symbol)
            new = Global(at, given, declared, declared.section, is_defined, is_strong)
            self.globals[symbol.name] = new
            return at
        if old.is_strong and is_strong:
            raise _conflict("both define it", symbol.name, old, given)
        wins = is_defined and (not old.is_defined or is_strong)
        if old.is_defined and is_defined:
            section = declared.section if wins else old.section
        else:
            section = _common_section(symbol.name, old, given, declared, is_defined=is_defined)
        _check_types(symbol.name, old, given, declared)
        self._update(old.at, symbol, wins=wins)
        if wins:
            new = Global(old.at, given, declared, section, is_defined, is_strong)
        else:
            new = replace(old, section=section)
        self.globals[symbol.name] = new
        return old.at

    def _update(self, at: int, symbol: Symbol, *, wins: bool) -> None:
        """A strong name and a hidden one stay so, whoever says it."""
        old = self.symbols[at - 1]
        bind = SymbolBind.GLOBAL if symbol.bind == SymbolBind.GLOBAL else old.bind
        visibility = max(old.visibility, symbol.visibility)
        kept = symbol if wins else old
        self.symbols[at - 1] = replace(kept, bind=bind, visibility=visibility)


def _common_section(
    name: str, old: Global, given: Input, declared: Declaration, *, is_defined: bool
) -> str:
    """The BTF section of a name, at least once an extern, which whoever gives one must agree on.

    A function that is defined lies in none.
    """
    a, b = old.section, declared.section
    is_function = (old.is_defined and not a) or (is_defined and not b)
    if (is_function and (a or b)) or (a and b and a != b):
        shown = [section or "code" for section in (a, b)]
        raise _conflict(f"it is in {shown[0]} and in {shown[1]}", name, old, given)
    return a or b


def _check_types(name: str, old: Global, given: Input, declared: Declaration) -> None:
    ours, theirs = old.owner.btf, given.btf
    if ours is None or theirs is None or not old.declared.type_id or not declared.type_id:
        without = given if not declared.type_id else old.owner
        problem = f"its type is not known in {without.file}; compile with -g"
        raise _conflict(problem, name, old, given)
    if old.section == map_definitions.SECTION:
        a = _definition(name, ours, old.declared.type_id, old.owner)
        b = _definition(name, theirs, declared.type_id, given)
        problem = _map_difference(ours, a, theirs, b)
    else:
        problem = difference(ours, old.declared.type_id, theirs, declared.type_id)
    if problem:
        raise _conflict(problem, name, old, given)


def _definition(name: str, btf: Btf, type_id: int, given: Input) -> MapSpec:
    try:
        return map_definitions.declaration(btf, name, type_id)
    except ObjectError as error:
        raise LinkError(str(error), name=name, files=(given.file,)) from None


def _map_difference(ours: Btf, a: MapSpec, theirs: Btf, b: MapSpec) -> str:
    """What keeps two definitions from being of one map, inner maps included."""
    for what in ("type", "key_size", "value_size", "max_entries", "flags", "extra", "numa_node"):
        if getattr(a, what) != getattr(b, what):
            return f"the {what} of the map differ: {getattr(a, what)} and {getattr(b, what)}"
    if a.pinning != b.pinning or (a.inner is None) != (b.inner is None):
        return "one is pinned or has inner maps, the other not"
    for what in ("key_type_id", "value_type_id"):
        left, right = getattr(a, what), getattr(b, what)
        if bool(left) != bool(right):
            return f"only one definition of the map gives the type of its {what.split('_')[0]}"
        if left and (problem := difference(ours, left, theirs, right)):
            return f"{what.split('_')[0]} of the map: {problem}"
    if a.inner is not None and b.inner is not None:
        return _map_difference(ours, a.inner, theirs, b.inner)
    return ""


def _conflict(problem: str, name: str, old: Global, given: Input) -> LinkError:
    return LinkError(problem, name=name, files=(old.owner.file, given.file))
