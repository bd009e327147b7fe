"""Capture files made by hand for tests: pcap and pcapng in both byte orders, every block kind."""

from __future__ import annotations

import struct

PACKETS = [(1_700_000_000_123_456_000, bytes(range(60))), (1_700_000_001_000_001_000, b"x" * 14)]


def pcap(order="<", magic=0xA1B2C3D4, unit_ns=1000, packets=PACKETS, link=1, major=2):
    out = [struct.pack(order + "IHHiIII", magic, major, 4, 0, 0, 65535, link)]
    for time_ns, data in packets:
        seconds, rest = divmod(time_ns, 10**9)
        head = struct.pack(order + "IIII", seconds, rest // unit_ns, len(data), len(data))
        out += [head, data]
    return b"".join(out)


class Ng:
    """A pcapng file under way, in one byte order."""

    def __init__(self, order="<"):
        self.order = order
        self.data = b""

    def pack(self, layout, *values):
        return struct.pack(self.order + layout, *values)

    def block(self, kind, body):
        body += bytes(-len(body) % 4)
        size = self.pack("I", 12 + len(body))
        self.data += self.pack("I", kind) + size + body + size
        return self

    def option(self, code, value):
        return self.pack("HH", code, len(value)) + value + bytes(-len(value) % 4)

    def section(self, order=None, major=1, options=b""):
        self.order = order or self.order
        return self.block(0x0A0D0D0A, self.pack("IHHq", 0x1A2B3C4D, major, 0, -1) + options)

    def interface(self, link=1, snaplen=0, *, name=None, resolution=None, offset=None):
        body = self.pack("HHI", link, 0, snaplen)
        if name is not None:
            body += self.option(2, name.encode())
        if resolution is not None:
            body += self.option(9, bytes([resolution]))
        if offset is not None:
            body += self.option(14, self.pack("q", offset))
        return self.block(1, body + self.option(0, b""))

    def enhanced(self, raw, data, which=0, wire=None, options=b""):
        head = self.pack("IIIII", which, raw >> 32, raw & 0xFFFFFFFF, len(data), wire or len(data))
        return self.block(6, head + data + bytes(-len(data) % 4) + options)

    def simple(self, data, wire=None):
        return self.block(3, self.pack("I", wire or len(data)) + data)

    def obsolete(self, raw, data, which=0):
        head = self.pack("HHIIII", which, 0, raw >> 32, raw & 0xFFFFFFFF, len(data), len(data))
        return self.block(2, head + data)


def pcapng(order="<", packets=PACKETS):
    """The packets as enhanced packet blocks in nanoseconds."""
    made = Ng(order).section().interface(resolution=9)
    for time_ns, data in packets:
        made.enhanced(time_ns, data)
    return made.data
