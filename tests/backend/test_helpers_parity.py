"""Helpers in both engines and in Linux: the same results and the same frame, limits included."""

import random
from functools import cache

import pytest

from beebox.isa.instruction import Alu, Call, CallKind, Exit, LoadImm64, Reg, Store
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.opcodes import AluOp, Size
from beebox.userspace.kernel import UserspaceKernel

FRAME = bytes(range(64))
KERNELS = {
    "jit": UserspaceKernel("jit"),
    "interpreter": UserspaceKernel("interpreter"),
    "linux": LinuxKernel(),
}


def mov(dst, src):
    return Alu(AluOp.MOV, Reg(dst), src)


def call(name):
    return Call(CallKind.HELPER, HELPER_BY_NAME[name].id)


def load(kernel, insns):
    function = FunctionSpec("main", "xdp", tuple(insns))
    return KERNELS[kernel].load(ObjectSpec({"main": function}, license="GPL"))


def run(kernel, insns, frame=FRAME, repeat=1):
    with load(kernel, insns) as loaded:
        result = loaded.programs["main"].test_run(frame, repeat=repeat)
        return result.retval, result.data_out


def same_everywhere(insns, frame=FRAME, repeat=1):
    linux = run("linux", insns, frame, repeat)
    assert run("jit", insns, frame, repeat) == linux
    assert run("interpreter", insns, frame, repeat) == linux
    return linux


def adjustments(steps):
    insns = [mov(6, Reg.R1)]
    for name, delta in steps:
        insns += [mov(1, Reg.R6), mov(2, delta), call(f"xdp_adjust_{name}")]
    return [*insns, Exit()]


@pytest.mark.linux
@pytest.mark.parametrize("name", ["head", "tail", "meta"])
def test_adjust_limits_are_linux_limits(name):
    deltas = [-(2**31), -300, -257, -256, -255, -252, -217, -216, -215, -51, -50, -49, -8, -4]
    deltas += [-3, -1, 0, 1, 4, 49, 50, 51, 64, 3455, 3456, 3457, 2**31 - 1]
    for delta in deltas:
        same_everywhere(adjustments([(name, delta)]))


@pytest.mark.linux
def test_adjust_sequences_are_linux_sequences():
    rng = random.Random(3)
    choices = [-216, -100, -50, -12, -8, -4, -1, 0, 1, 4, 8, 20, 50]
    seen = set()
    for _ in range(60):
        steps = [
            (rng.choice(["head", "tail", "meta"]), rng.choice(choices))
            for _ in range(rng.randrange(2, 6))
        ]
        seen.add(same_everywhere(adjustments(steps))[0])
    assert len(seen) == 3  # 0, -EINVAL and -EACCES all happened


@pytest.mark.linux
@pytest.mark.parametrize("repeat", [1, 2, 7])
def test_repeats_build_on_each_other(repeat):
    frame = same_everywhere(adjustments([("head", -4), ("tail", -5)]), repeat=repeat)[1]
    assert len(frame) == len(FRAME) - repeat


@pytest.mark.linux
@pytest.mark.parametrize("size", [14, 15, 1514, 3519, 3520, 3521, 4000, 9000])
def test_frames_of_every_size(size):
    frame = random.Random(size).randbytes(size)
    same_everywhere([mov(0, 2), Exit()], frame)


@pytest.mark.linux
def test_a_frame_grows_to_the_end_of_its_page():
    frame = bytes(1500)
    for delta in (2019, 2020, 2021):
        same_everywhere(adjustments([("tail", delta)]), frame)


def checksum(old, new, seed):
    insns = []
    for base, data in ((-64, old), (-128, new)):
        whole = data.ljust(64, b"\xee")
        for at in range(0, 64, 4):
            value = int.from_bytes(whole[at : at + 4], "little", signed=True)
            insns.append(Store(Reg.R10, base + at, value, Size.W))
    for reg, base, data in ((1, -64, old), (3, -128, new)):
        insns += [mov(reg, Reg.R10), Alu(AluOp.ADD, Reg(reg), base)] if data else [mov(reg, 0)]
        insns.append(mov(reg + 1, len(data)))
    return [*insns, mov(5, seed), call("csum_diff"), Exit()]


