"""Our corpus of C programs: loaded by bpftool (libbpf) and by us, the kernel must see the same.

Of what Debian's libbpf 1.1 does not know, the facts stand here, made by hand.
"""

from __future__ import annotations

import ctypes
import errno
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from libbpf_open import Libbpf
from loaded import Facts, MapFacts, facts_of, pinned, unpin

from beebox.api import open_object
from beebox.btf.types import Btf
from beebox.clang.run import compile_c
from beebox.errors import (
    BeeboxError,
    KeyExists,
    MapError,
    NotSupportedError,
    RejectedError,
    SyscallError,
)
from beebox.linux.kernel import LinuxCollection, LinuxKernel
from beebox.linux.maps import kernel_name
from beebox.linux.pins import map_info
from beebox.obj import reader, writer
from beebox.obj.maps import section_variables
from beebox.obj.model import ObjectSpec
from beebox.obj.static_linker.link import link_objects
from beebox.tables.map_types import MapFlags
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import SECTIONS, section_row

pytestmark = pytest.mark.linux
CORPUS = Path(__file__).parents[1] / "data/c/corpus"
EXAMPLES = ("balancer", "count", "dispatch", "firewall", "lpm_acl", "socket_sample", "cgroup_quota")

Golden = dict[str, tuple[ProgramType, AttachType | None]]
NEWER: dict[str, Golden] = {
    "arena": {"use": (ProgramType.SYSCALL, None)},
    "autoload": {"always": (ProgramType.XDP, AttachType.XDP)},
    "bss_sections": {"use": (ProgramType.XDP, AttachType.XDP)},
    "cgroup_unix": {
        "connect_unix": (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_CONNECT),
        "sendmsg_unix": (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_SENDMSG),
        "recvmsg_unix": (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_RECVMSG),
        "getpeername_unix": (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_GETPEERNAME),
        "getsockname_unix": (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UNIX_GETSOCKNAME),
    },
    "exceptions": {
        "guarded": (ProgramType.SCHED_CLS, None),
        "plain": (ProgramType.SCHED_CLS, None),
    },
    "kfunc_flavour": {"look": (ProgramType.SYSCALL, None)},
    "legacy_maps": {"use": (ProgramType.XDP, AttachType.XDP)},
    "netfilter": {"drop_forwarded": (ProgramType.NETFILTER, AttachType.NETFILTER)},
    "sk_skb_verdict": {"verdict": (ProgramType.SK_SKB, AttachType.SK_SKB_VERDICT)},
    "struct_ops_link": {
        "linked_ssthresh": (ProgramType.STRUCT_OPS, None),
        "linked_undo": (ProgramType.STRUCT_OPS, None),
        "linked_avoid": (ProgramType.STRUCT_OPS, None),
    },
    "struct_ops_optional": {
        "first": (ProgramType.STRUCT_OPS, None),
        "third": (ProgramType.STRUCT_OPS, None),
    },
    "struct_ops_sleepable": {
        "first": (ProgramType.STRUCT_OPS, None),
        "third": (ProgramType.STRUCT_OPS, None),
    },
    "tcx_sections": {
        "tc_in": (ProgramType.SCHED_CLS, AttachType.TCX_INGRESS),
        "tc_out": (ProgramType.SCHED_CLS, AttachType.TCX_EGRESS),
        "tcx_in": (ProgramType.SCHED_CLS, AttachType.TCX_INGRESS),
        "tcx_out": (ProgramType.SCHED_CLS, AttachType.TCX_EGRESS),
        "primary": (ProgramType.SCHED_CLS, AttachType.NETKIT_PRIMARY),
        "peer": (ProgramType.SCHED_CLS, AttachType.NETKIT_PEER),
    },
    "uprobe_multi": {
        "many": (ProgramType.KPROBE, AttachType.TRACE_UPROBE_MULTI),
        "many_returns": (ProgramType.KPROBE, AttachType.TRACE_UPROBE_MULTI),
        "sleepable": (ProgramType.KPROBE, AttachType.TRACE_UPROBE_MULTI),
        "sleepable_returns": (ProgramType.KPROBE, AttachType.TRACE_UPROBE_MULTI),
        "session": (ProgramType.KPROBE, AttachType.TRACE_UPROBE_SESSION),
        "sleepable_session": (ProgramType.KPROBE, AttachType.TRACE_UPROBE_SESSION),
        "on_request": (ProgramType.KPROBE, None),
        "kernel_session": (ProgramType.KPROBE, AttachType.TRACE_KPROBE_SESSION),
    },
}
"""What libbpf 1.1 refuses or reads in another way than libbpf 1.8: the programs that load."""
REFUSED: dict[str, tuple[int, type[BeeboxError]]] = {
    "core_missing": (errno.EINVAL, RejectedError),
    "freplace": (errno.EINVAL, NotSupportedError),  # the program to extend is not named
    "ksyms_typed": (errno.ENOENT, RejectedError),  # no variables in this kernel's kallsyms
    "lirc": (errno.EINVAL, SyscallError),  # built without it
    "tracing": (errno.EPERM, NotSupportedError),  # built without them
}
"""What is refused here, whoever loads it: libbpf's errno, our exception."""
APART = {"pinned"}
"""What has a test of its own."""
COMPARED = sorted({path.stem for path in CORPUS.glob("*.c")} - {*NEWER, *REFUSED, *APART})
OTHER_TAGS = {"kfuncs_weak"}
"""libbpf 1.1 leaves calls of missing functions as they are; since 1.3 they are poisoned."""


