"""One .BTF and .BTF.ext out of several: the static linker's second half.

A name has one VAR or FUNC, its definition's, wherever it is mentioned; a section has one DATASEC.
The rest is put one behind the other and then deduplicated. Source: libbpf's linker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from beebox.btf import ext
from beebox.btf.dedup import dedup
from beebox.btf.remap import remapped
from beebox.btf.types import Btf, Datasec, DeclTag, Func, Linkage, SectionVar, Type, Var
from beebox.errors import LinkError
from beebox.obj.static_linker.inputs import EXTERN, Input
from beebox.obj.static_linker.symbols import Chunk, Global

_Place = tuple[Input, int]
_Row = TypeVar("_Row")


def merged(
    inputs: Mapping[Input, Mapping[str, Chunk]],
    names: Mapping[str, Global],
    sizes: Mapping[str, int],
) -> tuple[Btf, ext.Ext]:
    """The types of all ``inputs``, whose sections' chunks go by name, and their records.

    ``names`` are the resolved globals, ``sizes`` the bytes of the output's sections. Raises
    :exc:`LinkError`, and :exc:`BtfError` for types that no compiler makes.
    """
    merger = _Merger(inputs, names)
    btf, ids = dedup(merger.types(sizes))
    records = merger.records()
    functions = {
        name: tuple(replace(row, type_id=ids[row.type_id]) for row in rows)
        for name, rows in records.functions.items()
    }
    core = {
        name: tuple(replace(row, type_id=ids[row.type_id]) for row in rows)
        for name, rows in records.core.items()
    }
    return btf, ext.Ext(functions, records.lines, core)


class _Merger:
    def __init__(
        self, inputs: Mapping[Input, Mapping[str, Chunk]], names: Mapping[str, Global]
    ) -> None:
        self._inputs = inputs
        self._names = names
        self._kept: list[tuple[Input, Type]] = []
        self._ids: dict[_Place, int] = {}
        for given in inputs:
            self._number(given)
        for given in inputs:
            self._follow(given)

    def _number(self, given: Input) -> None:
        """New ids for what ``given`` contributes; losers and DATASECs follow later."""
        dropped = self._dropped(given)
        for type_id, row in given.btf.items() if given.btf else ():
            target = row.type if isinstance(row, DeclTag) else type_id
            if isinstance(row, Datasec) or target in dropped or self._winner(given, type_id, row):
                continue
            self._kept.append((given, row))
            self._ids[given, type_id] = len(self._kept)

    def _follow(self, given: Input) -> None:
        for type_id, row in given.btf.items() if given.btf else ():
            winner = self._winner(given, type_id, row)
            if winner is not None and winner in self._ids:
                self._ids[given, type_id] = self._ids[winner]

    def _winner(self, given: Input, type_id: int, row: Type) -> _Place | None:
        """Whose VAR or FUNC stands for that of ``given``; None when it is its own."""
        if not given.is_shared(row):
            return None
        found = self._names.get(row.name)
        if found is None or found.owner.btf is None or not found.declared.type_id:
            return None
        winner = (found.owner, found.declared.type_id)
        same_kind = type(found.owner.btf.type(found.declared.type_id)) is type(row)
        return winner if same_kind and winner != (given, type_id) else None

    def _dropped(self, given: Input) -> set[int]:
        """The variables of sections that do not go into the output: a second license."""
        found: set[int] = set()
        for row in given.btf.types if given.btf else ():
            if isinstance(row, Datasec) and self._is_dropped(given, row):
                found |= {var.type for var in row.vars}
        return found

    def _is_dropped(self, given: Input, row: Datasec) -> bool:
        is_there = given.elf.find(row.name) is not None
        return is_there and row.name not in self._inputs[given]

    def types(self, sizes: Mapping[str, int]) -> Btf:
        """Every type, and one DATASEC for each section that has one somewhere."""
        rows = [remapped(row, self._new_id_in(given)) for given, row in self._kept]
        placed: dict[str, list[SectionVar]] = {}
        named: dict[str, tuple[str, SectionVar]] = {}
        for given, chunks in self._inputs.items():
            for section in given.btf.types if given.btf else ():
                if not isinstance(section, Datasec) or section.name == EXTERN:
                    continue
                if self._is_dropped(given, section):
                    continue
                start = chunks[section.name].start if section.name in chunks else 0
                there = placed.setdefault(section.name, [])
                for var in given.placed(section):
                    moved = self._moved(given, var, start)
                    name = self._name_of(given, var)
                    if name is None:
                        there.append(moved)
                    elif name not in named or self._names[name].owner is given:
                        named[name] = (section.name, moved)
        for section_name, var in named.values():
            placed[section_name].append(var)
        for name, there in placed.items():
            there.sort(key=lambda var: var.offset)
            rows.append(Datasec(name, sizes.get(name, 0), tuple(there)))
        return Btf(tuple(rows))

    def _new_id_in(self, given: Input) -> _NewId:
        return _NewId(self._ids, given)

    def _moved(self, given: Input, var: SectionVar, start: int) -> SectionVar:
        row = given.btf.type(var.type) if given.btf else None
        is_extern = isinstance(row, Var | Func) and row.linkage is Linkage.EXTERN
        offset = var.offset if is_extern else start + var.offset
        return SectionVar(self._new_id_in(given)(var.type), offset, var.size)

    def _name_of(self, given: Input, var: SectionVar) -> str | None:
        """The global that a place in a section is for; None for static variables."""
        row = given.btf.type(var.type) if given.btf else None
        if given.is_shared(row):
            return row.name if row.name in self._names else None
        return None

    def records(self) -> ext.Ext:
        """Function, line and CO-RE records where their code went."""
        functions: dict[str, list[ext.FuncRecord]] = {}
        lines: dict[str, list[ext.LineRecord]] = {}
        core: dict[str, list[ext.CoreRecord]] = {}
        for given, chunks in self._inputs.items():
            new = self._new_id_in(given)
            for name, functions_there in given.ext.functions.items():
                start = _start(given, chunks, name)
                functions.setdefault(name, []).extend(
                    replace(row, offset=row.offset + start, type_id=new(row.type_id))
                    for row in functions_there
                )
            for name, lines_there in given.ext.lines.items():
                start = _start(given, chunks, name)
                lines.setdefault(name, []).extend(
                    replace(row, offset=row.offset + start) for row in lines_there
                )
            for name, core_there in given.ext.core.items():
                start = _start(given, chunks, name)
                core.setdefault(name, []).extend(
                    replace(row, offset=row.offset + start, type_id=new(row.type_id))
                    for row in core_there
                )
        return ext.Ext(_frozen(functions), _frozen(lines), _frozen(core))


class _NewId:
    """Ids of one input as they are in the output."""

    def __init__(self, ids: Mapping[_Place, int], given: Input) -> None:
        self._ids = ids
        self._given = given

    def __call__(self, type_id: int) -> int:
        found = self._ids.get((self._given, type_id))
        if found is None and type_id:
            problem = "types refer to a section, or to a variable of one that is not linked"
            raise LinkError(problem, name=f"type {type_id}", files=(self._given.file,))
        return found or 0


def _start(given: Input, chunks: Mapping[str, Chunk], name: str) -> int:
    chunk = chunks.get(name)
    if chunk is None:
        problem = ".BTF.ext has records for this section, which is not there"
        raise LinkError(problem, name=name, files=(given.file,))
    return chunk.start


def _frozen(table: Mapping[str, Sequence[_Row]]) -> dict[str, tuple[_Row, ...]]:
    return {name: tuple(rows) for name, rows in table.items()}
