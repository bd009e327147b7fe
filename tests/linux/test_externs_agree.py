"""Externs and values of the build, resolved as libbpf resolves them on this kernel."""

from __future__ import annotations

from dataclasses import replace

import pytest
from c_objects import compile_c
from libbpf_oracle import find_attach_point, load

from beebox.errors import BeeboxError, TargetError
from beebox.isa.instruction import GlobalRef, LoadImm64, slot_count
from beebox.linux.kernel import LinuxKernel
from beebox.linux.load import patch
from beebox.obj import reader
from beebox.obj.linker import link
from beebox.obj.model import KconfigPlace, KernelSymbol
from beebox.obj.targets.host import host, read_config
from beebox.obj.targets.resolution import resolve
from beebox.tables.program_types import AttachType

pytestmark = pytest.mark.linux

KCONFIG = """
enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };
extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool LINUX_HAS_BPF_COOKIE __kconfig;
extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;
extern __u64 LINUX_SOMETHING_NEW __kconfig __weak;
extern unsigned long CONFIG_HZ __kconfig;
extern short CONFIG_LOG_BUF_SHIFT __kconfig __weak;
extern _Bool CONFIG_BPF_SYSCALL __kconfig;
extern char CONFIG_NET __kconfig;
extern enum libbpf_tristate CONFIG_INET __kconfig;
extern enum libbpf_tristate CONFIG_NOTHING_OF_THE_KIND __kconfig __weak;
extern char CONFIG_LOCALVERSION[32] __kconfig __weak;
extern char CONFIG_CC_VERSION_TEXT[8] __kconfig;
extern __u32 CONFIG_PHYSICAL_START __kconfig __weak;
SEC("socket") int prog(void *ctx)
{
    return LINUX_KERNEL_VERSION + LINUX_HAS_BPF_COOKIE + LINUX_HAS_SYSCALL_WRAPPER +
           LINUX_SOMETHING_NEW + CONFIG_HZ + CONFIG_LOG_BUF_SHIFT + CONFIG_BPF_SYSCALL +
           CONFIG_NET + CONFIG_INET + CONFIG_NOTHING_OF_THE_KIND + CONFIG_LOCALVERSION[3] +
           CONFIG_CC_VERSION_TEXT[1] + CONFIG_PHYSICAL_START;
}
"""


def test_values_of_the_build() -> None:
    data = compile_c(KCONFIG)
    theirs = load(data)
    assert theirs.accepted, theirs.warnings
    mine = resolve(reader.read(data), None, ["prog"])
    contents = bytearray(mine.maps[".kconfig"].contents or b"")
    if host().config.get("CONFIG_KPROBES") != "y":  # libbpf asks by a kprobe, we ask the types
        place = mine.externs["LINUX_HAS_SYSCALL_WRAPPER"].resolved
        assert isinstance(place, KconfigPlace)
        contents[place.offset] = 0
    assert contents == theirs.data[".kconfig"]
    references = [insn for insn in link(mine, "prog").insns if isinstance(insn, LoadImm64)]
    assert [_second(insn) for insn in references] == [
        theirs.code["prog"][8 * pc + 12 : 8 * pc + 16] for pc in _places(mine)
    ]
    with LinuxKernel().load(reader.read(data)) as live:
        assert live.programs["prog"].test_run(bytes(64)).retval != 0


def _second(insn: LoadImm64) -> bytes:
    assert isinstance(insn.value, GlobalRef)
    return insn.value.offset.to_bytes(4, "little")


def _places(spec) -> list[int]:
    places: list[int] = []
    pc = 0
    for insn in spec.functions["prog"].insns:
        if isinstance(insn, LoadImm64):
            places.append(pc)
        pc += slot_count(insn)
    return places


VALUES = [
    ("int CONFIG_HZ __weak", ""),
    ("int CONFIG_HZ __weak", "CONFIG_HZ=0x7f\n"),
    ("int CONFIG_HZ", "CONFIG_HZ=-5\n"),
    ("unsigned char CONFIG_HZ", "CONFIG_HZ=256\n"),
    ("unsigned char CONFIG_HZ", "CONFIG_HZ=255\n"),
    ("char CONFIG_HZ", "CONFIG_HZ=m\n"),
    ("_Bool CONFIG_HZ", "CONFIG_HZ=m\n"),
    ("_Bool CONFIG_HZ", "CONFIG_HZ=n\n"),
    ("int CONFIG_HZ", "CONFIG_HZ=y\n"),
    ("char CONFIG_HZ[4]", 'CONFIG_HZ="long enough"\n'),
    ("char CONFIG_HZ[4]", 'CONFIG_HZ="cut\n'),
    ("char CONFIG_HZ[4]", "CONFIG_HZ=4\n"),
    ("int CONFIG_HZ", 'CONFIG_HZ="4"\n'),
    ("int CONFIG_HZ", "CONFIG_HZ=010\n"),
    ("int CONFIG_HZ", "CONFIG_HZ=4x\n"),
    ("short CONFIG_HZ", "CONFIG_HZ=32768\n"),
    ("unsigned long CONFIG_HZ", "CONFIG_HZ=18446744073709551615\n"),
]