@pytest.fixture(scope="session")
def bpftool() -> str:
    found = shutil.which("bpftool")
    if found is None:
        pytest.skip("bpftool not found")
    return found


@pytest.fixture(scope="session")
def bpffs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A BPF file system of our own."""
    folder = tmp_path_factory.mktemp("bpffs")
    done = subprocess.run(
        ["mount", "-t", "bpf", "bpf", folder], check=False, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a BPF file system cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def libbpf() -> Libbpf:
    try:
        return Libbpf()
    except FileNotFoundError:
        pytest.skip("libbpf not found")


@cache
def compiled(name: str, *options: str) -> bytes:
    return compile_c(CORPUS / f"{name}.c", options).data


def spec_of(name: str) -> ObjectSpec:
    return reader.read(compiled(name), file=f"{name}.bpf.o")


def loadall(bpftool: str, bpffs: Path, folder: Path, name: str, data: bytes):
    file = folder / f"{name}.bpf.o"
    file.write_bytes(data)
    command = [bpftool, "prog", "loadall", file, bpffs / "programs", "pinmaps", bpffs / "maps"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def libbpf_facts(bpftool: str, bpffs: Path, folder: Path, name: str, data: bytes) -> Facts:
    programs, maps = bpffs / "programs", bpffs / "maps"
    try:
        done = loadall(bpftool, bpffs, folder, name, data)
        assert done.returncode == 0, done.stderr[-500:]
        with pinned(programs) as program_fds, pinned(maps) as map_fds:
            return facts_of(program_fds, list(map_fds.values()))
    finally:
        unpin(programs)
        unpin(maps)


def our_facts(spec: ObjectSpec) -> Facts:
    with LinuxKernel().load(spec) as live:
        return facts_of(
            {name: program.fd for name, program in live.programs.items()},
            [row.fd for row in live.maps.values()],
        )


def newer_flags(row: MapFacts, spec: ObjectSpec) -> MapFacts:
    """As libbpf 1.8 makes a data section's map: for mmap only if it holds a global variable."""
    for name, known in spec.maps.items():
        if kernel_name(spec.file, name) == row.name and known.is_global_data:
            types = spec.btf or Btf()
            places = section_variables(spec.btf, name).values()
            if not any(types.type(place.type).linkage for place in places):
                return replace(row, flags=row.flags & ~MapFlags.MMAPABLE)
    return row


def without_types(facts: Facts) -> Facts:
    """Linked objects have their types under other ids."""
    maps = [replace(row, key_type_id=0, value_type_id=0) for row in facts.maps]
    return replace(facts, maps=tuple(sorted(maps, key=repr)))


