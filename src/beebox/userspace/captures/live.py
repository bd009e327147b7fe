"""Packets from a network interface, or written to a TAP device, as blocks of a capture.

An interface is listened to by a packet socket (packet(7)), which needs CAP_NET_RAW: what arrives
there, not what it sends. A TAP device is made for the occasion, which needs CAP_NET_ADMIN: what
this machine sends into it. One of the doors to ioctl(2), for TAP devices only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import numpy as np

from beebox.errors import CaptureError, NotSupportedError
from beebox.userspace.captures.packets import LINKTYPE_ETHERNET, Capture, Interface

MAX_BLOCK_PACKETS: Final = 4096
BLOCK_SECONDS: Final = 0.1  # until what came is given on
_SNAP_BYTES: Final = 262_144
_RECEIVE_BYTES: Final = 64 << 20

_ETH_P_ALL: Final = 3
_PACKET_OUTGOING: Final = 4
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_AUXDATA: Final = 8
_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_AUXDATA: Final = struct.Struct("=IIIHHHH")  # status, len, snaplen, mac, net, vlan_tci, vlan_tpid
_VLAN_VALID: Final = 1 << 4
_TPID_VALID: Final = 1 << 6
_ARPHRD_ETHERNET: Final = frozenset({1, 772})  # ETHER, LOOPBACK
_ARPHRD_IP: Final = frozenset({512, 65_534, 768, 776, 778})  # PPP, NONE, TUNNEL, SIT, IPGRE
_RAW_IP: Final = 101

_TUNSETIFF: Final = 0x4004_54CA
_IFF_TAP: Final = 0x0002
_IFF_NO_PI: Final = 0x1000
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1
_MOST_NAME: Final = 15


class Live:
    """Packets as they come; a context manager. ``tap:NAME`` makes a TAP device of that name.

    Iterating gives blocks until ``seconds`` are over or :meth:`stop` is called. Raises
    :exc:`NotSupportedError` without the right, :exc:`CaptureError` where there is no such
    interface or it goes away.
    """

    def __init__(self, name: str, *, seconds: float | None = None) -> None:
        self.name = name
        self.done = 0
        self.total: int | None = None
        self.dropped = 0
        self._seconds = seconds
        self._stopped = False
        tap = name.removeprefix("tap:")
        self._source = _Tap(tap) if tap != name else _Socket(name)
        self._poll = select.poll()
        self._poll.register(self._source.fd, select.POLLIN)

    def stop(self) -> None:
        """Let the iteration end soon."""
        self._stopped = True

    def __iter__(self) -> Iterator[Capture]:
        first = 1
        end = None if self._seconds is None else time.monotonic() + self._seconds
        while not self._stopped and (end is None or time.monotonic() < end):
            until = time.monotonic() + BLOCK_SECONDS
            found = self._some(until if end is None else min(until, end))
            if found:
                self.done += sum(len(packet) for packet, _, _ in found)
                yield self._block(found, first)
                first += len(found)
        self.dropped += self._source.dropped()

    def _some(self, until: float) -> list[tuple[bytes, int, int]]:
        found: list[tuple[bytes, int, int]] = []
        while len(found) < MAX_BLOCK_PACKETS and not self._stopped:
            packet = self._next()
            if packet is not None:
                if packet[0]:
                    found.append(packet)
                continue
            left = until - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                break
        return found

    def _next(self) -> tuple[bytes, int, int] | None:
        try:
            return self._source.packet()
        except BlockingIOError:
            return None
        except OSError as cause:
            raise CaptureError(cause.strerror or str(cause), file=self.name) from cause

    def _block(self, found: list[tuple[bytes, int, int]], first: int) -> Capture:
        lengths = np.array([len(packet) for packet, _, _ in found], dtype=np.uint32)
        data = b"".join(packet for packet, _, _ in found) + bytes(8)
        return Capture(
            file=self.name,
            data=np.frombuffer(data, dtype=np.uint8),
            offsets=np.cumsum(lengths, dtype=np.uint64) - lengths,
            lengths=lengths,
            wire_lengths=np.array([wire for _, wire, _ in found], dtype=np.uint32),
            times_ns=np.array([time_ns for _, _, time_ns in found], dtype=np.uint64),
            interfaces=(self._source.interface,),
            first=first,
        )

    def close(self) -> None:
        """Stop listening; a TAP device goes away."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Socket:
    """A packet socket on one interface."""

    def __init__(self, name: str) -> None:
        if not hasattr(socket, "AF_PACKET"):
            raise NotSupportedError("capturing from an interface", hint="it needs Linux")
        try:
            socket.if_nametoindex(name)  # needs no right, so a wrong name is told first
        except (OSError, ValueError) as cause:
            reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
            raise CaptureError(reason, file=name) from cause
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as cause:
            hint = "it needs CAP_NET_RAW: run it as root, or give that capability to the process"
            raise NotSupportedError(f"capturing from {name}", hint=hint) from cause
        self.fd = self._socket.fileno()
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
            except PermissionError:  # without CAP_NET_ADMIN: as much as the system allows
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
            self._socket.bind((name, _ETH_P_ALL))
            link_type = _link_type(name, self._socket.getsockname()[3])
        except CaptureError:
            self._socket.close()
            raise
        except (OSError, ValueError) as cause:  # ValueError: a null byte in the name
            self._socket.close()
            reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
            raise CaptureError(reason, file=name) from cause
        self.interface = Interface(link_type, name=name)

    def packet(self) -> tuple[bytes, int, int]:
        """A packet, its bytes on the wire, its time; no bytes for one that went out."""
        data, extras, _flags, address = self._socket.recvmsg(_SNAP_BYTES, 256)
        wire, time_ns = len(data), 0
        for level, kind, value in extras:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, rest = struct.unpack("@ll", value)
                time_ns = seconds * 1_000_000_000 + rest
            elif level == _SOL_PACKET and kind == _PACKET_AUXDATA:
                status, wire, _, _, _, tag, protocol = _AUXDATA.unpack(value)
                if status & _VLAN_VALID:  # the kernel has taken the tag out
                    shown = protocol if status & _TPID_VALID else 0x8100
                    data = data[:12] + struct.pack(">HH", shown, tag) + data[12:]
                    wire += 4
        if address[2] == _PACKET_OUTGOING:
            return b"", 0, 0
        return data, max(wire, len(data)), time_ns or time.time_ns()

    def dropped(self) -> int:
        """Packets that found no room in the socket since the last time."""
        counts = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        dropped: int = struct.unpack("=II", counts)[1]
        return dropped

    def close(self) -> None:
        self._socket.close()


