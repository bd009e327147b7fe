"""Which types of a target a CO-RE relocation may mean: those of the same essential name and kind.

Modules are looked into only where the kernel itself has none. Once a relocation matched some of a
type's candidates, later ones of that type consider only those, as in libbpf: the choice of one
instruction binds the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from beebox.btf.core_access import FLAVOUR, MAX_STEPS, core_kind, essential_name, name_at
from beebox.btf.types import Btf, Struct
from beebox.btf.wire import ByteOrder, Kind
from beebox.errors import BtfError

_LOOKS: Final = 25_000
_LOOKS_PER_RELOCATION: Final = 8
"""How many candidates the relocations of one object may look at, together."""

_FIELDS: Final = 1 << 17
"""How many fields all structs that are looked into may have: anonymous ones count in each."""

_FEW: Final = 4096
"""Types whose names are looked at one by one; a kernel's are searched as one text."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A type of the target; ``module`` is "" of the kernel's own."""

    btf: Btf
    type_id: int
    module: str = ""


Path: TypeAlias = tuple[tuple[int, int], ...]
"""The struct and the index of each member on the way, the last one being the field."""


@dataclass
class Candidates:
    """The candidates for the types of one object, found when first asked for."""

    local: Btf
    kernel: Btf
    modules: Mapping[str, Btf] = field(default_factory=dict)
    byte_order: ByteOrder = "little"  # the program's
    _flavours: dict[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    _paths: dict[tuple[str, int], Mapping[str, Path]] = field(default_factory=dict)
    _by_name: dict[tuple[str, Kind | None], tuple[Candidate, ...]] = field(default_factory=dict)
    _by_type: dict[int, tuple[Candidate, ...]] = field(default_factory=dict)
    _left: int = _LOOKS
    _fields_left: int = _FIELDS

    def of(self, type_id: int) -> tuple[Candidate, ...]:
        """Those for the object's type ``type_id``, to be looked at by one relocation.

        Raises :exc:`BtfError` when the relocations of this object have looked at too many.
        """
        found = self._by_type.get(type_id)
        if found is None:
            name = essential_name(name_at(self.local, type_id))
            key = name, core_kind(self.local.type(type_id))
            if key not in self._by_name:
                self._by_name[key] = tuple(self._found(*key))
            found = self._by_type[type_id] = self._by_name[key]
        self._left += _LOOKS_PER_RELOCATION - len(found)
        if self._left < 0:
            raise BtfError("the target has too many types of this name", type_id=type_id)
        return found

    def paths(self, candidate: Candidate, type_id: int) -> Mapping[str, Path]:
        """The ways to the fields of a struct of the candidate's types, by name; {} of others.

        Raises :exc:`BtfError` when the structs of this object have too many.
        """
        key = (candidate.module, type_id)
        if key not in self._paths:
            if self._fields_left < 0:
                raise BtfError("the target's structs have too many fields", type_id=type_id)
            self._paths[key] = dict(_paths(candidate.btf, type_id, (), set()))
            self._fields_left -= len(self._paths[key])
        return self._paths[key]

    def keep(self, type_id: int, matched: tuple[Candidate, ...]) -> None:
        """From now on only ``matched`` count."""
        self._by_type[type_id] = matched

    def _found(self, name: str, kind: Kind | None) -> Iterator[Candidate]:
        any_there = False
        for candidate in self._named(self.kernel, "", name, kind):
            any_there = True
            yield candidate
        if any_there:
            return
        for module, btf in self.modules.items():
            yield from self._named(btf, module, name, kind)

    def _named(self, btf: Btf, module: str, name: str, kind: Kind | None) -> Iterator[Candidate]:
        """The own types of ``btf`` with this name, whatever their flavour."""
        if module not in self._flavours:
            self._flavours[module] = flavours(btf)
        names = (name, *self._flavours[module].get(name, ()))
        for type_id in sorted(found for each in names for found in btf.named(each)):
            if type_id >= btf.first_id and core_kind(btf.type(type_id)) is kind:
                yield Candidate(btf, type_id, module)


def _paths(btf: Btf, type_id: int, before: Path, seen: set[int]) -> Iterator[tuple[str, Path]]:
    """Each name once: the first that is met, going into anonymous members where they stand."""
    row = btf.type(type_id)
    if len(before) >= MAX_STEPS:
        raise BtfError("types nest too deeply", type_id=type_id)
    named: set[str] = set()
    for index, member in enumerate(row.members if isinstance(row, Struct) else ()):
        path = (*before, (type_id, index))
        inner, _ = btf.resolve(member.type)
        if member.name:
            found: Iterable[tuple[str, Path]] = ((member.name, path),)
        elif inner in seen:
            found = ()
        else:
            seen.add(inner)
            found = _paths(btf, inner, path, seen)
        for name, way in found:
            if name not in named:
                named.add(name)
                yield name, way


def flavours(btf: Btf) -> dict[str, tuple[str, ...]]:
    """The names with a flavour that own types of ``btf`` may have, by the name without it."""
    if btf.strings is None or len(btf.types) < _FEW:
        texts = {name_at(btf, type_id) for type_id, _ in btf.items()}
    else:
        texts = set(_with_separator(btf.strings.data))
    by_name: dict[str, list[str]] = {}
    for text in sorted(texts):
        name = essential_name(text)
        if name != text:
            by_name.setdefault(name, []).append(text)
    return {name: tuple(rows) for name, rows in by_name.items()}


def _with_separator(data: bytes) -> Iterator[str]:
    """The strings with three underscores in a string section."""
    separator = FLAVOUR.encode()
    at = data.find(separator)
    while at >= 0:
        start, end = data.rfind(b"\0", 0, at) + 1, data.find(b"\0", at)
        yield data[start:end].decode(errors="replace")
        at = data.find(separator, end)
