"""What an object holds before load: pure values, deterministic, editable with ``replace``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from beebox.btf.types import Btf
from beebox.errors import ObjectError
from beebox.isa.instruction import Instruction, slots
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags

INNER: Final = "[]"
"""``NAME[]`` names, in facts, any inner map of the map ``NAME``: its template."""


@dataclass(frozen=True, slots=True)
class MapSpec:
    """A map to be made. ``value_size`` is one CPU's bytes, also for per-CPU maps.

    ``slots`` gives the first values of a map of maps or programs: the name of a map or function of
    the same object by key.
    """

    name: str
    type: MapType
    key_size: int
    value_size: int
    max_entries: int
    flags: MapFlags = MapFlags.NONE
    key_type_id: int = 0  # in the object's BTF; 0: unknown
    value_type_id: int = 0
    contents: bytes | None = None  # a global-data map (.data, .rodata, .bss): its only value
    frozen: bool = False  # .rodata: neither programs nor user space may write after load
    extra: int = 0  # map_extra: a bloom filter's number of hashes
    inner: MapSpec | None = None  # of a map of maps: what each inner map must be like
    slots: tuple[tuple[int, str], ...] = ()

    @property
    def is_global_data(self) -> bool:
        """Whether the map stands for a data section of the object."""
        return self.contents is not None


@dataclass(frozen=True, slots=True)
class LineInfo:
    """From ``pc`` on: the source place. ``line`` and ``column`` count from 1; 0 is unknown."""

    pc: int
    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class FuncInfo:
    """A function starts at ``pc``; ``type_id`` is its BTF FUNC, 0 when the object has none."""

    pc: int
    name: str
    type_id: int = 0


@dataclass(frozen=True, slots=True)
class VarRange:
    """For pcs in ``[start, end)`` the source variable ``name`` lives in a register or stack slot.

    Exactly one of ``reg`` (0-10) and ``stack_offset`` (relative to R10, negative) is set.
    """

    start: int
    end: int
    name: str
    reg: int | None = None
    stack_offset: int | None = None


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One function symbol of an object before linking; pcs count from its own first slot."""

    name: str
    section: str
    insns: tuple[Instruction, ...]
    lines: tuple[LineInfo, ...] = ()
    type_id: int = 0
    variables: tuple[VarRange, ...] = ()
    is_global: bool = True


@dataclass(frozen=True)
class ProgramSpec:
    """One linked program: the entry function first, every subprogram it reaches behind it.

    The only symbolic operands left are ``MapRef`` and ``GlobalRef``, naming entries of ``maps``.
    """

    name: str
    section: str
    type: ProgramType
    insns: tuple[Instruction, ...]
    maps: Mapping[str, MapSpec]
    attach_type: AttachType | None = None
    flags: ProgramFlags = ProgramFlags.NONE
    license: str = "GPL"
    lines: tuple[LineInfo, ...] = ()
    functions: tuple[FuncInfo, ...] = ()
    variables: tuple[VarRange, ...] = ()
    btf: Btf | None = None

    @cached_property
    def slots(self) -> tuple[Instruction | None, ...]:
        """The instructions indexed by pc; None is the second slot of a 16-byte one."""
        return slots(self.insns)

    def map_named(self, name: str) -> MapSpec | None:
        """The map that a fact names: one of :attr:`maps`, or the template of its inner maps."""
        outer = self.maps.get(name.removesuffix(INNER))
        return outer.inner if outer is not None and name.endswith(INNER) else outer

    @cached_property
    def _line_by_pc(self) -> dict[int, LineInfo]:
        by_pc: dict[int, LineInfo] = {}
        starts = {info.pc: info for info in self.lines}
        current: LineInfo | None = None
        for pc in range(len(self.slots)):
            current = starts.get(pc, current)
            if current is not None:
                by_pc[pc] = current
        return by_pc

    def line_at(self, pc: int) -> LineInfo | None:
        """The source place that ``pc`` belongs to, if the object has line info."""
        return self._line_by_pc.get(pc)

    def variable_at(self, pc: int, *, reg: int) -> str | None:
        """The source name of the value in ``reg`` at ``pc``, if known."""
        for var in self.variables:
            if var.reg == reg and var.start <= pc < var.end:
                return var.name
        return None


@dataclass(frozen=True)
class ObjectSpec:
    """A whole object: functions by name, maps by name, license, BTF.

    ``obj.reader`` makes it from ELF bytes, ``compiler`` from Python, ``obj.assembly`` from ``.s``
    text; ``obj.writer`` writes it as ELF; ``obj.linker.link(spec, name)`` gives a
    :class:`ProgramSpec` for each entry of :attr:`program_names`.
    """

    functions: Mapping[str, FunctionSpec]
    maps: Mapping[str, MapSpec] = field(default_factory=dict)
    license: str = ""
    btf: Btf | None = None
    file: str = "<object>"
    version: int = 0

    @cached_property
    def program_names(self) -> tuple[str, ...]:
        """Functions that stand in a program section, in the object's order."""
        return tuple(
            name for name, function in self.functions.items() if function.section != ".text"
        )

    def with_slot_programs(self, names: Sequence[str]) -> tuple[str, ...]:
        """``names`` and the programs that stand in the first slots of the object's prog arrays.

        Raises :exc:`ObjectError` for a slot whose map or program is not there.
        """
        found = dict.fromkeys(names)
        for row in self.maps.values():
            known = self.maps if row.inner is not None else self.program_names
            for index, held in row.slots:
                if held not in known:
                    problem = f"slot {index} of map {row.name} holds {held!r}, which is not there"
                    raise ObjectError(problem, file=self.file)
                if row.inner is None:
                    found[held] = None
        return tuple(found)
