"""bpf_redirect and its like: the same verdicts and errors in both engines and in Linux."""

import struct
from contextlib import ExitStack, contextmanager

import namespaces
import pytest
import skb

from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.network.files import parse_network

pytestmark = pytest.mark.linux

EINVAL = 22
NET_RX_DROP, NET_XMIT_CN = 1, 2
ABORTED, REDIRECT, SHOT, TC_REDIRECT = 0, 4, 2, 7
FLAGS = (0, 1, 2, 3, 8, 1 << 16, 1 << 17, 1 << 31, 1 << 32, (1 << 64) - 1)
LINKS = """
link set lo up
link add va type veth peer name vb
link add vc type veth peer name vd
link set va up
link set vb up
"""


DATA = {"xdp": (0, 4), "tc": (76, 80), "action": (76, 80), "lwt_xmit": (76, 80)}


@contextmanager
def network():
    with namespaces.namespace():
        namespaces.ip(LINKS)
        yield parse_network(namespaces.description())


def index(net, name):
    return next(each.ifindex for each in net.interfaces if each.name == name)


def program(section, call):
    """A program that returns what a call does, given a frame of :func:`frame_of`.

    R1 is the context, R7 and R8 are the two numbers.
    """
    data, end = DATA[section]
    text = f"""
r2 = *(u32 *)(r1 + {data})
r3 = *(u32 *)(r1 + {end})
r4 = r2
r4 += 32
r0 = 77
if r4 > r3 goto out
r7 = *(u64 *)(r2 + 16)
r8 = *(u64 *)(r2 + 24)
{call}
out:
exit
"""
    return ObjectSpec({"main": FunctionSpec("main", section, assemble(text))}, license="GPL")


def frame_of(section, first, second):
    """A frame with two numbers where :func:`program` looks for them."""
    start = 14 if section == "lwt_xmit" else 0
    numbers = struct.pack("<QQ", first, second)
    return skb.UDP4[: start + 16] + numbers + skb.UDP4[start + 32 :]


@contextmanager
def everywhere(net, section, call):
    """The call in Linux and in both engines, which must agree; as a function of two numbers."""
    kernels = {
        "linux": LinuxKernel(),
        "jit": UserspaceKernel("jit", network=net),
        "interpreter": UserspaceKernel("interpreter", network=net),
    }
    module = program(section, call)
    with ExitStack() as stack:
        loaded = {name: stack.enter_context(each.load(module)) for name, each in kernels.items()}

        def ask(first, second):
            frame = frame_of(section, first, second)
            found = {}
            for name, each in loaded.items():
                result = each.programs["main"].test_run(frame)
                found[name] = (result.retval, result.data_out)
            assert found["jit"] == found["linux"]
            assert found["interpreter"] == found["linux"]
            return found["linux"][0]

        yield ask


@pytest.mark.parametrize(
    ("section", "helper"),
    [("xdp", 23), ("tc", 23), ("action", 23), ("lwt_xmit", 23), ("tc", 155)],
)
def test_redirect_takes_its_flags_only_and_any_device(section, helper):
    wanted, refused = (REDIRECT, ABORTED) if section == "xdp" else (TC_REDIRECT, SHOT)
    legal = {0} if section == "xdp" or helper == 155 else {0, 1}
    call = f"r1 = r7\nr2 = r8\ncall {helper}"
    with network() as net, everywhere(net, section, call) as ask:
        for ifindex in (0, 1, index(net, "va"), 999, 1 << 31, (1 << 64) - 1):
            for flags in FLAGS:
                assert ask(ifindex, flags) == (wanted if flags in legal else refused)


@pytest.mark.parametrize("size", [0, 4, 19, 20, 24])
def test_redirect_neigh_takes_a_next_hop_or_none(size):
    call = f"""
r1 = 0
*(u64 *)(r10 - 8) = r1
*(u64 *)(r10 - 16) = r1
*(u64 *)(r10 - 24) = r1
r1 = r7
r2 = {"r10" if size else 0}
{"r2 += -24" if size else ""}
r3 = {size}
r4 = r8
call 152
"""
    with network() as net, everywhere(net, "tc", call) as ask:
        for flags in FLAGS:
            good = flags == 0 and size in {0, 20, 24}
            assert ask(index(net, "va"), flags) == (TC_REDIRECT if good else SHOT)


@pytest.mark.parametrize("section", ["tc", "lwt_xmit"])
def test_clones_leave_by_devices_that_are_there(section):
    call = "r2 = r7\nr3 = r8\ncall 13"
    refused = (1 << 32) - EINVAL
    with network() as net, everywhere(net, section, call) as ask:
        for name in ("lo", "va"):
            assert [ask(index(net, name), flags) for flags in (0, 1)] == [0, 0]
        down = index(net, "vc")
        assert [ask(down, flags) for flags in (0, 1)] == [NET_XMIT_CN, NET_RX_DROP]
        for ifindex in (0, 999, 1 << 31):
            assert ask(ifindex, 0) == refused
        for flags in FLAGS[2:]:
            assert ask(1, flags) == refused


def test_a_clone_leaves_the_packet_as_it_is():
    body = ["r1 = r6", "r2 = 1", "r3 = 1", "call 13", "store", "r0 = *(u32 *)(r6 + 0)", "store"]
    with namespaces.namespace():
        namespaces.ip("link set lo up")
        skb.same_everywhere(skb.program("tc", body), skb.FRAMES)