@pytest.mark.parametrize(("declaration", "config"), VALUES)
def test_values_as_a_file_has_them(declaration: str, config: str) -> None:
    """libbpf takes a configuration beside the kernel's; ours is then the target's."""
    if not config and "CONFIG_HZ" not in host().config:
        pytest.skip("this kernel does not show its configuration")
    attribute = "__weak" if "__weak" in declaration else ""
    declaration = declaration.replace("__weak", "")
    data = compile_c(f"""
        extern {declaration} __kconfig {attribute};
        SEC("socket") int prog(void *ctx) {{ return *(char *)&CONFIG_HZ; }}
        """)
    theirs = load(data, kconfig=config)
    target = host() if not config else replace(host(), read_config=lambda: read_config(config))
    try:
        mine = resolve(reader.read(data), target, ["prog"]).maps[".kconfig"].contents
    except BeeboxError:
        mine = None
    assert mine == (theirs.data[".kconfig"] if theirs.accepted else None)


KSYMS = """
struct task_struct { int pid; };
extern const void _stext __ksym;
extern const void no_such_symbol __ksym __weak;
extern const int no_such_variable __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *p) __ksym __weak;
SEC("tp_btf/task_newtask") int prog(__u64 *ctx)
{
    struct task_struct *task;
    bpf_rcu_read_lock();
    bpf_rcu_read_unlock();
    task = bpf_task_from_pid(1);
    if (task)
        bpf_task_release(task);
    return (&no_such_symbol != 0) + (&no_such_variable != 0) + (long)&_stext;
}
"""
VARIABLE = """
struct rq { int nr_running; };
extern const struct rq runqueues __ksym;
extern const char _text __ksym __weak;
SEC("socket") int prog(void *ctx) { return (long)&runqueues + (long)&_text; }
"""


def test_kernel_symbols() -> None:
    data = compile_c(KSYMS)
    theirs = load(data)
    assert theirs.accepted, theirs.warnings
    assert _code(data) == theirs.code["prog"]
    with LinuxKernel().load(reader.read(data)):
        pass


def test_kernel_variables() -> None:
    """The kernel may not know the address of a variable that its types have: code alone."""
    data = compile_c(VARIABLE)
    assert _code(data) == load(data).code["prog"]


def _code(data: bytes) -> bytes:
    spec = resolve(reader.read(data), None, ["prog"])
    linked = link(spec, "prog")
    return patch(linked.insns, {}, linked.externs)


@pytest.mark.parametrize(
    ("section", "name", "attach_type"),
    [
        ("tp_btf/sched_switch", "sched_switch", AttachType.TRACE_RAW_TP),
        ("fentry/vfs_read", "vfs_read", AttachType.TRACE_FENTRY),
        ("fexit/vfs_read", "vfs_read", AttachType.TRACE_FEXIT),
        ("fmod_ret/bpf_modify_return_test", "bpf_modify_return_test", AttachType.MODIFY_RETURN),
        ("lsm/file_open", "file_open", AttachType.LSM_MAC),
        ("lsm_cgroup/socket_bind", "socket_bind", AttachType.LSM_CGROUP),
        ("iter/task", "task", AttachType.TRACE_ITER),
        ("fentry/no_such_function", "no_such_function", AttachType.TRACE_FENTRY),
        ("tp_btf/no_such_tracepoint", "no_such_tracepoint", AttachType.TRACE_RAW_TP),
    ],
)
def test_attach_points(section: str, name: str, attach_type: AttachType) -> None:
    spec = reader.read(compile_c(f'SEC("{section}") int prog(__u64 *ctx) {{ return 0; }}'))
    theirs = find_attach_point(name, attach_type.value)
    try:
        mine = resolve(spec, None, ["prog"]).attach_symbols["prog"]
    except TargetError:
        assert theirs < 0
    else:
        assert mine == KernelSymbol(theirs)
