"""Maps as libbpf makes them: names, sizes that the machine knows, types that are dropped, pins."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from beebox.btf.builder import Builder
from beebox.btf.types import Btf, Linkage, SectionVar
from beebox.errors import MapError, NotSupportedError, SyscallError
from beebox.linux import pins
from beebox.linux.maps import MapMaker, kernel_name
from beebox.linux.modules import ModuleTypes
from beebox.linux.objects import possible_cpus
from beebox.linux.syscall import Attr, Command, Fd, write_mapped
from beebox.obj.model import MapSpec, Pinning
from beebox.obj.struct_ops import Layout
from beebox.tables.map_types import MapFlags, MapType

HASH = MapSpec("m", MapType.HASH, 4, 8, 16, key_type_id=1, value_type_id=1)


@dataclass
class FakeKernel:
    """Maps, pins and BTF of a made-up kernel, as bpf(2) has them."""

    fails: dict[Command, list[int]] = field(default_factory=dict)
    attrs: list[tuple[Command, Attr]] = field(default_factory=list)
    pinned: dict[str, MapSpec] = field(default_factory=dict)
    modules: dict[int, bytes] = field(default_factory=dict)
    programs: set[int] = field(default_factory=set)  # ids of BTF that is no module's
    given: dict[int, int] = field(default_factory=dict)  # BTF ids by descriptor

    def __call__(self, command: Command, attr: Attr) -> int:
        self.attrs.append((command, attr))
        failures = self.fails.get(command, [])
        if failures and (code := failures.pop(0)):
            raise SyscallError(f"bpf({command.name})", code)
        match command:
            case Command.OBJ_GET:
                if self.path(attr) not in self.pinned:
                    raise SyscallError("bpf(OBJ_GET)", errno.ENOENT)
            case Command.OBJ_PIN:
                self.pinned[self.path(attr)] = HASH
                return 0
            case Command.OBJ_GET_INFO_BY_FD:
                self.info(attr)
                return 0
            case Command.BTF_GET_NEXT_ID:
                (start,) = struct.unpack_from("=I", attr.data)
                following = [number for number in sorted(self.modules) if number > start]
                if not following:
                    raise SyscallError("bpf(BTF_GET_NEXT_ID)", errno.ENOENT)
                struct.pack_into("=I", attr.data, 4, following[0])
                return 0
            case _:
                pass
        fd = os.open(os.devnull, os.O_RDONLY)
        self.given[fd] = struct.unpack_from("=I", attr.data)[0]
        return fd

    @staticmethod
    def path(attr: Attr) -> str:
        return bytes(attr.buffers[0]).rstrip(b"\0").decode()

    def info(self, attr: Attr) -> None:
        if attr.nested:
            number = self.given[struct.unpack_from("=I", attr.data)[0]]
            name = self.modules[number]
            attr.nested[8, 16][: len(name)] = name
            struct.pack_into("=I", attr.buffers[8], 28, number not in self.programs)
            return
        row = next(iter(self.pinned.values()))
        numbers = (row.type.value.id, 5, row.key_size, row.value_size, row.max_entries, row.flags)
        struct.pack_into("=6I", attr.buffers[8], 0, *numbers)

    def created(self) -> list[bytes]:
        return [bytes(attr.data) for command, attr in self.attrs if command is Command.MAP_CREATE]


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def made(kernel: FakeKernel, spec: MapSpec, undo: ExitStack, **options: object) -> bytes:
    """BPF_MAP_CREATE's attr of ``spec``, the last one."""
    maker = MapMaker("dir/obj.bpf.o", door=kernel, **options)  # type: ignore[arg-type]
    undo.enter_context(maker.make(spec, undo))
    return kernel.created()[-1]


@pytest.mark.parametrize(
    ("file", "name", "expected"),
    [
        ("a/count.bpf.o", ".rodata", "count.rodata"),
        ("balancer.py", ".bss", "balancer.bss"),
        ("a_long_name_of_a_file.o", ".rodata", "a_long_n.rodata"),
        ("a_long_name_of_a_file.o", ".bss", "a_long_n.bss"),
        ("a_long_name_of_a_file.o", ".kconfig", "a_long_.kconfig"),
        ("count.o", ".data.hot", ".data.hot"),
        ("count.o", ".rodata.a_very_long_part", ".rodata.a_very_"),
        ("<object>", ".rodata", ".rodata"),
        ("count.o", "flows", "flows"),
    ],
)
def test_what_maps_are_called(file: str, name: str, expected: str) -> None:
    assert kernel_name(file, name) == expected


def entries(attr: bytes) -> int:
    return struct.unpack_from("=I", attr, 12)[0]


