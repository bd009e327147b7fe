"""Lightweight tunnel programs: headers pushed and segment routing, as test runs have them.

Linux's test runs give a packet no route. There lwt_xmit programs that push a header, and all that
insert segment routing headers, read through a null pointer: Linux is asked over a real route.
"""

import socket
import struct

import namespaces
import pytest
import skb

from beebox.errors import NotSupportedError
from beebox.isa.assembler import assemble
from beebox.obj import writer
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.userspace.kernel import UserspaceKernel

PUSH, STORE, ACTION = 73, 74, 76
AT = -264

IP4 = bytes([0x45, 0, 0, 40, 0, 1, 0, 0, 64, 4, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2])
IP6 = bytes([0x60, 0, 0, 0, 0, 0, 4, 64]) + bytes(31) + b"\1"


def udp_in(header):
    """The header with UDP behind it."""
    at = 9 if header[0] >> 4 == 4 else 6
    return header[:at] + b"\x11" + header[at + 1 :] + struct.pack(">HHHH", 1, 2, 8, 0)


def write(data):
    whole = data.ljust((len(data) + 7) // 8 * 8, b"\0")
    words = struct.unpack(f"<{len(whole) // 8}q", whole)
    lines = []
    for number, word in enumerate(words):
        lines += [f"r1 = {word} ll", f"*(u64 *)(r10 {AT + 8 * number:+d}) = r1"]
    return lines


def call(helper, kind, size):
    return [
        "r1 = r6",
        f"r2 = {kind}",
        "r3 = r10",
        f"r3 += {AT}",
        f"r4 = {size}",
        f"call {helper}",
        "store",
    ]


def fields():
    """Lines that store what of the context a push changes."""
    offsets = (0, 4, 16, 20, 68)
    return [line for at in offsets for line in (f"r0 = *(u32 *)(r6 + {at})", "store")]


def pushing(header, size=None, kind=2):
    return [*write(header), *call(PUSH, kind, size or len(header)), *fields()]


HEADERS = {
    "ipv4": IP4,
    "ipv4 with its checksum": IP4[:10] + b"\x12\x34" + IP4[12:],
    "ipv4 with options": b"\x46" + IP4[1:] + bytes(4),
    "ipv4 over udp": udp_in(IP4),
    "ipv4 of 16 bytes": b"\x44" + IP4[1:],
    "ipv4 of no bytes": b"\x40" + IP4[1:],
    "ipv6": IP6,
    "ipv6 over udp": udp_in(IP6),
    "ipv4 and much behind": IP4 + bytes(range(236)),
    "ipv6 and much behind": IP6 + bytes(range(216)),
}


@pytest.mark.linux
@pytest.mark.parametrize("name", HEADERS)
def test_headers_pushed_on_the_way_in(name):
    seen = skb.same_everywhere(skb.program("lwt_in", pushing(HEADERS[name])), skb.FRAMES)
    assert all(row.stored[0] == 0 for row in seen)


@pytest.mark.linux
def test_a_header_upon_a_header():
    body = pushing(udp_in(IP4)) + pushing(IP6) + pushing(IP4)
    skb.same_everywhere(skb.program("lwt_in", body), skb.FRAMES)
    skb.same_everywhere(skb.program("lwt_in", pushing(IP4)), skb.FRAMES, repeat=8)


@pytest.mark.linux
@pytest.mark.parametrize(
    ("header", "size"),
    [
        (IP4, 19),
        (b"\x46" + IP4[1:], 20),
        (udp_in(IP4), 27),
        (IP6, 39),
        (udp_in(IP6), 47),
        (b"\x50" + IP6[1:], 40),
        (bytes(40), 40),
        (IP4 + bytes(240), 257),
    ],
)
def test_wrong_headers_are_refused(header, size):
    seen = skb.same_everywhere(skb.program("lwt_in", pushing(header, size)), skb.FRAMES)
    assert all(row.stored[0] == (1 << 64) - 22 for row in seen)


@pytest.mark.linux
def test_packets_that_stand_for_several_are_not_encapsulated():
    context = bytearray(192)
    struct.pack_into("<I", context, 164, 3)
    struct.pack_into("<I", context, 176, 100)
    program = skb.program("lwt_in", pushing(IP4))
    seen = skb.same_everywhere(program, skb.FRAMES, bytes(context))
    assert {row.stored[0] for row in seen} == {(1 << 64) - 524}


@pytest.mark.parametrize("name", HEADERS)
def test_the_way_out_is_as_the_way_in(name):
    found = []
    for section in ("lwt_in", "lwt_xmit"):
        for kernel in ("jit", "interpreter"):
            with skb.KERNELS[kernel].load(skb.program(section, pushing(HEADERS[name]))) as live:
                results = live.maps["results"]
                runs = [live.programs["main"].test_run(frame) for frame in skb.FRAMES]
                left = [(run.retval, run.data_out) for run in runs]
                found.append((left, results.lookup(bytes(4))))
    assert found == [found[0]] * 4


LINKS = """
link set lo up
link add va type veth peer name vb
link set va address 02:00:00:00:00:0a addrgenmode none
link set vb addrgenmode none
link set va up
link set vb up
addr add 10.0.0.1/24 dev va
neigh add 10.0.0.2 dev va lladdr 02:00:00:00:00:02
"""


@pytest.mark.linux
@pytest.mark.parametrize("name", [name for name in HEADERS if "ipv4" in name and "of" not in name])
def test_the_way_out_of_a_real_route(name, tmp_path):
    """A packet leaves by a route with the program on it; ours makes of it what Linux sent."""
    lines = ["r6 = r1", *write(HEADERS[name]), *call(PUSH, 2, len(HEADERS[name]))]
    text = "\n".join([*(line for line in lines if line != "store"), "exit"])
    main = FunctionSpec("main", "lwt_xmit", assemble(text))
    plain = ObjectSpec({"main": main}, license="GPL")
    file = tmp_path / "program.o"
    file.write_bytes(writer.write(plain))
    with namespaces.namespace():
        route = f"route add 10.1.0.0/16 via 10.0.0.2 dev va encap bpf xmit obj {file}"
        namespaces.ip(f"{LINKS}{route} section lwt_xmit headroom 256\n", mounts=True)
        with (
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            wire.bind(("vb", 0))
            wire.settimeout(5)
            sender.sendto(b"some bytes", ("10.1.0.5", 9))
            sent = wire.recv(4096)
    inner = sent[14 + len(HEADERS[name]) :]
    assert inner[12:20] == bytes([10, 0, 0, 1, 10, 1, 0, 5])
    for engine in ("jit", "interpreter"):
        with skb.KERNELS[engine].load(plain) as live:
            ours = live.programs["main"].test_run(skb.ethernet(0x0800, inner))
            assert ours.data_out[14:] == sent[14:]


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_segment_routing_headers_are_refused_by_name(kind, engine):
    with pytest.raises(NotSupportedError) as caught:
        UserspaceKernel(engine).load(skb.program("lwt_in", pushing(bytes(24), kind=kind)))
    assert "lwt_push_encap" in caught.value.feature
    assert caught.value.hint


@pytest.mark.parametrize("helper", [STORE, ACTION])
def test_segment_routing_helpers_are_refused_with_the_reason(helper):
    body = [*write(bytes(16)), *call(helper, 2, 16)]
    with pytest.raises(NotSupportedError) as caught:
        UserspaceKernel("jit").load(skb.program("lwt_seg6local", body))
    assert caught.value.hint


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_a_kind_that_nobody_knows_before_is_refused(engine):
    body = [*write(IP4), *call(PUSH, 2, 20)]
    at = body.index("r2 = 2")
    body[at : at + 1] = ["r2 = *(u32 *)(r6 + 0)"]
    with pytest.raises(NotSupportedError):
        UserspaceKernel(engine).load(skb.program("lwt_in", body))
