"""The real kernel as a Backend: an object's maps made, its programs linked, patched and loaded."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from beebox.errors import InputError, NotSupportedError, SyscallError
from beebox.linux.features import why_not
from beebox.linux.load import LOG_STATS, Handles, Verdict, load_program, verdict
from beebox.linux.maps import MapMaker
from beebox.linux.modules import ModuleTypes
from beebox.linux.object_types import LoadedTypes, for_kernel, load_types
from beebox.linux.objects import LinuxMap, LinuxProgram
from beebox.linux.pins import DEFAULT_ROOT
from beebox.linux.syscall import Bpf, bpf
from beebox.obj.linker import link
from beebox.obj.model import ObjectSpec, Pinning, ProgramSpec
from beebox.obj.struct_ops import Layout, layout, program_symbols
from beebox.obj.targets.host import host
from beebox.obj.targets.resolution import resolve
from beebox.obj.targets.target import Target
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType


class LinuxCollection:
    """An object in the kernel; closing it closes every program and map, in that order."""

    def __init__(
        self,
        programs: Mapping[str, LinuxProgram],
        maps: Mapping[str, LinuxMap],
        resources: ExitStack,
        struct_ops_values: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        self._programs = MappingProxyType(dict(programs))
        self._maps = MappingProxyType(dict(maps))
        self._resources = resources
        self._struct_ops_values = MappingProxyType(dict(struct_ops_values))

    @property
    def programs(self) -> Mapping[str, LinuxProgram]:
        """By name."""
        return self._programs

    @property
    def maps(self) -> Mapping[str, LinuxMap]:
        """By name, global data included."""
        return self._maps

    @property
    def struct_ops_values(self) -> Mapping[str, bytes]:
        """What registers each struct_ops map: its value, with descriptors of the programs."""
        return self._struct_ops_values

    def close(self) -> None:
        """Close everything; twice is harmless."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class LinuxKernel:
    """The kernel this process runs on. ``door`` stands in for bpf(2) in tests.

    Maps that ask to be pinned by name live in the folder ``pin_root`` of a BPF file system.
    ``target`` is whose types CO-RE relocates against, by default this kernel's own; symbols are
    always looked up in this kernel.
    """

    def __init__(
        self, door: Bpf = bpf, *, pin_root: Path = DEFAULT_ROOT, target: Target | None = None
    ) -> None:
        self._door = door
        self._pin_root = pin_root
        self._target = target

    @property
    def name(self) -> str:
        """As ``--kernel`` calls it."""
        return "linux"

    def load(self, spec: ObjectSpec, *, programs: Sequence[str] | None = None) -> LinuxCollection:
        """Make every map, then load the programs: those named, else all without a ``?``.

        Raises :exc:`RejectedError` with the kernel's log, :exc:`NotSupportedError` when this
        process may not use bpf(2), :exc:`SyscallError` for other refusals. Nothing stays open
        or pinned after an error.
        """
        names = spec.autoload_names if programs is None else tuple(programs)
        for name in names:
            if name not in spec.program_names:
                known = ", ".join(spec.program_names) or "none"
                raise InputError(f"{spec.file}: no program {name} (there are: {known})")
        names = spec.with_slot_programs(names)
        spec = resolve(spec, self._target, names, kernel=host())
        layouts = {
            name: layout(row, spec.btf, host())
            for name, row in spec.maps.items()
            if row.type is MapType.STRUCT_OPS
            and (row.autocreate or any(held in names for _, held in row.slots))
        }
        symbols = {**spec.attach_symbols, **program_symbols(layouts)}
        spec = replace(spec, attach_symbols=symbols)
        linked = {name: link(spec, name) for name in names}
        for program in linked.values():
            if program.type is ProgramType.EXT and program.attach_symbol is None:
                feature = f"{program.name}: replacing {program.attach_to} of a loaded program"
                raise NotSupportedError(feature, hint="which program cannot be said yet")
        with (
            ExitStack() as resources,
            ExitStack() as on_failure,
            closing(ModuleTypes(self._door)) as modules,
        ):
            try:
                types = self._load_types(spec, tuple(linked.values()), on_failure)
                fd = types.fd if types is not None else None
                maker = MapMaker(
                    spec.file, spec.btf, fd, layouts, modules, self._pin_root, self._door
                )
                maps = _make_maps(spec, maker, resources, on_failure)
                loaded = self._load_programs(linked, maps, types, modules, resources)
                _fill_slots(spec, maps, loaded)
            except SyscallError as error:
                reason = why_not(self._door)
                if reason is None:
                    raise
                raise NotSupportedError("the linux kernel backend here", hint=reason) from error
            if types is not None:
                types.fd.close()
            on_failure.pop_all()
            values = {
                name: _with_programs(row, loaded)
                for name, row in layouts.items()
                if all(slot.program in loaded for slot in row.slots)
            }
            return LinuxCollection(loaded, maps, resources.pop_all(), values)

    def verdict(self, spec: ProgramSpec, *, log_level: int = LOG_STATS) -> Verdict:
        """What this kernel says of a linked program; nothing stays loaded, its maps unpinned."""
        with ExitStack() as resources:
            maps = {
                name: replace(row, pinning=Pinning.NONE, slots=())
                for name, row in spec.maps.items()
            }
            alone = ObjectSpec({}, maps, btf=spec.btf, externs=spec.externs)
            types = self._load_types(alone, (spec,), resources)
            fd = types.fd if types is not None else None
            maker = MapMaker("", spec.btf, fd, door=self._door)
            live = _make_maps(alone, maker, resources, resources)
            fds = {name: row.fd for name, row in live.items()}
            modules = resources.enter_context(closing(ModuleTypes(self._door)))
            debug = types.debug[spec.name] if types is not None else None
            handles = Handles(fds, debug, modules)  # a type of the maps is a type of the program
            return verdict(spec, fds, log_level=log_level, door=self._door, handles=handles)

    def _load_types(
        self, spec: ObjectSpec, programs: Sequence[ProgramSpec], resources: ExitStack
    ) -> LoadedTypes | None:
        if spec.btf is None:
            return None
        btf = for_kernel(spec.btf, spec.externs, maps=spec.maps)
        types = load_types(btf, programs, self._door)
        resources.callback(types.fd.close)
        return types

    def _load_programs(
        self,
        linked: Mapping[str, ProgramSpec],
        maps: Mapping[str, LinuxMap],
        types: LoadedTypes | None,
        modules: ModuleTypes,
        resources: ExitStack,
    ) -> dict[str, LinuxProgram]:
        fds = {name: live.fd for name, live in maps.items()}
        loaded: dict[str, LinuxProgram] = {}
        for name, program in linked.items():
            debug = types.debug[name] if types is not None else None
            handles = Handles(fds, debug, modules)
            try:
                fd = load_program(program, fds, self._door, handles=handles)
            except SyscallError as error:
                if error.errno != errno.EPERM or why_not(self._door) is not None:
                    raise
                feature = f"{name}: loading a {program.type.value.name} program ({program.section})"
                hint = "other programs load: this kernel was built without these, or forbids them"
                raise NotSupportedError(feature, hint=hint) from error
            loaded[name] = resources.enter_context(LinuxProgram(program, fd, self._door))
        return loaded


def _make_maps(
    spec: ObjectSpec, maker: MapMaker, resources: ExitStack, on_failure: ExitStack
) -> dict[str, LinuxMap]:
    return {
        name: resources.enter_context(maker.make(row, on_failure))
        for name, row in spec.maps.items()
        if row.autocreate
    }


def _with_programs(row: Layout, programs: Mapping[str, LinuxProgram]) -> bytes:
    value = bytearray(row.value)
    for slot in row.slots:
        value[slot.offset : slot.offset + 8] = programs[slot.program].fd.to_bytes(8, "little")
    return bytes(value)


def _fill_slots(
    spec: ObjectSpec, maps: Mapping[str, LinuxMap], programs: Mapping[str, LinuxProgram]
) -> None:
    """The first elements of maps of maps and of programs."""
    for name, row in spec.maps.items():
        if row.type is MapType.STRUCT_OPS or not row.autocreate:
            continue
        for index, held in row.slots:
            value = maps[held] if row.inner is not None else programs[held]
            maps[name].update(index.to_bytes(row.key_size, "little"), value)
