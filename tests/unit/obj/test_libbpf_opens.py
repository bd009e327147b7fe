"""The machine's libbpf and our reader open the same objects and see the same maps and programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from c_objects import compile_c
from libbpf_open import Libbpf

from beebox.errors import InputError
from beebox.obj import reader
from beebox.obj.model import Pinning
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import ProgramType
from beebox.tables.sections import SECTIONS, section_row

INTERNAL = (".data", ".rodata", ".bss", ".kconfig")


@pytest.fixture(scope="module")
def libbpf():
    try:
        return Libbpf()
    except FileNotFoundError:
        pytest.skip("libbpf not found")


SOURCES = {
    "data": """
        int x = 4; const volatile int y = 3; int z; int w SEC(".data.foo") = 3;
        static int hidden SEC(".data.priv") = 3; int v SEC(".bss.more");
        const volatile int c SEC(".rodata.a") = 9;
        int *volatile pointer = &x; const char *volatile text = "abc"; int other SEC("unheard") = 1;
        SEC("?xdp") int p(void *a) { return x + y + z + w + hidden++ + v + c + *pointer + text[0]; }
    """,
    "maps": """
        struct inner { __uint(type, 2); __uint(max_entries, 1); __type(key, int);
                       __type(value, int); };
        struct inner one SEC(".maps");
        struct { __uint(type, 12); __uint(max_entries, 8); __uint(key_size, 4);
                 __array(values, struct inner);
        } outer SEC(".maps") = { .values = { [1] = &one } };
        struct { __uint(type, 1); __uint(max_entries, 9); __uint(map_flags, 5);
                 __uint(numa_node, 1); __uint(pinning, 1); __type(key, __u64);
                 __type(value, long); } table SEC(".maps");
        struct { __uint(type, 30); __uint(max_entries, 4); __uint(map_extra, 5);
                 __uint(value_size, 4); } bloom SEC(".maps");
        struct { __uint(type, 27); __uint(max_entries, 5000); } ring SEC(".maps");
        struct { __uint(type, 4); __uint(key_size, 4); __uint(value_size, 4); } events SEC(".maps");
        struct { __uint(type, 24); __uint(map_flags, 1); __type(key, int); __type(value, int); }
            storage SEC(".maps");
        int first(void *c);
        struct { __uint(type, 3); __uint(max_entries, 3); __uint(key_size, 4);
                 __array(values, int (void *));
        } programs SEC(".maps") = { .values = { [2] = (void *)&first } };
        SEC("xdp") int first(void *c) { return 1; }
        SEC("tc") int second(void *c) { return 1; }
    """,
    "struct_ops": """
        struct tcp_congestion_ops { void (*init)(void *); char name[16]; void (*release)(void *); };
        SEC("struct_ops/init") void init(void *c) {}
        SEC("struct_ops/release") void release(void *c) {}
        SEC(".struct_ops") struct tcp_congestion_ops ops =
            { .init = (void *)init, .name = "mine", .release = (void *)release };
    """,
    "functions": """
        static __noinline int leaf(int x) { asm volatile(""); return x; }
        __noinline int middle(int x) { asm volatile(""); return leaf(x) + 1; }
        __weak __noinline int weak(int x) { asm volatile(""); return x + 2; }
        __hidden __noinline int hidden(int x) { asm volatile(""); return x + 3; }
        static long (*bpf_loop)(__u32 n, void *cb, void *c, __u64 flags) = (void *)181;
        static int callback(__u32 i, void *c) { return i > 3; }
        SEC("tc") int one(void *c) { bpf_loop(3, callback, 0, 0); return middle(1) + weak(2); }
        SEC("tc") int two(void *c) { return hidden(3) + leaf(4); }
    """,
}


def check(libbpf: Libbpf, data: bytes) -> None:
    theirs = libbpf.open(data)
    assert theirs is not None, libbpf.errno
    ours = reader.read(data)
    maps = {}
    for name, row in theirs.maps.items():
        internal = next((kind for kind in INTERNAL if name.endswith(kind)), None)
        maps[internal or name] = row
    kconfig = {".kconfig"} if ".kconfig" in maps else set()  # ours comes with the target
    assert maps.keys() - kconfig == ours.maps.keys()
    for name, row in ours.maps.items():
        found = maps[name]
        # Data that user space may map is the loader's business here.
        flags = found.flags & ~MapFlags.MMAPABLE if row.contents is not None else found.flags
        assert (found.type, found.key_size, found.value_size, found.max_entries, flags) == (
            row.type.value.id,
            row.key_size,
            row.value_size,
            row.max_entries,
            row.flags,
        ), name
        assert (found.extra, found.numa_node, found.pinned) == (
            row.extra,
            row.numa_node,
            row.pinning is Pinning.BY_NAME,
        )
        if row.contents is not None and row.type is not MapType.STRUCT_OPS:
            assert found.contents == row.contents
    assert theirs.programs.keys() == set(ours.program_names)
    for name, program in theirs.programs.items():
        function = ours.functions[name]
        assert program.section == function.section.removeprefix("?")
        assert program.autoload == function.autoload
        table = section_row(function.section)
        assert table is not None
        kind = (table.program_type.value.id, table.attach_type.value if table.attach_type else 0)
        if table.program_type is ProgramType.STRUCT_OPS:
            kind = (kind[0], program.attach_type)  # the member's index, which a target gives us
        assert (program.type, program.attach_type) == kind, name


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_maps_and_programs(libbpf: Libbpf, name: str) -> None:
    check(libbpf, compile_c(SOURCES[name]))


REFUSED = {
    "a static map": 'static struct { __uint(type, 2); } m SEC(".maps");',
    "an unknown field": 'struct { __uint(type, 2); __uint(colour, 1); } m SEC(".maps");',
    "an unknown pinning": 'struct { __uint(type, 2); __uint(pinning, 2); } m SEC(".maps");',
    "a map without a type": 'struct { __uint(max_entries, 2); } m SEC(".maps");',
    "no struct": 'int m SEC(".maps");',
    "values of an array": """struct { __uint(type, 2); __uint(key_size, 4);
        __array(values, int (void)); } m SEC(".maps");""",
    "a pinned inner map": """struct inner { __uint(type, 2); __uint(pinning, 1); };
        struct { __uint(type, 12); __uint(key_size, 4); __array(values, struct inner); } m
        SEC(".maps");""",
    "an undefined function": 'extern int f(void); SEC("xdp") int q(void *c) { return f(); }',
    "an undefined variable": 'extern int f; SEC("xdp") int q(void *c) { return f; }',
    "a function of the configuration": """extern int f(void) __kconfig;
        SEC("xdp") int q(void *c) { return f(); }""",
    "no struct of struct_ops": 'SEC(".struct_ops") int m = 3;',
    "a section that is no map": """static volatile int x SEC("metadata") = 1;
        SEC("xdp") int q(void *c) { return x; }""",
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(libbpf: Libbpf, name: str) -> None:
    data = compile_c(REFUSED[name] + 'SEC("xdp") int p(void *c) { return 2; }')
    assert libbpf.open(data) is None
    with pytest.raises(InputError):
        dict(reader.read(data).functions)


ONLY_OURS = {
    "maps from before BTF": 'struct { int d[5]; } m SEC("maps") = { { 1, 4, 4, 1 } };',
    "a static function beside programs": """
        static __noinline SEC("xdp") int sub(int x) { asm volatile(""); return x; }
        SEC("xdp") int q(void *c) { return sub(1); }""",
    "a call out of .text": """
        __noinline SEC("other") int sub(int x) { asm volatile(""); return x; }
        SEC("xdp") int q(void *c) { return sub(1); }""",
}


@pytest.mark.parametrize("name", ONLY_OURS)
def test_more_is_read_than_libbpf_reads(libbpf: Libbpf, name: str) -> None:
    data = compile_c(ONLY_OURS[name] + 'SEC("xdp") int p(void *c) { return 2; }')
    assert libbpf.open(data) is None
    assert "p" in dict(reader.read(data).functions)


SINCE_1_1 = {
    "kprobe.session",
    "sk_skb/verdict",
    "struct_ops.s",
    "uprobe.multi",
    "uretprobe.multi",
    "uprobe.session",
    "uprobe.multi.s",
    "uretprobe.multi.s",
    "uprobe.session.s",
    "usdt.s",
    "tcx/ingress",
    "tcx/egress",
    "tc/ingress",
    "tc/egress",
    "netkit/primary",
    "netkit/peer",
    "cgroup/connect_unix",
    "cgroup/sendmsg_unix",
    "cgroup/recvmsg_unix",
    "cgroup/getpeername_unix",
    "cgroup/getsockname_unix",
    "netfilter",
}


def test_every_section_name(libbpf: Libbpf) -> None:
    """Types and attach types as libbpf sees them, with and without what follows a prefix."""
    names = [row.name for row in SECTIONS] + [f"{row.name}/x" for row in SECTIONS if row.prefix]
    text = "".join(
        f'SEC("{name}") int p{at}(void *c) {{ return 0; }}\n' for at, name in enumerate(names)
    )
    opened = libbpf.open(compile_c(text))
    assert opened is not None
    for program in opened.programs.values():
        row = section_row(program.section)
        assert row is not None
        if row.name in SINCE_1_1 or program.section == "xdp/x":  # gone since 1.0
            continue
        attach_type = row.attach_type.value if row.attach_type else 0
        assert (program.type, program.attach_type) == (row.program_type.value.id, attach_type)


def corpus() -> list[Path]:
    folder = Path(__file__).parents[2] / "data/c"
    return sorted(folder.glob("*.c"))


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.stem)
def test_the_corpus(libbpf: Libbpf, path: Path) -> None:
    """What this libbpf refuses is new in a later one, or was dropped by an earlier one."""
    data = compile_c(path.read_text(), f"-I{path.parent}", prelude="")
    if libbpf.open(data) is None:
        assert path.stem in NOT_IN_1_1
        reader.read(data)
    else:
        check(libbpf, data)


NOT_IN_1_1: set[str] = set()
