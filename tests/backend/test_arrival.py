"""The interface that packets arrive on: what programs see of it, as Linux shows a given device."""

import struct

import namespaces
import pytest
import skb

from beebox.isa.assembler import assemble
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.network.files import parse_network

OWN = bytes.fromhex("02000000000a")
NETWORK = "interface 7 eth0 mac 02:00:00:00:00:0a mtu 1400\narrive eth0"
PKT_TYPE, IFINDEX, INGRESS_IFINDEX = 4, 40, 36


def seeing(*offsets):
    body = [line for at in offsets for line in (f"r0 = *(u32 *)(r6 + {at})", "store")]
    return skb.program("tc", body)


def frames():
    addresses = [
        OWN,
        bytes(6),
        b"\xff" * 6,
        b"\x01" + bytes(5),
        b"\x02" + bytes(5),
        OWN[:5] + b"\x0b",
    ]
    return [address + skb.UDP4[6:] for address in addresses]


@pytest.mark.linux
@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_an_skb_is_as_linux_makes_it_on_that_device(engine):
    spec = seeing(PKT_TYPE, IFINDEX)
    with namespaces.namespace():
        namespaces.ip(
            "link add va type veth peer name vb\nlink set va address 02:00:00:00:00:0a up"
        )
        told = namespaces.description()
        ifindex = next(each.ifindex for each in parse_network(told).interfaces if each.name == "va")
        network = parse_network(told[:-1] + ', "arrive": "va"}')
        assert network.ingress == ifindex
        given = bytearray(192)
        struct.pack_into("<I", given, IFINDEX, ifindex)
        kinds = set()
        for frame in frames():
            linux = skb.run("linux", spec, frame, bytes(given))
            ours = skb.run(UserspaceKernel(engine, network=network), spec, frame)
            assert ours.stored == linux.stored
            kinds.add(ours.stored[0])
        assert kinds == {0, 1, 2, 3}


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_programs_learn_where_packets_arrive(engine):
    kernel = UserspaceKernel(engine, network=parse_network(NETWORK))
    seen = skb.run(kernel, seeing(IFINDEX, INGRESS_IFINDEX), skb.UDP4)
    assert seen.stored[:2] == (7, 7)
    main = FunctionSpec("main", "xdp", assemble("r0 = *(u32 *)(r1 + 12)\nexit"))
    with kernel.load(ObjectSpec({"main": main}, license="GPL")) as live:
        assert live.programs["main"].test_run(skb.UDP4).retval == 7


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_the_arriving_device_has_its_own_mtu(engine):
    kernel = UserspaceKernel(engine, network=parse_network(NETWORK))
    body = [
        "r1 = 0",
        "*(u64 *)(r10 - 8) = r1",
        "r1 = r6",
        "r2 = 0",
        "r3 = r10",
        "r3 += -8",
        "r4 = 0",
        "r5 = 0",
        "call 163",
        "store",
        "r0 = *(u32 *)(r10 - 8)",
        "store",
    ]
    spec = skb.program("tc", body)
    for size, fits in ((1414, 0), (1415, 1)):
        seen = skb.run(kernel, spec, skb.UDP4.ljust(size, b"\0"))
        assert seen.stored[:2] == (fits, 1400)
