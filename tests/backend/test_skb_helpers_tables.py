"""skb helpers at the boundaries of their arguments: Linux's results, errno by errno."""

import itertools
import struct

import pytest
import skb
import skb_ops
from skb_ops import Op

from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.network.files import parse_network

TC = tuple(name for name in skb_ops.OPERATIONS if not name.startswith("xdp"))
OFFSETS = (0, 1, 12, 14, 23, 34, 41, 42, 43, 91, 92, 0xFFFE, 0xFFFF, 0x10000)
OFFSETS += (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SIZES = (0, 1, 13, 31)  # the program adds 1


def run(*steps, frames=skb.FRAMES, section="tc", names=TC, context=None):
    """Each step alone, on every frame."""
    spec = skb_ops.driver(section, names)
    cases = [(frame, [step], context) for frame in frames for step in steps]
    return [outcome[0][0][0] for outcome in skb_ops.agree(spec, cases)]


@pytest.mark.linux
def test_load_bytes():
    steps = [Op("skb_load_bytes", a, b) for a in OFFSETS for b in SIZES]
    steps += [
        Op("skb_load_bytes_relative", a, b, c)
        for a, b, c in itertools.product(OFFSETS, (0, 31), (0, 1, 2, 1 << 32))
    ]
    assert len(set(run(*steps))) == 2


@pytest.mark.linux
def test_store_bytes():
    steps = [
        Op("skb_store_bytes", a, b, c, b"0123456789abcdef")
        for a, b, c in itertools.product(OFFSETS, SIZES, (0, 1, 2, 3, 4, 1 << 40))
    ]
    assert len(set(run(*steps, frames=(skb.UDP4, skb.LLC)))) == 3


@pytest.mark.linux
def test_pull_data():
    sizes = (0, 1, 14, 34, 41, 42, 92, 93, 3042, 3043, 0xFFFFFFFF)
    assert len(set(run(*[Op("skb_pull_data", a) for a in sizes]))) == 2


@pytest.mark.linux
@pytest.mark.parametrize("name", ["l3_csum_replace", "l4_csum_replace"])
def test_csum_replace(name):
    pairs = [(0, 0), (0, 0x1234), (0x1234, 0), (0xFFFF, 1), (0x12345678, 0x9ABCDEF0)]
    pairs += [(0xFFFFFFFF, 0xFFFFFFFF), (0xEDCB, 0xEDCB)]
    steps = [
        Op(name, a, old | new << 32, c)
        for a, (old, new), c in itertools.product(
            (24, 40, 25, 0xFFFF, 0x10000, 3000), pairs, (0, 2, 4, 3, 15, 16, 20, 36, 96, 128, 256)
        )
    ]
    run(*steps, frames=(skb.UDP4, skb.TCP6))
    zero = skb.UDP4[:40] + b"\0\0" + skb.UDP4[42:]
    run(*[Op(name, 40, 0x1234 | 0x1234 << 32, c) for c in range(256)], frames=(zero, skb.UDP4))


@pytest.mark.linux
def test_checksum_state():
    levels = (0, 1, 2, 3, 4, 1 << 32, (1 << 64) - 1)
    run(*[Op("csum_level", a) for a in levels], *[Op("csum_update", a) for a in (0, 7)])
    spec = skb_ops.driver("tc", TC)
    cases = [
        (skb.UDP4, [Op("csum_level", a) for a in steps], None)
        for steps in itertools.product((0, 1, 2, 3), repeat=5)
    ]
    skb_ops.agree(spec, cases)


@pytest.mark.linux
def test_vlan():
    protocols = (0x0081, 0xA888, 0, 0x0008, 0x10081)
    run(*[Op("skb_vlan_push", a, b) for a in protocols for b in (0, 5, 0x2005, 0xFFFF, 0x10001)])
    run(Op("skb_vlan_pop"))
    spec = skb_ops.driver("tc", TC)
    choices = [Op("skb_vlan_push", 0x0081, 0x2005), Op("skb_vlan_push", 0xA888, 0)]
    choices += [Op("skb_vlan_pop")]
    sequences = list(itertools.product(choices, repeat=4))
    tags = bytes.fromhex("000581000006000d") + b"\xff\xff" + bytes(30)
    frames = (*skb.FRAMES, skb.ethernet(0x8100, tags), skb.ethernet(0x8100, b"\0\5"))
    skb_ops.agree(spec, [(frame, steps, None) for frame in frames for steps in sequences])


@pytest.mark.linux
def test_change_proto_type_and_time():
    steps = [Op("skb_change_proto", a, c=c) for a in (0x0008, 0xDD86, 0, 0x0608) for c in (0, 1)]
    steps += [Op("skb_change_type", a) for a in (0, 1, 2, 3, 4, 7, 1 << 32, (1 << 32) - 1)]
    steps += [Op("skb_set_tstamp", a, b) for a in (0, 1, 1 << 40) for b in (0, 1, 2, 3, 1 << 32)]
    run(*steps, context=bytes(192))


@pytest.mark.linux
def test_change_head_and_tail():
    sizes = (0, 1, 13, 14, 33, 34, 42, 92, 500, 13_000, 15_971, 15_972, 15_973, 16_022, 16_023)
    sizes += (16_063, 16_064, 16_065, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    steps = [
        Op(f"skb_change_{end}", a, c=c) for end in ("head", "tail") for a in sizes for c in (0, 1)
    ]
    run(*steps, frames=(skb.UDP4, skb.TCP6, skb.TINY, skb.VLAN4))


@pytest.mark.linux
def test_adjust_room():
    diffs = (0, 1, 8, 14, 20, 28, 40, 100, 0xFFF, 0x1000, -1, -20, -28, -30, -31, -50, -0xFFF)
    diffs += (-0x1000, 1 << 31)
    flags = [0, 1, 2, 4, 6, 8, 10, 18, 20, 24, 26, 32, 64, 66, 70, 128, 256, 384, 130, 512, 1 << 55]
    flags += [2 | length << 56 for length in (1, 14, 20, 255)]
    flags += [2 | 64 | length << 56 for length in (13, 14, 40)]
    steps = [
        Op("skb_adjust_room", a, b, c) for a, b, c in itertools.product(diffs, (0, 1, 2), flags)
    ]
    run(*steps, frames=(skb.UDP4, skb.TCP6, skb.VLAN4))


@pytest.mark.linux
def test_ecn():
    frames = [
        skb.ethernet(kind, tags + build(17, skb.udp(b"ecn"), **{field: value}))
        for value in (0, 1, 2, 3, 0xFC, 0xFD, 0xFE, 0xFF)
        for build, field, inner in (
            (skb.ipv4, "tos", 0x0800),
            (skb.ipv6, "traffic_class", 0x86DD),
        )
        for kind, tags in ((inner, b""), (0x8100, struct.pack(">HH", 5, inner)))
    ]
    run(Op("skb_ecn_set_ce"), frames=[*frames, *skb.FRAMES])


@pytest.mark.linux
def test_hash():
    spec = skb_ops.driver("tc", TC)
    known = [Op("set_hash", a) for a in (0, 1, 0xFFFFFFFF, 1 << 32)]
    forget = [Op("set_hash_invalid"), Op("skb_change_proto", 0xDD86)]
    forget += [Op("skb_store_bytes", 20, 3, 2), Op("skb_store_bytes", 20, 3, 0)]
    cases = [(skb.UDP4, [one, other], None) for one in known for other in forget]
    skb_ops.agree(spec, cases)


@pytest.mark.linux
def test_mtu():
    lengths = (0, 1, 1400, 65_522, 65_536, 65_537, 65_550, 0x7FFFFFF1, 0xFFFFFFFF)
    steps = [
        Op("check_mtu", a, b, c, struct.pack("<I", length))
        for a in (0, 1, 999, 1 << 32)
        for b in (0, 1, -1, 65_000, 65_458, 65_459, 1 << 31)
        for c in (0, 1, 2, 1 << 32)
        for length in lengths
    ]
    run(*steps, frames=(skb.UDP4,))
    run(*steps[::7], frames=(skb.UDP4,), context=(bytes(176) + b"\5").ljust(192, b"\0"))


@pytest.mark.linux
def test_what_has_no_class_or_realm():
    names = ("get_cgroup_classid", "skb_cgroup_classid", "get_route_realm")
    assert set(run(*[Op(name) for name in names])) == {0}


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
@pytest.mark.parametrize("section", ["tc", "xdp"])
def test_mtu_of_a_device_that_the_user_gives(engine, section):
    network = parse_network("interface 1 lo loopback\ninterface 7 wire mtu 1000\n", file="net")
    kernel = UserspaceKernel(engine, network=network)
    lengths = (0, 999, 1000, 1001)
    steps = [Op("check_mtu", 7, by, 0, struct.pack("<I", n)) for n in lengths for by in (0, 1)]
    steps += [Op("check_mtu", 8)]
    spec = skb_ops.driver(section, ("check_mtu",))
    found = skb_ops.outcomes(kernel, spec, [(skb.UDP4, [step], None) for step in steps])
    results = [words[0][0] for words, *_ in found]
    assert results == [0, 0, 0, 0, 0, 1, 1, 1, (1 << 64) - 19]
