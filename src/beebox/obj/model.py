"""What an object holds before load: pure values, deterministic, editable with ``replace``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import cached_property
from typing import Final, TypeAlias

from beebox.btf.types import Btf
from beebox.errors import ObjectError
from beebox.isa.instruction import Instruction, slots
from beebox.obj.elf import ByteOrder
from beebox.tables.core_relocations import CoreKind
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags

INNER: Final = "[]"
"""``NAME[]`` names, in facts, any inner map of the map ``NAME``: its template."""


class Pinning(IntEnum):
    """``enum libbpf_pin_type``: whether a map lives on under its name in a BPF file system."""

    NONE = 0
    BY_NAME = 1


@dataclass(frozen=True, slots=True)
class MapSpec:
    """A map to be made. ``value_size`` is one CPU's bytes, also for per-CPU maps.

    ``slots`` gives the first values of a map of maps or programs: the name of a map or function of
    the same object by key. Of a ``struct_ops`` map, whose ``contents`` is the struct as the object
    lays it out (type ``value_type_id``), they name the functions by byte offset of their member.
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
    pinning: Pinning = Pinning.NONE
    numa_node: int = 0  # with MapFlags.NUMA_NODE
    autocreate: bool = True  # a struct_ops map behind a ``?`` is made only when asked for

    @property
    def is_global_data(self) -> bool:
        """Whether the map stands for a data section of the object."""
        return self.contents is not None and self.type in {MapType.ARRAY, MapType.ARENA}


@dataclass(frozen=True, slots=True)
class CoreRelocation:
    """A CO-RE relocation of the instruction at ``pc`` of its function, as clang left it.

    ``access`` is the path from the type ``type_id`` of the object's BTF: "0:1:2".
    """

    pc: int
    kind: CoreKind
    type_id: int
    access: str


class ExternKind(Enum):
    """What an extern names: a value of the kernel's build, a variable or a function of it."""

    KCONFIG = "kconfig"
    VARIABLE = "ksym"
    FUNCTION = "kfunc"


@dataclass(frozen=True, slots=True)
class KernelSymbol:
    """A typed variable or function of the kernel: its id in the kernel's (or a module's) BTF.

    Of a struct_ops program it is the struct, ``member`` the index of the function it stands for.
    """

    btf_id: int
    module: str = ""  # "" is vmlinux
    member: int | None = None


