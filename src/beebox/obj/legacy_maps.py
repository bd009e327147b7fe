"""Maps in sections called ``maps``: arrays of ``struct bpf_map_def``, from before BTF.

The struct begins with type, key size, value size, entries and flags. What follows depends on who
made the object, and its size says who: aya adds an id and whether to pin (28 bytes); iproute2 an
id, how to pin, and for maps of maps the inner map's id and a slot (36 bytes). Any other addition
must be zeros, as libbpf up to 0.8 asked. Sections ``maps/NAME`` hold one each; ir-keytable calls
the section ``lirc_mode2/maps``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from beebox.errors import ObjectError
from beebox.obj.elf import Elf, Section, Symbol, SymbolType
from beebox.obj.model import INNER, MapSpec, Pinning
from beebox.tables.map_types import MAP_TYPE_BY_ID, MapFlags, MapType

_BASE_BYTES: Final = 20
_AYA_BYTES: Final = 28
_IPROUTE2_BYTES: Final = 36
_NO_SLOT: Final = 0xFFFFFFFF
_IPROUTE2_PINNINGS: Final = {0: Pinning.NONE, 2: Pinning.BY_NAME}
"""PIN_NONE and PIN_GLOBAL_NS; PIN_OBJECT_NS (1) pins below a name that only iproute2 makes."""


@dataclass(frozen=True, slots=True)
class LegacyMap:
    """A map, and what iproute2's fields say of others: by ``id`` they are meant."""

    spec: MapSpec
    section: int
    offset: int
    id: int = 0
    inner_id: int = 0
    inner_slot: int = _NO_SLOT


def is_legacy_section(name: str) -> bool:
    """Whether the section ``name`` holds such maps."""
    return name == "maps" or name.startswith("maps/") or name.endswith("/maps")


def read_legacy_maps(elf: Elf, *, file: str) -> tuple[LegacyMap, ...]:
    """The maps in the order of their places. Raises :exc:`ObjectError`."""
    found: list[LegacyMap] = []
    by_section: dict[int, list[Symbol]] = {}
    for symbol in elf.symbols:
        if symbol.type in {SymbolType.OBJECT, SymbolType.NOTYPE}:
            by_section.setdefault(symbol.section, []).append(symbol)
    for index, section in enumerate(elf.sections):
        if not is_legacy_section(section.name) or not section.size or section.is_code:
            continue
        symbols = sorted(by_section.get(index, ()), key=lambda symbol: symbol.value)
        if not symbols or section.size % len(symbols):
            problem = f"{section.size} bytes are not {len(symbols)} maps of one size"
            raise ObjectError(problem, file=file, section=section.name)
        size = section.size // len(symbols)
        contents = section.contents
        for place, symbol in enumerate(symbols):
            if symbol.value != place * size or symbol.size not in {0, size} or not symbol.name:
                problem = f"map {symbol.name} is not where one begins"
                raise ObjectError(problem, file=file, section=section.name, offset=symbol.value)
            row = contents[symbol.value : symbol.value + size]
            found.append(_read(elf, index, symbol, row, file))
    by_id: dict[int, list[LegacyMap]] = {}
    for legacy in found:
        by_id.setdefault(legacy.id, []).append(legacy)
    outer = {row.inner_id: row for row in reversed(found) if row.spec.type.value.has_inner}
    return tuple(
        _with_inner(row, by_id.get(row.inner_id, ()), file, is_filled=outer[row.inner_id] is row)
        if row.spec.type.value.has_inner
        else row
        for row in found
    )


def slot_section(name: str) -> tuple[int, int] | None:
    """(id of a prog array, slot) that iproute2 reads from a program section's name, "1/0"."""
    array, slash, slot = name.partition("/")
    if slash and array.isascii() and slot.isascii() and array.isdigit() and slot.isdigit():
        return (int(array), int(slot)) if len(name) < 24 else None
    return None


def with_programs(
    maps: Sequence[LegacyMap], programs: Sequence[tuple[str, str]], file: str
) -> dict[str, MapSpec]:
    """The maps by name, with the programs (name, section) that belong in slots of theirs.

    Raises :exc:`ObjectError` for a slot that a map does not have, or has twice.
    """
    filled: dict[str, list[tuple[int, str]]] = {}
    arrays = {row.id: row.spec.name for row in maps if row.spec.type is MapType.PROG_ARRAY}
    for name, section in programs:
        wanted = slot_section(section)
        if wanted is not None and wanted[0] in arrays:
            filled.setdefault(arrays[wanted[0]], []).append((wanted[1], name))
    found: dict[str, MapSpec] = {}
    for row in maps:
        spec = row.spec
        slots = spec.slots + tuple(sorted(filled.get(spec.name, ())))
        taken: set[int] = set()
        for slot, name in slots:
            if slot >= spec.max_entries or slot in taken:
                state = "taken" if slot in taken else "not there"
                problem = f"map {spec.name}: {name} belongs in slot {slot}, which is {state}"
                raise ObjectError(problem, file=file)
            taken.add(slot)
        found[spec.name] = replace(spec, slots=slots)
    return found


def _read(elf: Elf, index: int, symbol: Symbol, row: bytes, file: str) -> LegacyMap:
    section = elf.sections[index]
    words = [int.from_bytes(row[at : at + 4], elf.byte_order) for at in range(0, len(row) - 3, 4)]
    if len(row) < _BASE_BYTES or len(row) % 4:
        problem = f"map {symbol.name} has {len(row)} bytes, less than a definition has"
        raise _refusal(problem, file, section, symbol)
    number, key, value, entries, flags, *more = words
    if number not in MAP_TYPE_BY_ID:
        problem = f"map {symbol.name}: map type {number} is not supported"
        raise _refusal(problem, file, section, symbol)
    spec = MapSpec(symbol.name, MAP_TYPE_BY_ID[number], key, value, entries, flags=MapFlags(flags))
    pinnings = _IPROUTE2_PINNINGS if len(row) == _IPROUTE2_BYTES else dict(enumerate(Pinning))
    if len(row) in {_AYA_BYTES, _IPROUTE2_BYTES}:
        map_id, pinning, *inner = more
        if pinning not in pinnings:
            problem = f"map {symbol.name}: pinning {pinning} is not supported"
            raise _refusal(problem, file, section, symbol)
        spec = replace(spec, pinning=pinnings[pinning])
        return LegacyMap(spec, index, symbol.value, map_id, *inner)
    if any(more):
        problem = f"map {symbol.name}: unknown fields behind the first {_BASE_BYTES} bytes"
        raise _refusal(problem, file, section, symbol)
    return LegacyMap(spec, index, symbol.value)


def _with_inner(
    row: LegacyMap, inner: Sequence[LegacyMap], file: str, *, is_filled: bool
) -> LegacyMap:
    """A map of maps with its template; only the first one of an id holds the inner maps."""
    if not inner or not row.inner_id:
        problem = f"map {row.spec.name}: no map has the id {row.inner_id} of its inner maps"
        raise ObjectError(problem, file=file)
    template = replace(inner[0].spec, name=row.spec.name + INNER, pinning=Pinning.NONE)
    slots = sorted(
        (other.inner_slot, other.spec.name)
        for other in (inner if is_filled else ())
        if other.inner_slot != _NO_SLOT
    )
    return replace(row, spec=replace(row.spec, inner=template, slots=tuple(slots)))


def _refusal(problem: str, file: str, section: Section, symbol: Symbol) -> ObjectError:
    return ObjectError(problem, file=file, section=section.name, offset=symbol.value)
