"""Flow dissectors: the same verdicts and flow keys in both engines and in Linux."""

import struct
from collections import Counter

import numpy as np
import pytest
import skb

from beebox.errors import InputError, SyscallError
from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.userspace.captures import encode_capture, parse_capture
from beebox.userspace.flows import KEYS, FlowKind, Flows
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.replay import CHUNK_PACKETS, replay

KERNELS = {
    "linux": LinuxKernel(),
    "jit": UserspaceKernel("jit"),
    "interpreter": UserspaceKernel("interpreter"),
}
OK, DROP, CONTINUE = 0, 2, 129
KEYS_BYTES = 56

HEAD = """
r6 = r1
r7 = *(u64 *)(r1 + 144)
r8 = *(u32 *)(r1 + 76)
r9 = *(u32 *)(r1 + 80)
"""
# IPv4 behind an Ethernet header: protocol, addresses, and ports of TCP and UDP.
DISSECT = f"""
{HEAD}
r0 = {CONTINUE}
r1 = *(u16 *)(r7 + 10)
if r1 != 8 goto out
r0 = {DROP}
r2 = r8
r2 += 34
if r2 > r9 goto out
r1 = 0x800
*(u16 *)(r7 + 4) = r1
r1 = *(u8 *)(r8 + 23)
*(u8 *)(r7 + 9) = r1
r1 = *(u32 *)(r8 + 26)
*(u32 *)(r7 + 16) = r1
r1 = *(u32 *)(r8 + 30)
*(u32 *)(r7 + 20) = r1
r1 = *(u16 *)(r7 + 2)
r1 += 20
*(u16 *)(r7 + 2) = r1
r0 = {OK}
r2 = r8
r2 += 38
if r2 > r9 goto out
r1 = *(u32 *)(r8 + 34)
*(u32 *)(r7 + 12) = r1
out:
exit
"""


def spec(text):
    main = FunctionSpec("main", "flow_dissector", assemble(text))
    return ObjectSpec({"main": main}, license="GPL")


def same_everywhere(text, frames, context=None, repeat=1):
    """Verdict and flow keys of each frame, which all kernels must agree on."""
    found = {}
    for name, kernel in KERNELS.items():
        found[name] = []
        with kernel.load(spec(text)) as loaded:
            for frame in frames:
                result = loaded.programs["main"].test_run(frame, repeat=repeat, context=context)
                found[name].append((result.retval, result.data_out, result.context))
    assert found["jit"] == found["linux"]
    assert found["interpreter"] == found["linux"]
    return [(retval, np.frombuffer(data, dtype=KEYS)[0]) for retval, data, _ in found["linux"]]


@pytest.mark.linux
@pytest.mark.parametrize("verdict", [OK, DROP, CONTINUE, 1, 77])
def test_a_program_that_does_nothing_leaves_fresh_keys(verdict):
    for retval, keys in same_everywhere(f"r0 = {verdict}\nexit", skb.FRAMES):
        assert retval == verdict
        assert (keys["nhoff"], keys["thoff"], keys["addr_proto"]) == (14, 14, 0)
    frame = skb.UDP4
    ((_, keys),) = same_everywhere("r0 = 0\nexit", [frame])
    assert keys["n_proto"] == 0x0800


@pytest.mark.linux
def test_dissected_frames():
    cut = [skb.UDP4[:size] for size in (14, 15, 33, 34, 35, 37, 38)]
    found = same_everywhere(DISSECT, [*skb.FRAMES, *cut])
    assert {retval for retval, _ in found} == {OK, DROP, CONTINUE}
    keys = found[1][1]
    assert (keys["ip_proto"], keys["sport"], keys["dport"], keys["thoff"]) == (17, 1000, 53, 34)


@pytest.mark.linux
def test_offsets_come_back_into_the_frame():
    text = f"""
{HEAD}
r0 = {DROP}
r2 = r8
r2 += 24
if r2 > r9 goto out
r1 = *(u16 *)(r8 + 20)
*(u16 *)(r7 + 0) = r1
r1 = *(u16 *)(r8 + 22)
*(u16 *)(r7 + 2) = r1
r0 = {OK}
out:
exit
"""
    values = (0, 13, 14, 15, 60, 91, 92, 93, 4096, 65535)
    offsets = [(nhoff, thoff) for nhoff in values for thoff in values]
    frames = [skb.UDP4[:20] + struct.pack("<HH", *row) + skb.UDP4[24:] for row in offsets]
    found = [keys for _, keys in same_everywhere(text, frames)]
    assert min(keys["nhoff"] for keys in found) == 14
    assert max(keys["thoff"] for keys in found) == len(skb.UDP4)


