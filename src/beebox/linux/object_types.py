"""An object's BTF as the kernel takes it, loaded once for all its maps and programs.

Linux knows no extern in BTF: what ``.ksyms`` and ``.kconfig`` declare is written as if it were
defined here, which is how libbpf passes it, too. Nothing else is changed: a kernel too old for a
kind of type refuses the object and says so. (libbpf goes on with poorer types then, and what needs
them fails later, with another message.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from beebox.btf.builder import Builder
from beebox.btf.codec import encode
from beebox.btf.ext import LineRecord, pack_func, pack_line
from beebox.btf.strings import StringTable
from beebox.btf.types import Btf, Datasec, Func, FuncProto, Int, Linkage, SectionVar, Var
from beebox.errors import SyscallError
from beebox.linux import attrs
from beebox.linux.syscall import Bpf, Command, Fd, bpf
from beebox.obj.model import ExternSpec, KconfigPlace, MapSpec, ProgramSpec

KSYMS: Final = ".ksyms"
KCONFIG: Final = ".kconfig"
_PLACEHOLDER: Final = "extern"
_PLACEHOLDER_BYTES: Final = 4
_LOG_BYTES_MAX: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class LoadedTypes:
    """The BTF in the kernel, and each program's records that refer to it, by program name."""

    fd: Fd
    debug: Mapping[str, attrs.DebugInfo]


def load_types(btf: Btf, programs: Sequence[ProgramSpec], door: Bpf = bpf) -> LoadedTypes:
    """Load ``btf`` with the line texts of ``programs``. Close ``fd`` of the result.

    Raises :exc:`SyscallError` with the kernel's log when it refuses the BTF.
    """
    strings = StringTable()
    records = {spec.name: _records(spec, strings) for spec in programs}
    data = encode(btf, strings)
    try:
        loaded = Fd(door(Command.BTF_LOAD, attrs.btf_load(data)), "BTF")
    except SyscallError as error:
        raise _refused(data, error, door) from None
    debug = {name: attrs.DebugInfo(loaded.number, *found) for name, found in records.items()}
    return LoadedTypes(loaded, debug)


def _records(spec: ProgramSpec, strings: StringTable) -> tuple[bytes, bytes]:
    """func_info and line_info. Lines alone are refused, and functions without a type have none."""
    if not all(info.type_id for info in spec.functions):
        return b"", b""
    lines = b"".join(
        pack_line(LineRecord(0, info.file, info.line, info.column, info.text), info.pc, strings)
        for info in spec.lines
    )
    return b"".join(pack_func(info.pc, info.type_id) for info in spec.functions), lines


def _refused(data: bytes, error: SyscallError, door: Bpf) -> SyscallError:
    attr = attrs.btf_load(data, log_bytes=_LOG_BYTES_MAX)
    try:
        Fd(door(Command.BTF_LOAD, attr), "BTF").close()
    except SyscallError as again:
        return SyscallError(again.call, again.errno or 0, log=attrs.btf_load_log(attr))
    return error


def for_kernel(btf: Btf, externs: Mapping[str, ExternSpec], *, maps: Mapping[str, MapSpec]) -> Btf:
    """``btf`` without externs; variables of the build lie in ``.kconfig`` where ``externs`` say."""
    changed = {
        type_id: replace(row, linkage=Linkage.GLOBAL)
        for type_id, row in btf.items()
        if isinstance(row, Func | Var) and row.linkage is Linkage.EXTERN
    }
    sections = {
        type_id: row
        for type_id, row in btf.items()
        if isinstance(row, Datasec) and row.name in {KSYMS, KCONFIG}
    }
    if not changed and not sections:
        return btf
    builder = Builder(btf)
    for type_id, row in changed.items():
        builder.replace(type_id, row)
        if isinstance(row, Func):
            _name_parameters(builder, btf, row)
    for type_id, section in sections.items():
        placed = (
            _placeholders(builder, btf, section)
            if section.name == KSYMS
            else _kconfig(btf, section, externs, maps)
        )
        # A section of nothing is refused, and a row cannot be taken out without renumbering.
        builder.replace(type_id, placed if placed.vars else Int("unsigned char", 1, 8))
    return builder.build()


def _name_parameters(builder: Builder, btf: Btf, function: Func) -> None:
    """Linux wants a name for every parameter of a function, which declarations may leave out."""
    proto = btf.type(function.type)
    if isinstance(proto, FuncProto) and any(row.type and not row.name for row in proto.params):
        params = tuple(
            replace(row, name=row.name or _PLACEHOLDER) if row.type else row for row in proto.params
        )
        builder.replace(function.type, replace(proto, params=params))


def _placeholders(builder: Builder, btf: Btf, section: Datasec) -> Datasec:
    """``.ksyms`` as ints in a row: a function cannot lie in a section, nor can a void."""
    integer = builder.signed_int()
    dummy = builder.variable(_PLACEHOLDER, integer)
    placed: list[SectionVar] = []
    for row in section.vars:
        variable = btf.type(row.type)
        there = dummy
        if isinstance(variable, Var):
            builder.replace(row.type, Var(variable.name, integer, Linkage.GLOBAL))
            there = row.type
        place = len(placed) * _PLACEHOLDER_BYTES
        placed.append(SectionVar(there, place, _PLACEHOLDER_BYTES))
    return Datasec(section.name, len(placed) * _PLACEHOLDER_BYTES, tuple(placed))


def _kconfig(
    btf: Btf,
    section: Datasec,
    externs: Mapping[str, ExternSpec],
    maps: Mapping[str, MapSpec],
) -> Datasec:
    placed: list[SectionVar] = []
    for row in section.vars:
        variable = btf.type(row.type)
        found = externs.get(variable.name) if isinstance(variable, Var) else None
        if found is not None and isinstance(found.resolved, KconfigPlace):
            placed.append(SectionVar(row.type, found.resolved.offset, found.resolved.size))
    placed.sort(key=lambda row: row.offset)
    size = maps[KCONFIG].value_size if KCONFIG in maps else 0
    return Datasec(section.name, size, tuple(placed))
