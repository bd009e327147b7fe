"""Ethernet frames of every kind that a filter can ask for, from few addresses and ports."""

from __future__ import annotations

import random
import struct

MACS = [b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2", b"\xff" * 6, b"\x01\0\x5e\0\0\1"]
ADDRESSES = [bytes((10, 0, 0, 1)), bytes((10, 0, 1, 2)), bytes((192, 168, 1, 1)), b"\xe0\0\0\1"]
ADDRESSES6 = [
    bytes.fromhex("20010db8" + "0" * 23 + "1"),
    bytes.fromhex("20010db8" + "0" * 23 + "2"),
    bytes.fromhex("ff02" + "0" * 27 + "1"),
]
PORTS = [22, 53, 80, 443, 8080]


def ethernet(ethertype, payload, *, source=MACS[0], destination=MACS[1], tags=()):
    shown = b"".join(struct.pack(">HH", kind, number) for kind, number in tags)
    return destination + source + shown + struct.pack(">H", ethertype) + payload


def ipv4(protocol, payload, *, source=ADDRESSES[0], destination=ADDRESSES[1], options=b"", place=0):
    head = struct.pack(
        ">BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 7, place, 64,
        protocol, 0,
    )  # fmt: skip
    return head + source + destination + options + payload


def ipv6(protocol, payload, *, source=ADDRESSES6[0], destination=ADDRESSES6[1]):
    return (
        struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + source + destination + payload
    )


def tcp(source, destination, flags=0x10, payload=b""):
    head = struct.pack(">HHIIBBHHH", source, destination, 1, 2, 0x50, flags, 512, 0, 0)
    return head + payload


def udp(source, destination, payload=b""):
    return struct.pack(">HHHH", source, destination, 8 + len(payload), 0) + payload


def arp(operation=1, *, source=ADDRESSES[0], destination=ADDRESSES[1]):
    head = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation)
    return head + MACS[0] + source + bytes(6) + destination


def some_frame(rng: random.Random) -> bytes:
    """A frame; sometimes cut short, sometimes with a byte changed."""
    payload = rng.randbytes(rng.choice((0, 3, 30, 200)))
    ports = rng.choice(PORTS), rng.choice(PORTS)
    flags = rng.choice((2, 0x12, 0x10, 0x18, 0x11, 4))
    protocol, upper = rng.choice(
        [
            (6, tcp(*ports, flags, payload)),
            (6, tcp(*ports, flags, payload)),
            (17, udp(*ports, payload)),
            (17, udp(*ports, payload)),
            (132, struct.pack(">HHII", *ports, 1, 0) + payload),
            (1, struct.pack(">BBHI", rng.choice((0, 3, 8, 11)), 0, 0, 1) + payload),
            (58, struct.pack(">BBHI", rng.choice((1, 128, 129, 135)), 0, 0, 1) + payload),
            (2, b"\x16\0\0\0" + ADDRESSES[3]),
            (rng.choice((47, 50, 51, 89, 103, 112, 255)), payload),
        ]
    )
    match rng.randrange(8):
        case 0:
            ethertype = rng.choice((0x0806, 0x8035))
            data = arp(rng.choice((1, 2)), source=rng.choice(ADDRESSES))
        case 1 | 2 | 3:
            ethertype = 0x0800
            data = ipv4(
                protocol,
                upper,
                source=rng.choice(ADDRESSES),
                destination=rng.choice(ADDRESSES),
                options=bytes(rng.choice((0, 0, 4, 12, 40))),
                place=rng.choice((0, 0, 0x4000, 0x2000, 0x2005, 5)),
            )
        case 4 | 5 | 6:
            ethertype = 0x86DD
            if rng.random() < 0.2:
                protocol, upper = 44, struct.pack(">BBHI", protocol, 0, 1, 9) + upper
            data = ipv6(
                protocol,
                upper,
                source=rng.choice(ADDRESSES6),
                destination=rng.choice(ADDRESSES6),
            )
        case _:
            ethertype = rng.choice((0x88CC, 0x8863, 0x0001, 0x0026))
            data = payload
    tags = [(rng.choice((0x8100, 0x88A8, 0x9100)), rng.choice((1, 7, 0x2007)))]
    frame = ethernet(
        ethertype,
        data,
        source=rng.choice(MACS),
        destination=rng.choice(MACS),
        tags=tags * rng.choice((0, 0, 0, 1, 2)),
    )
    if rng.random() < 0.15:
        frame = frame[: rng.randrange(len(frame))]
    if frame and rng.random() < 0.1:
        at = rng.randrange(len(frame))
        frame = frame[:at] + bytes([rng.randrange(256)]) + frame[at + 1 :]
    return frame