@pytest.mark.linux
@pytest.mark.parametrize("seed", [0, 7, 0x12345678, -1])
def test_csum_diff_is_linux_csum_diff(seed):
    rng = random.Random(seed)
    sizes = [(0, 0), (0, 4), (4, 0), (4, 4), (8, 20), (64, 64), (0, 1), (1, 0), (3, 6), (7, 2)]
    for old_size, new_size in sizes:
        old, new = rng.randbytes(old_size), rng.randbytes(new_size)
        same_everywhere(checksum(old, new, seed))
    for data in (bytes(8), b"\xff" * 8):
        for old, new in ((data, data), (data, b""), (b"", data)):
            same_everywhere(checksum(old, new, seed))


def printing(fmt, arguments=()):
    whole = fmt + b"\0" * (8 - len(fmt) % 8)
    insns = [
        Store(
            Reg.R10,
            at - len(whole),
            int.from_bytes(whole[at : at + 4], "little", signed=True),
            Size.W,
        )
        for at in range(0, len(whole), 4)
    ]
    insns += [mov(1, Reg.R10), Alu(AluOp.ADD, Reg.R1, -len(whole)), mov(2, len(fmt) + 1)]
    for reg in range(3, 6):
        value = arguments[reg - 3] if reg - 3 < len(arguments) else 0
        insns.append(LoadImm64(Reg(reg), value))
    return [*insns, call("trace_printk"), Exit()]


FORMATS = [
    (b"hello", ()),
    (b"%d %u %llu", ((1 << 64) - 5,) * 3),
    (b"%lld|%ld|%lx", ((1 << 64) - 5,) * 3),
    (b"%x %X %i", (0xBEEF, 0xBEEF, 1 << 40)),
    (b"%5d|%-5d|%05d", (3, 3, 3)),
    (b"%+d|% d|%08llx", (3, 3, 1 << 33)),
    (b"%3c|%-3c|%c", (65, 66, 67)),
    (b"%llu|%lld", ((1 << 64) - 1, 1 << 63)),
    (b"%0+6d|%- 6d|%+-6d", (3, 3, 3)),
    (b"100%% \t\xc3\xa9", ()),
    (b"%9999d%9999d", (1, 2)),
    (b"", ()),
]
REFUSED = [b"%", b"abc%", b"%o", b"%hd", b"%.3d", b"%#x", b"%l", b"%llld", b"%lc", b"%5%", b"\1"]


@pytest.mark.linux
@pytest.mark.parametrize(("fmt", "arguments"), FORMATS)
def test_trace_printk_prints_what_linux_prints(fmt, arguments):
    assert same_everywhere(printing(fmt, arguments))[0] < 1 << 31


@pytest.mark.linux
@pytest.mark.parametrize("fmt", [*REFUSED, b"%d %d %d %d"])
def test_trace_printk_refuses_what_linux_refuses(fmt):
    assert same_everywhere(printing(fmt, (1, 2, 3)))[0] == (1 << 32) - 22


@pytest.mark.parametrize(("fmt", "arguments"), FORMATS)
def test_both_engines_log_the_same_text(fmt, arguments):
    logs = []
    for engine in ("jit", "interpreter"):
        with load(engine, printing(fmt, arguments)) as loaded:
            program = loaded.programs["main"]
            program.test_run(FRAME)
            logs.append([record.text for record in program.log.take()])
    assert logs[0] == logs[1]
    assert len(logs[0]) == 1


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_a_full_log_loses_and_counts(engine):
    with load(engine, printing(b"%9999d", (1,))) as loaded:
        program = loaded.programs["main"]
        program.test_run(FRAME, repeat=1100)
        kept = len(program.log.records())
        assert kept + program.log.lost == 1100
        assert 1000 < kept < 1100


@cache
def randoms(engine):
    with load(engine, [call("get_prandom_u32"), Exit()]) as loaded:
        program = loaded.programs["main"]
        return [program.test_run(FRAME).retval for _ in range(50)]


def test_random_numbers_are_seeded_and_equal_in_both_engines():
    assert randoms("jit") == randoms("interpreter")
    assert len(set(randoms("jit"))) == 50


@pytest.mark.linux
def test_the_cpu_is_zero_and_the_clock_runs():
    assert run("jit", [call("get_smp_processor_id"), Exit()])[0] == 0
    insns = [call("ktime_get_ns"), Alu(AluOp.RSH, Reg.R0, 33), Exit()]
    seconds = {kernel: run(kernel, insns)[0] for kernel in KERNELS}
    assert max(seconds.values()) - min(seconds.values()) <= 1