def _link_type(name: str, hardware: int) -> int:
    """The link type of an interface, by its hardware type."""
    if hardware in _ARPHRD_ETHERNET:
        return LINKTYPE_ETHERNET
    if hardware in _ARPHRD_IP:
        return _RAW_IP
    raise CaptureError(f"an interface of hardware type {hardware}", file=name)


class _Tap:
    """A TAP device of our own, up."""

    def __init__(self, name: str) -> None:
        encoded = name.encode()
        if not 0 < len(encoded) <= _MOST_NAME or b"/" in encoded or b"\0" in encoded:
            raise CaptureError("no name for a device", file=f"tap:{name}")
        self.interface = Interface(name=name)
        try:
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as cause:
            raise _tap_error(name, cause) from cause
        try:
            request = struct.pack("16sH22x", encoded, _IFF_TAP | _IFF_NO_PI)
            fcntl.ioctl(self.fd, _TUNSETIFF, request)
            _bring_up(encoded)
        except OSError as cause:
            os.close(self.fd)
            raise _tap_error(name, cause) from cause

    def packet(self) -> tuple[bytes, int, int]:
        """As of a socket."""
        data = os.read(self.fd, _SNAP_BYTES)
        return data, len(data), time.time_ns()

    def dropped(self) -> int:
        """Nobody counts them here."""
        return 0

    def close(self) -> None:
        os.close(self.fd)


def _bring_up(name: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        found = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16s24x", name))
        (flags,) = struct.unpack_from("H", found, 16)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", name, flags | _IFF_UP))


def _tap_error(name: str, cause: OSError) -> NotSupportedError | CaptureError:
    if cause.errno in {errno.EPERM, errno.EACCES}:
        hint = "it needs CAP_NET_ADMIN: run it as root, or give that capability to the process"
        return NotSupportedError(f"making the TAP device {name}", hint=hint)
    if cause.errno in {errno.ENOENT, errno.ENODEV}:
        return NotSupportedError("making a TAP device", hint="there is no /dev/net/tun")
    return CaptureError(cause.strerror or str(cause), file=f"tap:{name}")