@pytest.mark.parametrize(
    ("wanted", "pages"), [(0, 0), (1, 1), (4096, 1), (5000, 2), (3 * 4096, 4), (8 * 4096, 8)]
)
def test_rings_have_whole_pages(
    kernel: FakeKernel, undo: ExitStack, wanted: int, pages: int
) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    if page != 4096:
        wanted = wanted * page // 4096
    row = MapSpec("r", MapType.RINGBUF, 0, 0, wanted)
    assert entries(made(kernel, row, undo)) == pages * page


def test_no_entries_of_perf_events_are_one_for_each_cpu(
    kernel: FakeKernel, undo: ExitStack
) -> None:
    row = MapSpec("e", MapType.PERF_EVENT_ARRAY, 4, 4, 0)
    assert entries(made(kernel, row, undo)) == possible_cpus()


def section(linkage: Linkage) -> tuple[Btf, MapSpec]:
    builder = Builder()
    variable = builder.variable("v", builder.signed_int(), linkage)
    found = builder.section(".bss", 4, (SectionVar(variable, 0, 4),))
    row = MapSpec(".bss", MapType.ARRAY, 4, 4, 1, value_type_id=found, contents=bytes(4))
    return builder.build(), row


@pytest.mark.parametrize(
    ("linkage", "flags"), [(Linkage.GLOBAL, MapFlags.MMAPABLE), (Linkage.STATIC, MapFlags.NONE)]
)
def test_sections_with_global_variables_are_for_mmap(
    kernel: FakeKernel, undo: ExitStack, linkage: Linkage, flags: MapFlags
) -> None:
    btf, row = section(linkage)
    attr = made(kernel, row, undo, types=btf)
    assert struct.unpack_from("=I", attr, 16)[0] == flags


def test_numa_node_and_extra_are_passed(kernel: FakeKernel, undo: ExitStack) -> None:
    row = MapSpec("m", MapType.HASH, 4, 8, 16, MapFlags.NUMA_NODE, numa_node=3, extra=1 << 40)
    attr = made(kernel, row, undo)
    assert struct.unpack_from("=I", attr, 24)[0] == 3
    assert struct.unpack_from("=Q", attr, 64)[0] == 1 << 40


def descriptor() -> Fd:
    return Fd(os.open(os.devnull, os.O_RDONLY), "BTF")


def test_types_that_the_kernel_will_not_have_are_left_out(
    kernel: FakeKernel, undo: ExitStack
) -> None:
    kernel.fails[Command.MAP_CREATE] = [errno.EINVAL]
    made(kernel, HASH, undo, btf=descriptor())
    first, second = kernel.created()
    assert struct.unpack_from("=2I", first, 52) == (1, 1)
    assert struct.unpack_from("=3I", second, 48) == (0, 0, 0)


@pytest.mark.parametrize(("codes", "calls"), [([errno.EPERM], 1), ([errno.EINVAL, errno.E2BIG], 2)])
def test_the_first_refusal_is_told(
    kernel: FakeKernel, undo: ExitStack, codes: list[int], calls: int
) -> None:
    kernel.fails[Command.MAP_CREATE] = list(codes)
    with pytest.raises(SyscallError) as caught:
        made(kernel, HASH, undo, btf=descriptor())
    assert caught.value.errno == codes[0]
    assert "of m" in caught.value.call
    assert len(kernel.created()) == calls


def test_a_refusal_says_which_rule_is_broken(kernel: FakeKernel, undo: ExitStack) -> None:
    empty = replace(HASH, max_entries=0)
    kernel.fails[Command.MAP_CREATE] = [errno.EINVAL] * 2
    with pytest.raises(MapError, match="max_entries") as caught:
        made(kernel, empty, undo, btf=descriptor())
    assert caught.value.errno == errno.EINVAL
    kernel.fails[Command.MAP_CREATE] = [errno.ENOMEM] * 2
    with pytest.raises(SyscallError) as other:
        made(kernel, empty, undo, btf=descriptor())
    assert other.value.errno == errno.ENOMEM


def test_a_map_without_types_is_tried_once(kernel: FakeKernel, undo: ExitStack) -> None:
    kernel.fails[Command.MAP_CREATE] = [errno.EINVAL]
    with pytest.raises(SyscallError):
        made(kernel, replace(HASH, key_type_id=0, value_type_id=0), undo, btf=descriptor())
    assert len(kernel.created()) == 1


def test_a_struct_ops_map_has_the_kernels_type(kernel: FakeKernel, undo: ExitStack) -> None:
    kernel.modules = {7: b"vmlinux", 9: b"mod"}
    row = MapSpec("ops", MapType.STRUCT_OPS, 4, 24, 1, value_type_id=5, contents=bytes(24))
    layouts = {"ops": Layout(1234, 1200, bytes(128), (), "mod")}
    modules = ModuleTypes(kernel)
    undo.callback(modules.close)
    attr = made(kernel, row, undo, layouts=layouts, modules=modules, btf=descriptor())
    assert struct.unpack_from("=2I", attr, 4) == (4, 128)
    assert struct.unpack_from("=I", attr, 16)[0] == MapFlags.VTYPE_BTF_OBJ_FD
    assert struct.unpack_from("=2I", attr, 56) == (0, 1234)
    assert struct.unpack_from("=I", attr, 72)[0] == modules.fd("mod")
    assert kernel.given[modules.fd("mod")] == 9


