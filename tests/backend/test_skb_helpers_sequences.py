"""skb helpers one after the other, chosen at random: Linux's results after every step."""

import random
import struct

import pytest
import skb
import skb_ops
from skb_ops import Op

from beebox.userspace.kernel import UserspaceKernel

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


@pytest.mark.linux
@pytest.mark.parametrize("seed", range(3))
def test_tc_sequences_are_linux_sequences(seed):
    outcomes = skb_ops.agree(skb_ops.driver("tc", TC), cases(seed, 500, TC))
    results = {words[0] for steps, *_ in outcomes for words in steps}
    assert len(results) >= 6  # successes and errors of many kinds happened


@pytest.mark.linux
@pytest.mark.parametrize(("section", "names"), [("tc", TC), ("lwt_xmit", LWT)])
def test_the_devices_checksum_is_kept_as_linux_keeps_it(section, names):
    chosen = cases(21, 400, names)
    outcomes = skb_ops.agree(skb_ops.driver(section, names), chosen, checksum=True)
    kept = sum(bool(packet) for _, packet, *_ in outcomes)
    assert 50 < kept < 350  # right and wrong afterwards


@pytest.mark.linux
def test_lwt_sequences_are_linux_sequences():
    skb_ops.agree(skb_ops.driver("lwt_xmit", LWT), cases(7, 500, LWT))


@pytest.mark.linux
@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("lwt_in", ("skb_load_bytes", "skb_pull_data", "get_route_realm", "get_cgroup_classid")),
        ("cgroup_skb/egress", ("skb_load_bytes", "skb_load_bytes_relative", "skb_ecn_set_ce")),
        ("socket", ("skb_load_bytes", "skb_load_bytes_relative")),
    ],
)
def test_readers_sequences_are_linux_sequences(section, names):
    spec = skb_ops.driver(section, names, direct=section != "socket")
    skb_ops.agree(spec, cases(11, 200, names))


@pytest.mark.linux
def test_paged_packets_give_the_same_where_helpers_pull():
    names = tuple(sorted(PULLS))
    spec, chosen = skb_ops.driver("tc", names), cases(5, 300, names)
    linux = skb_ops.outcomes(skb.KERNELS["linux"], spec, chosen)
    for engine in ("jit", "interpreter"):
        paged = UserspaceKernel(engine, linear_bytes=20)
        ours = skb_ops.outcomes(paged, spec, chosen)
        for mine, theirs in zip(ours, linux, strict=True):
            assert mine[1:] == theirs[1:]
            for one, other in zip(mine[0], theirs[0], strict=True):
                assert one[:8] == other[:8]  # all but how much is linear
                assert one[8] <= other[8]
                assert one[9:] == other[9:]


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_pulling_makes_bytes_direct(engine):
    kernel = UserspaceKernel(engine, linear_bytes=30)
    steps = [Op("skb_load_bytes", 40, 7), Op("skb_load_bytes_relative", 40, 7)]
    steps += [Op("skb_pull_data", 60), Op("skb_load_bytes_relative", 40, 7), Op("skb_pull_data")]
    (words, _, _, _), *_ = skb_ops.outcomes(
        kernel, skb_ops.driver("tc", TC), [(skb.UDP4, steps, None)]
    )
    assert [word[0] for word in words] == [0, (1 << 64) - 14, 0, 0, 0]
    assert [word[8] for word in words] == [30, 30, 60, 60, 60]