@dataclass(frozen=True, slots=True)
class KernelAddress:
    """A variable without a type: its address, as /proc/kallsyms has it."""

    address: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A weak extern that the target does not have: its address is 0."""


@dataclass(frozen=True, slots=True)
class KconfigPlace:
    """Where a value of the build was put in the map ``.kconfig``."""

    offset: int
    size: int


Resolution: TypeAlias = KernelSymbol | KernelAddress | Missing | KconfigPlace


@dataclass(frozen=True, slots=True)
class ExternSpec:
    """A name that the object leaves to the loader (sections ``.ksyms`` and ``.kconfig``).

    ``type_id`` is, in the object's BTF, a variable's type (0: ``void``) or a function's FUNC.
    ``resolved`` is what the target has for it; None before :func:`obj.targets.resolution.resolve`.
    """

    name: str
    kind: ExternKind
    type_id: int = 0
    is_weak: bool = False
    resolved: Resolution | None = None


@dataclass(frozen=True, slots=True)
class Poisoned:
    """The instruction at ``pc`` could not be relocated, and ``why``: reaching it is an error."""

    pc: int
    why: str


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
    is_weak: bool = False
    core: tuple[CoreRelocation, ...] = ()
    poisoned: tuple[Poisoned, ...] = ()

    @property
    def autoload(self) -> bool:
        """Whether loaders load it without being asked: not so with ``?`` before its SEC() name."""
        return not self.section.startswith("?")


class FunctionTable(Mapping[str, FunctionSpec]):
    """The functions of an object that was read: each is made when it is first asked for.

    Decoding is most of the work of reading, and few programs of a large object are loaded. What is
    wrong with one function is therefore found on the way to it, as an ``InputError``.
    """

    def __init__(self, sections: Mapping[str, str], make: Callable[[str], FunctionSpec]) -> None:
        self.sections = sections
        self._make = make
        self._made: dict[str, FunctionSpec] = {}

    def __getitem__(self, name: str) -> FunctionSpec:
        if name not in self._made:
            if name not in self.sections:
                raise KeyError(name)
            self._made[name] = self._make(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self.sections

    def __iter__(self) -> Iterator[str]:
        return iter(self.sections)

    def __len__(self) -> int:
        return len(self.sections)


@dataclass(frozen=True)
class ProgramSpec:
    """One linked program: the entry function first, every subprogram it reaches behind it.

    The only symbolic operands left are ``MapRef`` and ``GlobalRef``, naming entries of ``maps``,
    and ``KsymRef`` and ``KfuncRef``, naming entries of ``externs``. ``attach_to`` is what the
    SEC() name says after the type ("sched_switch" of "tp_btf/sched_switch").
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
    attach_to: str = ""
    attach_symbol: KernelSymbol | None = None  # attach_btf_id, of types that need one
    externs: Mapping[str, ExternSpec] = field(default_factory=dict)
    poisoned: tuple[Poisoned, ...] = ()
    version: int = 0  # kern_version, which kernels before 5.0 ask of kprobes

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
    text; ``obj.writer`` writes it as ELF. ``obj.targets.resolution.resolve`` settles what depends
    on a target (CO-RE, externs, attach points); ``obj.linker.link(spec, name)`` gives a
    :class:`ProgramSpec` for each entry of :attr:`program_names`.
    """

    functions: Mapping[str, FunctionSpec]
    maps: Mapping[str, MapSpec] = field(default_factory=dict)
    license: str = ""
    btf: Btf | None = field(default=None, repr=False)
    file: str = "<object>"
    version: int = 0
    externs: Mapping[str, ExternSpec] = field(default_factory=dict)
    attach_symbols: Mapping[str, KernelSymbol] = field(default_factory=dict)
    """By program: where it attaches in the target, of types that need it (attach_btf_id)."""
    foreign: Mapping[str, bytes] = field(default_factory=dict)
    """Data sections that no loader acts on, by name: tools such as libxdp keep theirs there."""
    byte_order: ByteOrder = "little"
    """Of the machine that it was compiled for, which is the order of the bytes in its data."""

    @cached_property
    def program_names(self) -> tuple[str, ...]:
        """Functions that stand in a program section, in the object's order."""
        return tuple(name for name, section in self.sections.items() if section != ".text")

    @cached_property
    def sections(self) -> Mapping[str, str]:
        """The section of each function, by the function's name."""
        if isinstance(self.functions, FunctionTable):
            return self.functions.sections
        return {name: function.section for name, function in self.functions.items()}

    @cached_property
    def autoload_names(self) -> tuple[str, ...]:
        """The programs that are loaded when none are named: all but those behind a ``?``.

        A program of struct_ops maps is loaded for them, so not when none of them is made.
        """
        maps = [row for row in self.maps.values() if row.type is MapType.STRUCT_OPS]
        held = {name for row in maps for _, name in row.slots}
        wanted = {name for row in maps if row.autocreate for _, name in row.slots}
        return tuple(
            name
            for name in self.program_names
            if name in wanted or (name not in held and not self.sections[name].startswith("?"))
        )

    def with_slot_programs(self, names: Sequence[str]) -> tuple[str, ...]:
        """``names`` and the programs that stand in the first slots of the object's prog arrays.

        Raises :exc:`ObjectError` for a slot whose map or program is not there.
        """
        found = dict.fromkeys(names)
        for row in self.maps.values():
            if not row.autocreate:
                continue
            known = self.maps if row.inner is not None else self.program_names
            for index, held in row.slots:
                if held not in known or (row.inner is not None and not self.maps[held].autocreate):
                    problem = f"slot {index} of map {row.name} holds {held!r}, which is not there"
                    raise ObjectError(problem, file=self.file)
                if row.type is not MapType.STRUCT_OPS and not 0 <= index < 1 << 8 * row.key_size:
                    raise ObjectError(f"map {row.name} has no slot {index}", file=self.file)
                if row.inner is None:
                    found[held] = None
        return tuple(found)