def check_same(ours: Facts, theirs: Facts, spec: ObjectSpec) -> None:
    assert ours.maps == tuple(newer_flags(row, spec) for row in theirs.maps)
    assert ours.programs.keys() == theirs.programs.keys()
    for name, program in theirs.programs.items():
        assert ours.programs[name].insns == program.insns, name
        assert ours.programs[name] == program


Attaching = dict[str, tuple[int, int]]


def attach_types(spec: ObjectSpec) -> Attaching:
    """Program type and expected attach type of each program; of struct_ops only the type."""
    rows = {name: section_row(spec.functions[name].section) for name in spec.program_names}
    return {
        name: (row.program_type.value.id, row.attach_type.value if row.attach_type else 0)
        for name, row in rows.items()
        if row is not None
    }


def libbpf_attach_types(libbpf: Libbpf, data: bytes) -> Attaching:
    opened = libbpf.open(data)
    assert opened is not None
    struct_ops = ProgramType.STRUCT_OPS.value.id  # their attach types are members' indices
    return {
        name: (row.type, 0 if row.type == struct_ops else row.attach_type)
        for name, row in opened.programs.items()
    }


@pytest.mark.parametrize("name", COMPARED)
def test_linux_sees_what_libbpf_shows_it(
    bpftool: str, libbpf: Libbpf, bpffs: Path, tmp_path: Path, name: str
) -> None:
    """Maps, programs and every instruction, and the same once more of what we wrote ourselves."""
    theirs = libbpf_facts(bpftool, bpffs, tmp_path, name, compiled(name))
    spec = spec_of(name)
    written = writer.write(spec)
    assert libbpf_facts(bpftool, bpffs, tmp_path, name, written) == theirs
    linked = libbpf_facts(bpftool, bpffs, tmp_path, name, link_objects([(name, written)]).data)
    assert without_types(linked) == without_types(theirs)
    assert attach_types(spec) == libbpf_attach_types(libbpf, compiled(name))
    ours = our_facts(spec)
    if name in OTHER_TAGS:
        tags = {each: row.tag for each, row in ours.programs.items()}
        assert any(row.tag != tags[each] for each, row in theirs.programs.items())
        programs = {each: replace(row, tag=tags[each]) for each, row in theirs.programs.items()}
        theirs = replace(theirs, programs=programs)
    check_same(ours, theirs, spec)
    again = reader.read(written, file=spec.file)
    assert our_facts(again) == ours


@pytest.mark.parametrize("cpu", ["v1", "v2", "v4"])
@pytest.mark.parametrize("name", ["core_local_types", "load_balancer", "subprograms"])
def test_every_instruction_set(
    bpftool: str, bpffs: Path, tmp_path: Path, name: str, cpu: str
) -> None:
    data = compiled(name, f"-mcpu={cpu}")
    assert data != compiled(name)
    theirs = libbpf_facts(bpftool, bpffs, tmp_path, name, data)
    spec = reader.read(data, file=f"{name}.bpf.o")
    check_same(our_facts(spec), theirs, spec)


def test_there_are_enough_of_them() -> None:
    assert len(COMPARED) >= 60


@pytest.mark.parametrize("name", EXAMPLES)
def test_objects_made_of_python(
    bpftool: str, bpffs: Path, tmp_path: Path, repository: Path, name: str
) -> None:
    spec = replace(open_object(repository / "examples" / f"{name}.py"), file=f"{name}.o")
    data = writer.write(spec)
    theirs = libbpf_facts(bpftool, bpffs, tmp_path, name, data)
    ours = our_facts(spec)
    assert {each: row.insns for each, row in ours.programs.items()} == {
        each: row.insns for each, row in theirs.programs.items()
    }
    read = reader.read(data, file=f"{name}.o")
    check_same(our_facts(read), theirs, read)