@pytest.mark.linux
@pytest.mark.parametrize("flags", [0, 1, 7, 0xFFFFFFFF])
def test_flags_are_the_callers(flags):
    context = bytearray(KEYS_BYTES)
    struct.pack_into("<I", context, 48, flags)
    text = f"{HEAD}r1 = *(u32 *)(r7 + 48)\n*(u32 *)(r7 + 52) = r1\nr0 = r1\nexit"
    ((retval, keys),) = same_everywhere(text, [skb.UDP4], bytes(context))
    assert retval == flags
    assert keys["flags"] == flags


@pytest.mark.linux
@pytest.mark.parametrize("at", [0, 9, 47, 52, 55])
def test_nothing_but_flags_is_the_callers(at):
    context = bytearray(KEYS_BYTES)
    context[at] = 1
    for name, kernel in KERNELS.items():
        with kernel.load(spec("r0 = 0\nexit")) as loaded:
            error = SyscallError if name == "linux" else InputError
            with pytest.raises(error):
                loaded.programs["main"].test_run(skb.UDP4, context=bytes(context))


@pytest.mark.linux
@pytest.mark.parametrize("repeat", [1, 2, 5])
def test_every_repetition_starts_with_fresh_keys(repeat):
    text = f"{HEAD}r1 = *(u16 *)(r7 + 2)\nr1 += 3\n*(u16 *)(r7 + 2) = r1\nr0 = r1\nexit"
    ((retval, _),) = same_everywhere(text, [skb.UDP4], repeat=repeat)
    assert retval == 17


@pytest.mark.linux
@pytest.mark.parametrize("offset", [0, 14, 60, 1 << 16])
def test_no_skb_stands_behind_a_test_run(offset):
    text = f"""
{HEAD}
r1 = -1
*(u64 *)(r10 - 8) = r1
r1 = r6
r2 = {offset}
r3 = r10
r3 += -8
r4 = 8
call 26
r1 = *(u64 *)(r10 - 8)
*(u32 *)(r7 + 16) = r1
exit
"""
    ((retval, keys),) = same_everywhere(text, [skb.UDP4])
    assert retval == (1 << 32) - 14
    assert bytes(keys["addresses"])[:4] == bytes(4)


@pytest.mark.linux
def test_lengths_that_a_test_run_takes():
    with KERNELS["linux"].load(spec(DISSECT)) as linux, KERNELS["jit"].load(spec(DISSECT)) as ours:
        for size in (0, 1, 13, 14, 64, 3712, 3713, 4095, 4096, 4097, 5000):
            frame = (skb.UDP4 + bytes(5000))[:size]
            try:
                expected = linux.programs["main"].test_run(frame).data_out
            except SyscallError:
                with pytest.raises(InputError):
                    ours.programs["main"].test_run(frame)
            else:
                assert ours.programs["main"].test_run(frame).data_out == expected


class Frames:
    """An observer that reads frames."""

    wants_frames = True

    def see(self, batch):
        assert batch.after_of(0) == batch.frames.packet(0)


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_replay_counts_what_flows_there_are(engine, frames):
    packets = [skb.FRAMES[n % len(skb.FRAMES)] for n in range(CHUNK_PACKETS["interpreter"] + 50)]
    capture = parse_capture(encode_capture(list(enumerate([*packets, b"short"]))))
    with KERNELS[engine].load(spec(DISSECT)) as live:
        seen = Flows()
        program = live.programs["main"]
        result = replay(program, capture, observers=[seen, *[Frames()] * frames])
        expected = Counter()
        for packet in packets:
            one = program.test_run(packet[:4096])
            keys = np.frombuffer(one.data_out, dtype=KEYS)[0]
            verdict = {OK: "OK", DROP: "DROP", CONTINUE: "FLOW_DISSECTOR_CONTINUE"}[one.retval]
            expected[FlowKind(int(keys["n_proto"]), int(keys["ip_proto"]), verdict)] += 1
    assert dict(seen.counts()) == expected
    assert sum(result.verdicts.values()) == len(packets)
    assert len(expected) > 4
