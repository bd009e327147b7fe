"""Fields of ``__sk_buff``: the same loads and stores in both engines and in Linux, any width."""

import struct

import pytest
import skb

from beebox.errors import InputError, SyscallError
from beebox.tables.contexts import FieldKind
from beebox.tables.program_types import ProgramType

SECTIONS = {
    "tc": ProgramType.SCHED_CLS,
    "action": ProgramType.SCHED_ACT,
    "socket": ProgramType.SOCKET_FILTER,
    "cgroup_skb/ingress": ProgramType.CGROUP_SKB,
    "lwt_in": ProgramType.LWT_IN,
    "lwt_out": ProgramType.LWT_OUT,
    "lwt_xmit": ProgramType.LWT_XMIT,
}
KINDS = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}


def reads(program_type):
    """Every legal load of every scalar field."""
    for field in program_type.value.context.fields:
        if field.kind is not FieldKind.SCALAR or field.attach_types:
            continue
        for size in field.reads:
            for at in range(field.offset, field.offset + field.size - size + 1, size):
                yield at, size


@pytest.mark.linux
@pytest.mark.parametrize("section", SECTIONS)
def test_every_load_of_every_field(section):
    loads = list(reads(SECTIONS[section]))
    for first in range(0, len(loads), 120):
        body = []
        for at, size in loads[first : first + 120]:
            body += [f"r0 = *({KINDS[size]} *)(r6 + {at})", "store"]
        skb.same_everywhere(skb.program(section, body), skb.FRAMES)


@pytest.mark.linux
def test_a_context_is_taken_and_given_back():
    given = bytearray(192)
    values = {8: 0x11223344, 32: 7, 36: 5, 48: 0xAABBCCDD, 64: 9, 164: 3, 176: 1400}
    for at, value in values.items():
        struct.pack_into("<I", given, at, value)
    struct.pack_into("<Q", given, 152, 1 << 40)
    struct.pack_into("<Q", given, 184, 77)
    struct.pack_into("<I", given, 160, 2000)
    body = []
    for at in (8, 32, 36, 40, 48, 52, 56, 60, 64, 160, 164, 176):
        body += [f"r0 = *(u32 *)(r6 + {at})", "store"]
    for at in (152, 184):
        body += [f"r0 = *(u64 *)(r6 + {at})", "store"]
    skb.same_everywhere(skb.program("tc", body), (skb.UDP4, skb.TCP6), bytes(given))


NUMBERS = (0, 1, 77, 0xFFFE, 0xFFFF, 0x10000, 0x12345678, 0xFFFFFFFF, 0x1_0000_0001, (1 << 64) - 1)


@pytest.mark.linux
def test_stores_keep_what_linux_keeps():
    body = []
    for at in (8, 12, 32, 44, 72):  # mark, queue_mapping, priority, tc_index, tc_classid
        for number in NUMBERS:
            body += [f"r1 = {number} ll", f"*(u32 *)(r6 + {at}) = r1"]
            body += [f"r0 = *(u32 *)(r6 + {at})", "store"]
    skb.same_everywhere(skb.program("tc", body), (skb.UDP4,), bytes(192))
    body = []
    for at in (8, 12, 32, 44, 72):
        for number in (0, 5, 0xFFFE, 0xFFFF, 0x10000, -1, -2, -65536):
            body += [f"*(u32 *)(r6 + {at}) = {number}", f"r0 = *(u32 *)(r6 + {at})", "store"]
    body += ["r1 = 0x1122334455667788 ll", "*(u64 *)(r6 + 152) = r1", "*(u64 *)(r6 + 48) = r1"]
    body += ["*(u8 *)(r6 + 50) = 9", "*(u16 *)(r6 + 54) = r1", "*(u32 *)(r6 + 64) = -3"]
    skb.same_everywhere(skb.program("tc", body), (skb.UDP4,), bytes(192))


@pytest.mark.linux
@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "socket"])
def test_packets_start_where_linux_starts_them(section):
    body = ["r7 = *(u32 *)(r6 + 76)", "r8 = *(u32 *)(r6 + 80)", "r0 = r8", "r0 -= r7", "store"]
    for at in range(0, 40, 4):
        body += ["r1 = r7", f"r1 += {at + 4}", "if r1 > r8 goto out", f"r0 = *(u32 *)(r7 + {at})"]
        body += ["store"]
    skb.same_everywhere(skb.program(section, body), skb.FRAMES)


@pytest.mark.linux
def test_packets_are_written_in_place():
    body = ["r7 = *(u32 *)(r6 + 76)", "r8 = *(u32 *)(r6 + 80)", "r1 = r7", "r1 += 34"]
    body += ["if r1 > r8 goto out", "*(u8 *)(r7 + 22) = 9", "*(u32 *)(r7 + 26) = -1"]
    seen = skb.same_everywhere(skb.program("tc", body), skb.FRAMES, bytes(192), repeat=3)
    assert seen[0].data[22] == 9


@pytest.mark.linux
def test_refused_frames_are_those_that_linux_refuses():
    spec = skb.program("tc", [])
    for protocol in (0x0800, 0x86DD, 0x0806):
        frames = [skb.ethernet(protocol, bytes(n)) for n in (0, 19, 20, 39, 40, 3698, 3699)]
        for frame in (b"", bytes(13), *frames):
            outcomes = {name: outcome(name, spec, frame) for name in skb.KERNELS}
            assert set(outcomes.values()) == {outcomes["linux"]}, (frame.hex(), outcomes)


def outcome(kernel, spec, frame):
    try:
        return skb.run(kernel, spec, frame).data
    except (InputError, SyscallError):
        return "refused"


@pytest.mark.linux
def test_data_meta_starts_at_the_packet():
    body = ["r7 = *(u32 *)(r6 + 140)", "r0 = *(u32 *)(r6 + 76)", "r0 -= r7", "store"]
    skb.same_everywhere(skb.program("tc", body), skb.FRAMES)


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_only_the_linear_part_is_direct(engine):
    kernel = skb.UserspaceKernel(engine, linear_bytes=30)
    body = ["r7 = *(u32 *)(r6 + 76)", "r0 = *(u32 *)(r6 + 80)", "r0 -= r7", "store"]
    body += ["r0 = *(u32 *)(r6 + 0)", "store"]
    seen = skb.run(kernel, skb.program("tc", body), skb.UDP4)
    assert seen.stored[:2] == (30, len(skb.UDP4))
    assert seen.data == skb.UDP4