@pytest.mark.parametrize("name", NEWER)
def test_what_only_newer_libraries_load(name: str) -> None:
    with LinuxKernel().load(spec_of(name)) as live:
        found = {each: program.spec for each, program in live.programs.items()}
        assert {each: (row.type, row.attach_type) for each, row in found.items()} == NEWER[name]
        facts = facts_of(
            {each: program.fd for each, program in live.programs.items()},
            [row.fd for row in live.maps.values()],
        )
        assert {each: row.type for each, row in facts.programs.items()} == {
            each: kind.value.id for each, (kind, _) in NEWER[name].items()
        }
    again = reader.read(writer.write(spec_of(name)), file=f"{name}.bpf.o")
    assert our_facts(again) == facts


@pytest.mark.parametrize("name", REFUSED)
def test_what_linux_refuses_whoever_asks(
    bpftool: str, bpffs: Path, tmp_path: Path, name: str
) -> None:
    code, error = REFUSED[name]
    done = loadall(bpftool, bpffs, tmp_path, name, compiled(name))
    assert done.returncode != 0
    assert f"failed to load: {-code}" in done.stderr
    with pytest.raises(error) as caught:
        LinuxKernel().load(spec_of(name))
    if isinstance(caught.value, SyscallError):
        assert caught.value.errno == code


def test_every_section_name_is_in_the_corpus() -> None:
    found = {
        row.name
        for path in CORPUS.glob("*.c")
        for section in re.findall(r'SEC\("([^"]+)"\)', path.read_text(encoding="utf-8"))
        if (row := section_row(section)) is not None
    }
    assert found == {row.name for row in SECTIONS}


def test_a_missing_field_is_named() -> None:
    with pytest.raises(RejectedError) as caught:
        LinuxKernel().load(spec_of("core_missing"))
    (finding,) = caught.value.findings
    assert "mood" in finding["message"]
    assert finding["kernel_message"] == "invalid func unknown#195896080"


@contextmanager
def loaded(name: str) -> Iterator[LinuxCollection]:
    with LinuxKernel().load(spec_of(name)) as live:
        yield live


def test_globals_of_an_arena_are_there_at_the_start_and_stay() -> None:
    with loaded("arena") as live:
        assert map_info(live.maps["arena"].fd).extra == 1 << 44
        use = live.programs["use"]
        assert [use.test_run(b"").retval for _ in range(3)] == [47, 89, 131]


def test_the_exception_callback_decides_the_result() -> None:
    with loaded("exceptions") as live:
        guarded, plain = live.programs["guarded"], live.programs["plain"]
        assert (guarded.test_run(bytes(100)).retval, plain.test_run(bytes(100)).retval) == (
            101,
            100,
        )
        assert (guarded.test_run(bytes(1500)).retval, plain.test_run(bytes(1500)).retval) == (1, 3)


def test_a_suffix_is_no_part_of_a_kernel_functions_name() -> None:
    with loaded("kfunc_flavour") as live:
        assert live.programs["look"].test_run(b"").retval == 0


def test_struct_ops_programs_stand_for_their_members() -> None:
    state = ctypes.create_string_buffer(struct.pack("=I", 7), 8)
    with loaded("struct_ops_local") as live:
        first, second, third = (live.programs[name] for name in ("first", "second", "third"))
        assert first.test_run(b"", context=struct.pack("=Q", 0)).retval == 0xBEEB
        arguments = struct.pack("=5Q", ctypes.addressof(state), 1, 2, 3, 4)
        assert second.test_run(b"", context=arguments).retval == 10
        value = live.struct_ops_values["dummy"]
        info = map_info(live.maps["dummy"].fd)
        assert len(value) == info.value_size
        assert [fd for (fd,) in struct.iter_unpack("=Q", value) if fd] == [
            first.fd,
            second.fd,
            third.fd,
        ]


def test_the_value_of_a_struct_ops_map_is_what_linux_wants() -> None:
    """It is looked through before it is registered, which a name that is taken then prevents."""
    with loaded("struct_ops_tcp") as live:
        value = live.struct_ops_values["beebox_cc"].replace(b"beebox_cc", b"reno\0\0\0\0\0")
        with pytest.raises(KeyExists):
            live.maps["beebox_cc"].update(bytes(4), value)
        names = ("beebox_ssthresh", "beebox_undo")
        first, second = (live.programs[name].fd.to_bytes(8, "little") for name in names)
        swapped = value.replace(first, b"x" * 8).replace(second, first).replace(b"x" * 8, second)
        with pytest.raises(MapError) as caught:
            live.maps["beebox_cc"].update(bytes(4), swapped)
        assert caught.value.errno == errno.EINVAL