def test_modules_by_name(kernel: FakeKernel) -> None:
    kernel.modules = {1: b"vmlinux", 4: b"", 5: b"mod", 6: b"mod"}
    kernel.programs = {4, 5}
    modules = ModuleTypes(kernel)
    assert modules.fd("") == modules.fd("vmlinux") == 0
    assert not kernel.attrs
    assert modules.fd("mod") == modules.fd("mod") > 0
    assert kernel.given[modules.fd("mod")] == 6
    assert [fd for fd in kernel.given if is_open(fd)] == [modules.fd("mod")]
    with pytest.raises(NotSupportedError):
        modules.fd("missing")
    fd = modules.fd("mod")
    modules.close()
    assert not is_open(fd)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


KEPT = MapSpec("m", MapType.HASH, 4, 8, 16, pinning=Pinning.BY_NAME)


def test_a_pinned_map_is_made_once(kernel: FakeKernel, tmp_path: Path) -> None:
    maker = MapMaker("o", pin_root=tmp_path / "new", door=kernel)
    with ExitStack() as undo:
        undo.enter_context(maker.make(KEPT, undo))
        undo.enter_context(maker.make(KEPT, undo))
        undo.pop_all()
    assert list(kernel.pinned) == [str(tmp_path / "new" / "m")]
    assert len(kernel.created()) == 1


def test_a_pin_is_taken_away_when_loading_fails(kernel: FakeKernel, tmp_path: Path) -> None:
    maker = MapMaker("o", pin_root=tmp_path, door=kernel)
    with ExitStack() as undo:
        undo.enter_context(maker.make(KEPT, undo))
        (tmp_path / "m").touch()
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    "there",
    [
        MapSpec("m", MapType.ARRAY, 4, 8, 16),
        MapSpec("m", MapType.HASH, 5, 8, 16),
        MapSpec("m", MapType.HASH, 4, 9, 16),
        MapSpec("m", MapType.HASH, 4, 8, 17),
        MapSpec("m", MapType.HASH, 4, 8, 16, MapFlags.NO_PREALLOC),
    ],
)
def test_another_map_of_that_name_is_not_taken(
    kernel: FakeKernel, tmp_path: Path, there: MapSpec
) -> None:
    path = tmp_path / "m"
    kernel.pinned[str(path)] = there
    with pytest.raises(MapError) as caught:
        pins.find_pinned(path, KEPT, kernel)
    assert caught.value.errno == errno.EINVAL
    assert not kernel.created()


def test_a_folder_that_is_not_there(kernel: FakeKernel, tmp_path: Path) -> None:
    with ExitStack() as undo, pytest.raises(NotSupportedError):
        MapMaker("o", pin_root=tmp_path / "a" / "b", door=kernel).make(KEPT, undo)
    assert not kernel.pinned


def test_flags_that_the_kernel_adds_do_not_matter(kernel: FakeKernel, tmp_path: Path) -> None:
    path = tmp_path / "d"
    kernel.pinned[str(path)] = MapSpec("d", MapType.DEVMAP, 4, 4, 8, MapFlags.RDONLY_PROG)
    found = pins.find_pinned(path, MapSpec("d", MapType.DEVMAP, 4, 4, 8), kernel)
    assert found is not None
    found.close()


@pytest.mark.parametrize(
    ("code", "error"), [(errno.EPERM, NotSupportedError), (errno.ENOSPC, SyscallError)]
)
def test_a_pin_that_cannot_be_made_closes_its_map(
    kernel: FakeKernel, tmp_path: Path, code: int, error: type[Exception]
) -> None:
    kernel.fails[Command.OBJ_PIN] = [code]
    with ExitStack() as undo, pytest.raises(error):
        MapMaker("o", pin_root=tmp_path, door=kernel).make(KEPT, undo)
    assert not is_open(next(iter(kernel.given)))


@pytest.mark.parametrize("name", ["", "/etc/m", "../m", "a/b", "a\0b"])
def test_a_name_is_no_path_to_a_pin(kernel: FakeKernel, tmp_path: Path, name: str) -> None:
    row = replace(KEPT, name=name)
    with ExitStack() as undo, pytest.raises(MapError):
        MapMaker("o", pin_root=tmp_path / "root", door=kernel).make(row, undo)
    assert not kernel.pinned
    assert not list(tmp_path.iterdir())


def test_data_never_end_behind_what_is_mapped() -> None:
    with pytest.raises(SyscallError) as error:
        write_mapped(-1, 4096, bytes(4097))
    assert error.value.errno == errno.E2BIG
