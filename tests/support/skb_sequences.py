"""Random sequences of skb and XDP helper calls, for ``skb_ops``' program."""

import random
import struct

import skb
import skb_ops
from skb_ops import Op

TC = tuple(name for name in skb_ops.OPERATIONS if not name.startswith("xdp"))
LWT = (
    *("skb_load_bytes", "skb_store_bytes", "skb_pull_data", "l3_csum_replace", "l4_csum_replace"),
    *("csum_update", "csum_level", "set_hash_invalid", "skb_change_head", "skb_change_tail"),
    *("get_cgroup_classid", "get_route_realm"),
)
PULLS = frozenset(TC) - {
    *("skb_load_bytes_relative", "skb_ecn_set_ce", "skb_pull_data", "get_hash_recalc")
}


def step(rng: random.Random, names) -> Op:
    """One call with arguments that often mean something.

    Packets stay long enough for their headers: where one is not, Linux moves bytes from behind its
    end, which are whatever the page held before.
    """
    name = rng.choice(names)
    offset = rng.choice([0, 12, 14, 18, 23, 24, 34, 40, rng.randrange(120), rng.randrange(1 << 32)])
    data = rng.randbytes(32)
    match name:
        case "skb_load_bytes" | "skb_store_bytes" | "skb_load_bytes_relative":
            return Op(name, offset, rng.randrange(32), rng.choice([0, 0, 1, 2, 3, 5]), data)
        case "l3_csum_replace" | "l4_csum_replace":
            flags = rng.choice([0, 2, 4]) | rng.choice([0, 0, 16, 32, 64, 96])
            return Op(name, offset, rng.getrandbits(64) & rng.choice([-1, 0xFFFFFFFF << 32]), flags)
        case "skb_vlan_push":
            return Op(name, rng.choice([0x0081, 0xA888, 0]), rng.randrange(1 << 16))
        case "skb_change_proto":
            return Op(name, rng.choice([0x0008, 0xDD86]))
        case "skb_change_head":
            return Op(name, rng.choice([0, 4, 14, 20]))
        case "skb_change_tail":
            return Op(name, rng.choice([170, rng.randrange(180, 300), rng.randrange(180, 17_000)]))
        case "skb_adjust_room":
            flags = rng.choice([0, 0, 2, 4, 2 | 8, 4 | 16, 32, 128, 256, 2 | 64 | 14 << 56])
            size = rng.choice(
                [20, 28, 40, -20, -28, -40, -rng.randrange(60), rng.randrange(20, 200)]
            )
            return Op(name, size, rng.randrange(2), flags)
        case "check_mtu":
            return Op(name, 0, rng.randrange(-50, 50), 0, struct.pack("<I", rng.choice([0, 1500])))
        case _:
            return Op(name, rng.randrange(5), rng.randrange(4), 0, data)


def cases(seed: int, count: int, names, frames=skb.FRAMES):
    """Cases of calls of these helpers."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        context = bytearray(192)
        if rng.random() < 0.2:
            struct.pack_into("<I", context, 176, 1400)  # gso_size
            struct.pack_into("<I", context, 164, 3)
        steps = [step(rng, names) for _ in range(skb_ops.STEPS)]
        found.append((rng.choice(frames), steps, bytes(context)))
    return found


XDP = (*(name for name in skb_ops.OPERATIONS if name.startswith("xdp")), "check_mtu")
SIZES = (14, 60, 3519, 3520, 3521, 4000, 7616, 7617, 9000, 20_000)


def xdp_frame(size: int) -> bytes:
    """Any bytes, the same for every size."""
    return random.Random(size).randbytes(size)


def xdp_context(linear: int, meta: int = 0) -> bytes:
    """``struct xdp_md`` as a test run takes it."""
    return struct.pack("<6I", meta, linear, 0, 0, 0, 0)


def xdp_cases(seed: int, count: int):
    """Cases for ``xdp.frags``: frames of several pages, linear to any byte."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        size = rng.choice(SIZES)
        linear = rng.choice([size, size, rng.randrange(14, size + 1)])
        steps = [
            Op(
                rng.choice(XDP[:-1]),
                rng.choice([rng.randrange(-300, 300), rng.randrange(-9000, 4000)]),
                rng.randrange(32),
                0,
                rng.randbytes(32),
            )
            for _ in range(skb_ops.STEPS)
        ]
        found.append((xdp_frame(size), steps, xdp_context(linear)))
    return found