def test_a_struct_ops_map_that_a_link_registers() -> None:
    with loaded("struct_ops_link") as live:
        (row,) = facts_of({}, [live.maps["linked_cc"].fd]).maps
        assert row.flags == MapFlags.LINK
        assert row.kernel_value_type_id > 0
        assert b"linked_cc\0" in live.struct_ops_values["linked_cc"]


def test_maps_without_a_section_of_their_own_name() -> None:
    with loaded("bss_sections") as live:
        names = {map_info(row.fd).name for row in live.maps.values()}
        assert names == {".bss.tables", ".bss.last"}
    with loaded("legacy_maps") as live:
        facts = {row.name: row for row in facts_of({}, [m.fd for m in live.maps.values()]).maps}
        flows, counters = facts["flows"], facts["counters"]
        assert (flows.type, flows.key_size, flows.value_size) == (1, 12, 20)
        assert (flows.max_entries, flows.flags) == (50, MapFlags.NO_PREALLOC)
        assert (counters.type, counters.value_size, counters.max_entries) == (6, 8, 3)


def test_a_map_behind_a_question_mark_waits_with_its_programs() -> None:
    with loaded("struct_ops_optional") as live:
        assert set(live.maps) == {"made"}
        assert set(live.struct_ops_values) == {"made"}
    with pytest.raises(NotSupportedError):  # the shape that this kernel does not have
        LinuxKernel().load(spec_of("struct_ops_optional"), programs=["second"])


def test_programs_behind_a_question_mark_wait_for_their_name() -> None:
    with LinuxKernel().load(spec_of("autoload"), programs=["on_demand"]) as live:
        assert set(live.programs) == {"on_demand"}
    with pytest.raises(RejectedError):
        LinuxKernel().load(spec_of("autoload"), programs=["broken"])


def test_pinned_maps_are_found_again_by_libbpf_and_by_us(
    bpftool: str, bpffs: Path, tmp_path: Path
) -> None:
    root = bpffs / "pins"
    root.mkdir()
    kernel = LinuxKernel(pin_root=root)
    key, value = bytes(4), (77).to_bytes(8, "little")
    try:
        with kernel.load(spec_of("pinned")) as live:
            assert [file.name for file in root.iterdir()] == ["kept"]
            live.maps["kept"].update(key, value)
            number = live.maps["kept"].id
        file = tmp_path / "pinned.bpf.o"
        file.write_bytes(compiled("pinned"))
        script = f"mount --bind {root} /sys/fs/bpf && {bpftool} prog load {file} /sys/fs/bpf/use"
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        with pinned(root) as fds:
            assert map_info(fds["kept"]).id == number
        (root / "use").unlink()
        with kernel.load(spec_of("pinned")) as live:
            assert live.maps["kept"].id == number
            assert live.maps["kept"].lookup(key) == value
        spec = spec_of("pinned")
        other = {**spec.maps, "kept": replace(spec.maps["kept"], max_entries=99)}
        with pytest.raises(MapError) as caught:
            kernel.load(replace(spec, maps=other))
        assert caught.value.errno == errno.EINVAL
    finally:
        unpin(root)


def test_a_load_that_fails_leaves_no_pin(bpffs: Path) -> None:
    root = bpffs / "none"
    root.mkdir()
    spec = spec_of("pinned")
    broken = replace(
        spec,
        license="",
        functions={
            **spec.functions,
            "use": replace(spec.functions["use"], insns=spec.functions["use"].insns[:-1]),
        },
    )
    try:
        with pytest.raises(BeeboxError):
            LinuxKernel(pin_root=root).load(broken)
        assert list(root.iterdir()) == []
    finally:
        root.rmdir()
