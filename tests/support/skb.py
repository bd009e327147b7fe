"""Programs that store what they see in an array map, run in both engines and in Linux."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from beebox.errors import InputError, SyscallError  # noqa: F401 -- for tests
from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.map_types import MapType
from beebox.userspace.kernel import UserspaceKernel

KERNELS = {
    "linux": LinuxKernel(),
    "jit": UserspaceKernel("jit"),
    "interpreter": UserspaceKernel("interpreter"),
}
SLOTS = 128
RESULTS = MapSpec("results", MapType.ARRAY, 4, 8 * SLOTS, 1)

HEAD = """
r6 = r1
r1 = 0
*(u32 *)(r10 - 4) = r1
r2 = r10
r2 += -4
r1 = map[results] ll
call 1
if r0 == 0 goto out
r9 = r0
"""
TAIL = """
r0 = {verdict}
exit
out:
r0 = {verdict}
exit
"""


@dataclass(frozen=True)
class Seen:
    """What a run left: the verdict, the packet, the uapi context, the words it stored."""

    retval: int
    data: bytes
    context: bytes
    stored: tuple[int, ...]


def program(
    section: str, body: Sequence[str], *, verdict: int = 0, maps: Sequence[MapSpec] = ()
) -> ObjectSpec:
    """A program whose ``store`` lines keep R0 in the map's next word; R6 is the context."""
    lines = []
    count = 0
    for line in body:
        if line == "store":
            lines.append(f"*(u64 *)(r9 + {8 * count}) = r0")
            count += 1
        else:
            lines.append(line)
    assert count <= SLOTS
    text = "\n".join([HEAD, *lines, TAIL.format(verdict=verdict)])
    functions = {"main": FunctionSpec("main", section, assemble(text))}
    return ObjectSpec(functions, {row.name: row for row in (RESULTS, *maps)}, license="GPL")


def whole_program(section: str, text: str) -> ObjectSpec:
    """A program without a map."""
    return ObjectSpec({"main": FunctionSpec("main", section, assemble(text))}, license="GPL")


def run(
    kernel: str | UserspaceKernel,
    spec: ObjectSpec,
    frame: bytes,
    context: bytes | None = None,
    repeat: int = 1,
) -> Seen:
    """One test run in one kernel."""
    backend = KERNELS[kernel] if isinstance(kernel, str) else kernel
    with backend.load(spec) as loaded:
        result = loaded.programs["main"].test_run(frame, repeat=repeat, context=context)
        stored = struct.unpack(f"<{SLOTS}Q", loaded.maps["results"].lookup(bytes(4)))
    return Seen(result.retval, result.data_out, result.context, stored)


def same_everywhere(spec, frames, context=None, repeat=1) -> list[Seen]:
    """Run over every frame in every kernel; all must agree with Linux."""
    seen = {}
    for name, backend in KERNELS.items():
        seen[name] = []
        with backend.load(spec) as loaded:
            live, results = loaded.programs["main"], loaded.maps["results"]
            for frame in frames:
                results.update(bytes(4), bytes(8 * SLOTS))
                result = live.test_run(frame, repeat=repeat, context=context)
                stored = struct.unpack(f"<{SLOTS}Q", results.lookup(bytes(4)))
                seen[name].append(Seen(result.retval, result.data_out, result.context, stored))
    for name in ("jit", "interpreter"):
        for frame, ours, linux in zip(frames, seen[name], seen["linux"], strict=True):
            differing = [
                (slot, hex(one), hex(other))
                for slot, (one, other) in enumerate(zip(ours.stored, linux.stored, strict=True))
                if one != other
            ]
            assert not differing, (name, "slot, ours, linux", differing, frame.hex())
            assert ours == linux, (name, frame.hex())
    return seen["linux"]


# ---- packets


def ethernet(protocol: int, payload: bytes, dst: bytes = bytes(6)) -> bytes:
    """A frame to ``lo`` unless told otherwise."""
    return dst + b"\2\0\0\0\0\1" + struct.pack(">H", protocol) + payload


def ipv4(protocol: int, payload: bytes, *, tos: int = 0, options: bytes = b"") -> bytes:
    """10.0.0.1 to 10.0.0.2, checksum 0xabcd."""
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x45 + len(options) // 4,
        tos,
        20 + len(options) + len(payload),
        7,
        0,
        64,
        protocol,
        0xABCD,
        bytes([10, 0, 0, 1]),
        bytes([10, 0, 0, 2]),
    )
    return head + options + payload


def ipv6(protocol: int, payload: bytes, *, traffic_class: int = 0) -> bytes:
    """2001:db8::1 to 2001:db8::2."""
    source = bytes.fromhex("20010db8000000000000000000000001")
    return (
        struct.pack(">IHBB", 0x60000000 | traffic_class << 20, len(payload), protocol, 64)
        + source
        + source[:-1]
        + b"\2"
        + payload
    )


def udp(payload: bytes) -> bytes:
    """Port 1000 to 53, checksum 0x1234."""
    return struct.pack(">HHHH", 1000, 53, 8 + len(payload), 0x1234) + payload


def tcp(payload: bytes) -> bytes:
    """Port 1000 to 80, checksum 0x4321."""
    return struct.pack(">HHIIBBHHH", 1000, 80, 1, 2, 0x50, 0x18, 100, 0x4321, 0) + payload


SHORT = ethernet(0x0800, ipv4(17, udp(b"")))
UDP4 = ethernet(0x0800, ipv4(17, udp(bytes(range(50)))))
TCP4 = ethernet(0x0800, ipv4(6, tcp(b"GET / HTTP/1.1")))
TCP6 = ethernet(0x86DD, ipv6(6, tcp(b"hello")))
UDP6 = ethernet(0x86DD, ipv6(17, udp(b"hello")))
VLAN4 = ethernet(0x8100, b"\x20\x05\x08\x00" + ipv4(17, udp(b"tagged")))
QINQ4 = ethernet(0x88A8, b"\x00\x07\x81\x00\x00\x05\x08\x00" + ipv4(17, udp(b"twice")))
ARP = ethernet(0x0806, bytes.fromhex("0001080006040001") + bytes(20), b"\xff" * 6)
LLC = ethernet(0x0026, b"\x42\x42\x03" + bytes(35), b"\x01\x80\xc2\0\0\0")
LARGE = ethernet(0x0800, ipv4(17, udp(bytes(n * 7 & 255 for n in range(3000)))))
TINY = ethernet(0x9000, b"")
FRAMES = (SHORT, UDP4, TCP4, TCP6, UDP6, VLAN4, QINQ4, ARP, LLC, LARGE, TINY)
