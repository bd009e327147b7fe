"""Packet helpers in any order with any numbers: nothing outside of the packet's buffer changes."""

from __future__ import annotations

import random

import pytest

from beebox.hooks.packet import hook_of
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.program_types import ProgramType
from beebox.userspace.native_helpers import helper_call
from beebox.userspace.runtime import Environment
from beebox.vm.contexts import layout_of
from beebox.vm.memory import Buffer

SEQUENCES = 15_000  # of each program type
OUTSIDE = 6000  # bytes on each side that are looked at
MARK = b"\xaa"
NUMBERS = (
    *(0, 1, 4, 5, 13, 14, 15, 16, 18, 20, 34, 40, 54, 60, 64, 100, 255, 256, 300, 1000, 4095, 4096),
    *(0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, -1, -4, -14, -20, -40, -100, -4095),
)
NUMBER, MEMORY = None, "memory"
CALLS = {
    "skb_load_bytes": (NUMBER, MEMORY, (1, 4, 64, 512)),
    "skb_load_bytes_relative": (NUMBER, MEMORY, (1, 4, 64), (0, 1, 2)),
    "skb_store_bytes": (NUMBER, MEMORY, (1, 4, 64), (0, 1, 2, 3)),
    "skb_pull_data": (NUMBER,),
    "l3_csum_replace": (NUMBER, (0,), (5,), (0, 2, 4)),
    "l4_csum_replace": (NUMBER, (0,), (5,), (0, 2, 4, 0x12, 0x20)),
    "skb_vlan_push": ((0x81, 0xA888, 8), NUMBER),
    "skb_vlan_pop": (),
    "skb_change_proto": ((8, 0xDD86), (0,)),
    "skb_change_tail": (NUMBER, (0,)),
    "skb_change_head": (NUMBER, (0,)),
    "skb_adjust_room": (NUMBER, (0, 1), (0, 2, 4, 10, 20, 66 | 14 << 56, 32, 128, 256)),
    "get_hash_recalc": (),
    "skb_ecn_set_ce": (),
    "lwt_push_encap": ((2,), MEMORY, (20, 28, 40, 48, 60, 100, 256)),
    "xdp_adjust_head": (NUMBER,),
    "xdp_adjust_tail": (NUMBER,),
    "xdp_adjust_meta": (NUMBER,),
    "xdp_load_bytes": (NUMBER, MEMORY, (1, 64, 512)),
    "xdp_store_bytes": (NUMBER, MEMORY, (1, 64, 512)),
}


def frame(rng: random.Random) -> bytes:
    size = rng.choice((14, 15, 16, 18, 20, 34, 54, 60, 100, 1000, 3000))
    data = bytearray(rng.randbytes(size))
    data[12:14] = rng.choice((b"\x08\0", b"\x86\xdd", b"\x81\0", b"\0\5"))
    return bytes(data)


@pytest.mark.parametrize(
    "type_", [ProgramType.SCHED_CLS, ProgramType.LWT_XMIT, ProgramType.CGROUP_SKB, ProgramType.XDP]
)
def test_nothing_outside_changes(type_):
    rng = random.Random(7)
    layout = layout_of(type_.value.context)
    names = [name for name in CALLS if HELPER_BY_NAME[name].allowed(type_, None)]
    calls = {name: helper_call(name, layout.struct) for name in names}
    linear = (0, 14, 30, (1 << 32) - 1)
    environments = [Environment(hook_of(type_), layout, linear_bytes=each) for each in linear]
    memory = Buffer(512)
    for _ in range(SEQUENCES):
        environment, data = rng.choice(environments), frame(rng)
        environment.load(data)
        packet = environment.packet
        context, view = packet.context, packet.buffer.view
        if type_ is not ProgramType.XDP:
            context.hard_start = packet.start - rng.choice((0, 4, 32, 256))
            context.hard_end = packet.start + len(data) + rng.choice((0, 4, 16, 64, 500))
        low, high = (at - packet.buffer.address for at in (context.hard_start, context.hard_end))
        view[:low] = MARK * low
        view[high : high + OUTSIDE] = MARK * OUTSIDE
        memory.view[:] = rng.randbytes(512)
        memory.view[0] = rng.choice((0x45, 0x4F, 0x60, 0x11))
        for _ in range(rng.randrange(1, 40)):
            name = rng.choice(names)
            given = [
                rng.choice(NUMBERS) & (1 << 64) - 1
                if kind is NUMBER
                else memory.address
                if kind is MEMORY
                else rng.choice(kind)
                for kind in CALLS[name]
            ]
            calls[name](environment.runtime_address, environment.context_address, *given)
        assert bytes(view[:low]) == MARK * low
        assert bytes(view[high : high + OUTSIDE]) == MARK * OUTSIDE
        end = context.data_end
        assert context.hard_start <= context.data <= end <= context.hard_end
        if type_ is not ProgramType.XDP:
            assert end <= context.data + context.len <= context.hard_end
