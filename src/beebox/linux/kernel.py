"""The real kernel as a Backend: an object's maps made, its programs linked, patched and loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType, TracebackType
from typing import Self

from beebox.btf.codec import encode as encode_btf
from beebox.btf.types import Btf
from beebox.errors import InputError, NotSupportedError, SyscallError
from beebox.linux import attrs
from beebox.linux.features import why_not
from beebox.linux.load import LOG_STATS, Verdict, load_program, verdict
from beebox.linux.objects import LinuxMap, LinuxProgram
from beebox.linux.syscall import Bpf, Command, Fd, bpf
from beebox.obj.linker import link
from beebox.obj.model import MapSpec, ObjectSpec, ProgramSpec


class LinuxCollection:
    """An object in the kernel; closing it closes every program and map, in that order."""

    def __init__(
        self,
        programs: Mapping[str, LinuxProgram],
        maps: Mapping[str, LinuxMap],
        resources: ExitStack,
    ) -> None:
        self._programs = MappingProxyType(dict(programs))
        self._maps = MappingProxyType(dict(maps))
        self._resources = resources

    @property
    def programs(self) -> Mapping[str, LinuxProgram]:
        """By name."""
        return self._programs

    @property
    def maps(self) -> Mapping[str, LinuxMap]:
        """By name, global data included."""
        return self._maps

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
    """The kernel this process runs on. ``door`` stands in for bpf(2) in tests."""

    def __init__(self, door: Bpf = bpf) -> None:
        self._door = door

    @property
    def name(self) -> str:
        """As ``--kernel`` calls it."""
        return "linux"

    def load(self, spec: ObjectSpec, *, programs: Sequence[str] | None = None) -> LinuxCollection:
        """Make every map, then load the programs (all, or those named).

        Raises :exc:`RejectedError` with the kernel's log, :exc:`NotSupportedError` when this
        process may not use bpf(2), :exc:`SyscallError` for other refusals. Nothing stays open
        after an error.
        """
        names = spec.program_names if programs is None else tuple(programs)
        for name in names:
            if name not in spec.program_names:
                known = ", ".join(spec.program_names) or "none"
                raise InputError(f"{spec.file}: no program {name} (there are: {known})")
        linked = {name: link(spec, name) for name in spec.with_slot_programs(names)}
        with ExitStack() as resources:
            try:
                maps = self._create_maps(spec.maps, spec.btf, resources)
                fds = {name: live.fd for name, live in maps.items()}
                loaded = {
                    name: resources.enter_context(
                        LinuxProgram(program, load_program(program, fds, self._door), self._door)
                    )
                    for name, program in linked.items()
                }
                for name, row in spec.maps.items():
                    for index, held in row.slots:
                        value = maps[held] if row.inner is not None else loaded[held]
                        maps[name].update(index.to_bytes(row.key_size, "little"), value)
            except SyscallError as error:
                reason = why_not(self._door)
                if reason is None:
                    raise
                raise NotSupportedError("the linux kernel backend here", hint=reason) from error
            return LinuxCollection(loaded, maps, resources.pop_all())

    def verdict(self, spec: ProgramSpec, *, log_level: int = LOG_STATS) -> Verdict:
        """What this kernel says of a linked program; nothing stays loaded."""
        with ExitStack() as resources:
            maps = self._create_maps(spec.maps, spec.btf, resources)
            fds = {name: live.fd for name, live in maps.items()}
            return verdict(spec, fds, log_level=log_level, door=self._door)

    def _create_maps(
        self, specs: Mapping[str, MapSpec], types: Btf | None, resources: ExitStack
    ) -> dict[str, LinuxMap]:
        btf: Fd | None = None
        if types is not None and any(row.value_type_id for row in specs.values()):
            attr = attrs.btf_load(encode_btf(types), log_bytes=1 << 20)
            try:
                btf = Fd(self._door(Command.BTF_LOAD, attr), "BTF")
            except SyscallError as error:
                log = attrs.btf_load_log(attr)
                raise SyscallError(error.call, error.errno or 0, log=log) from None
        try:
            maps: dict[str, LinuxMap] = {}
            for name, row in specs.items():
                maps[name] = resources.enter_context(self._create_map(row, btf))
            return maps
        finally:
            if btf is not None:
                btf.close()

    def _create_map(self, spec: MapSpec, btf: Fd | None) -> LinuxMap:
        types = (0, 0, 0)
        if btf is not None and spec.value_type_id and not spec.type.value.no_btf:
            types = (btf.number, spec.key_type_id, spec.value_type_id)
        template = self._create_map(spec.inner, None) if spec.inner is not None else None
        attr = attrs.map_create(
            spec.type.value.id,
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            spec.flags.value,
            name=spec.name,
            btf=types,
            inner_fd=template.fd if template is not None else 0,
            extra=spec.extra,
        )
        try:
            live = LinuxMap(spec, Fd(self._door(Command.MAP_CREATE, attr), spec.name), self._door)
        except SyscallError as error:
            raise SyscallError(f"{error.call} {spec.name}", error.errno or 0) from None
        finally:
            if template is not None:
                template.close()
        with ExitStack() as on_failure:
            on_failure.callback(live.close)
            if spec.contents is not None:
                live.update(bytes(4), spec.contents)
            if spec.frozen:
                live.freeze()
            on_failure.pop_all()
        return live
