"""Lightweight tunnel programs: headers pushed and segment routing, as test runs have them.

Linux's test runs give a packet no route. There lwt_xmit programs that push a header, and all that
insert segment routing headers, read through a null pointer: Linux is not asked.
"""

import struct

import pytest
import skb

from beebox.errors import NotSupportedError
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
