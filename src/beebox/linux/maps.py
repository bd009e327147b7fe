"""Maps of an object, made in the kernel as libbpf makes them: names, types, contents, pins."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from beebox.btf.types import Btf, Datasec, Linkage, Var
from beebox.errors import BeeboxError, MapError, SyscallError
from beebox.linux import attrs, pins
from beebox.linux.modules import ModuleTypes
from beebox.linux.objects import LinuxMap, possible_cpus
from beebox.linux.syscall import Bpf, Command, Fd, bpf, write_mapped
from beebox.obj.map_rules import check_spec
from beebox.obj.model import MapSpec, Pinning
from beebox.obj.struct_ops import Layout
from beebox.tables.limits import OBJECT_NAME_BYTES
from beebox.tables.map_types import MapFlags, MapType

_LEAST_SUFFIX: Final = 7
"""What of a data section's name is kept in any case: ".rodata"."""


def kernel_name(file: str, name: str) -> str:
    """What the kernel is told a map is called; ``file`` is the object's.

    A data section gets the object's name before it, as far as 15 characters go, unless it is one
    of several (``.data.hot``): then its own name says enough.
    """
    if not name.startswith("."):
        return name
    suffix = min(max(_LEAST_SUFFIX, len(name)), OBJECT_NAME_BYTES - 1)
    stem = "" if file.startswith("<") else Path(file).name.partition(".")[0]
    prefix = 0 if "." in name[1:] else max(0, OBJECT_NAME_BYTES - 1 - suffix)
    return stem[:prefix] + name[:suffix]


def _ring_bytes(wanted: int) -> int:
    """The next power of two of pages; nothing stays nothing, for the kernel to refuse."""
    page = os.sysconf("SC_PAGE_SIZE")
    pages = -(-wanted // page)
    return page << (pages - 1).bit_length() if wanted else 0


def _explained(spec: MapSpec, error: SyscallError) -> SyscallError | MapError:
    """The kernel's refusal of a map, with the rule that it breaks where we know it."""
    try:
        check_spec(spec)
    except MapError as rule:
        if rule.errno == error.errno:
            return rule
    return SyscallError(f"{error.call} of {spec.name}", error.errno or 0)


@dataclass(frozen=True)
class MapMaker:
    """What the maps of one object are made with. ``layouts`` are those of its struct_ops maps.

    ``btf`` is a descriptor of ``types``, the object's.
    """

    file: str
    types: Btf | None = None
    btf: Fd | None = None
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    modules: ModuleTypes = field(default_factory=ModuleTypes)
    pin_root: Path = pins.DEFAULT_ROOT
    door: Bpf = bpf

    def make(self, spec: MapSpec, on_failure: ExitStack) -> LinuxMap:
        """A live map with its first contents; slots are filled later, when there is what for.

        ``on_failure`` gets what undoes more than closing does: a pin that was made. Raises
        :exc:`SyscallError`, and :exc:`MapError` when another map is pinned under the name.
        """
        spec = self._adjusted(spec)
        if spec.pinning is Pinning.BY_NAME:
            path = pins.path_of(self.pin_root, spec.name)
            found = pins.find_pinned(path, spec, self.door)
            if found is not None:
                return LinuxMap(spec, found, self.door)
            live = self._filled(spec)
            try:
                pins.pin(path, live.fd, self.door)
            except BeeboxError:
                live.close()
                raise
            on_failure.callback(path.unlink, missing_ok=True)
            return live
        return self._filled(spec)

    def _adjusted(self, spec: MapSpec) -> MapSpec:
        """``spec`` with what only this machine knows."""
        match spec.type:
            case MapType.PERF_EVENT_ARRAY if spec.max_entries == 0:
                return replace(spec, max_entries=possible_cpus())
            case MapType.RINGBUF | MapType.USER_RINGBUF:
                return replace(spec, max_entries=_ring_bytes(spec.max_entries))
            case MapType.STRUCT_OPS if spec.name in self.layouts:
                row = self.layouts[spec.name]
                flags = spec.flags | (MapFlags.VTYPE_BTF_OBJ_FD if row.module else MapFlags.NONE)
                size = len(row.value)
                return replace(spec, key_size=4, value_size=size, max_entries=1, flags=flags)
            case MapType.ARRAY if spec.contents is not None and self._is_shared(spec):
                return replace(spec, flags=spec.flags | MapFlags.MMAPABLE)
            case _:
                return spec

    def _is_shared(self, spec: MapSpec) -> bool:
        """Whether user space may want to map a data section: it holds more than statics."""
        if self.types is None or not spec.value_type_id:
            return False
        section = self.types.type(spec.value_type_id)
        placed = section.vars if isinstance(section, Datasec) else ()
        rows = [self.types.type(row.type) for row in placed]
        return any(isinstance(row, Var) and row.linkage is not Linkage.STATIC for row in rows)

    def _filled(self, spec: MapSpec) -> LinuxMap:
        live = self._create(spec)
        with ExitStack() as on_failure:
            on_failure.callback(live.close)
            if spec.contents is not None:
                self._fill(live, spec, spec.contents)
            if spec.frozen:
                live.freeze()
            on_failure.pop_all()
        return live

    @staticmethod
    def _fill(live: LinuxMap, spec: MapSpec, contents: bytes) -> None:
        match spec.type:
            case MapType.ARENA:
                size = spec.max_entries * os.sysconf("SC_PAGE_SIZE")
                write_mapped(live.fd, size, contents, address=spec.extra)
            case MapType.STRUCT_OPS:
                pass  # registering it is attaching it
            case _:
                live.update(bytes(4), contents)

    def _create(self, spec: MapSpec) -> LinuxMap:
        """As libbpf: without the types where the kernel will not have them (keys of a trie, ...).

        Programs that need them, for a lock say, are refused later.
        """
        with ExitStack() as resources:
            inner = 0
            if spec.inner is not None:
                inner = resources.enter_context(self._create(spec.inner)).fd
            try:
                fd = self._try(spec, inner, self._types(spec))
            except SyscallError as error:
                failure = _explained(spec, error)
                if not any(self._types(spec)[1:]) or error.errno == errno.EPERM:
                    raise failure from None
                try:
                    fd = self._try(spec, inner, (0, 0, 0))
                except SyscallError:
                    raise failure from None
            return LinuxMap(spec, fd, self.door)

    def _types(self, spec: MapSpec) -> tuple[int, int, int]:
        if self.btf is None or spec.type.value.no_btf:
            return 0, 0, 0
        # The value of a struct_ops map has a type of the kernel, not of the object.
        value = 0 if spec.type is MapType.STRUCT_OPS else spec.value_type_id
        return self.btf.number, spec.key_type_id, value

    def _try(self, spec: MapSpec, inner_fd: int, types: tuple[int, int, int]) -> Fd:
        kernel_type = (0, 0)
        if spec.name in self.layouts:
            layout = self.layouts[spec.name]
            kernel_type = (layout.value_type_id, self.modules.fd(layout.module))
        attr = attrs.map_create(
            spec.type.value.id,
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            spec.flags.value,
            name=kernel_name(self.file, spec.name),
            btf=types,
            inner_fd=inner_fd,
            extra=spec.extra,
            numa_node=spec.numa_node,
            kernel_value_type=kernel_type,
        )
        return Fd(self.door(Command.MAP_CREATE, attr), spec.name)
