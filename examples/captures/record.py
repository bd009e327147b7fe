"""Record examples/capture.pcap: real Linux network stacks talking over veth.

Run as root on Linux (needs iproute2's ``ip``, and ``python3``)::

    sudo python3 examples/captures/record.py examples/capture.pcap

It makes two network namespaces joined by a veth pair with every offload off, lets clients and
servers in them talk (HTTP, DNS, IPv6, fragments), adds what only a raw sender makes (a port scan,
a SYN flood from many sources, blocked prefixes, VLAN frames), records what arrives at the server's
side with a packet socket and removes the namespaces again. The host's own network is not touched.
Addresses are those set aside for documentation; examples/README.md lists who they are.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SERVER_NS, CLIENT_NS = f"beebox-server-{os.getpid()}", f"beebox-client-{os.getpid()}"
SERVER_IF, CLIENT_IF = "server0", "client0"
SERVER_MAC, CLIENT_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
SERVER4, SERVER6 = "192.0.2.1", "2001:db8::1"
CLIENTS4 = [f"192.0.2.{host}" for host in (10, 11, 12, 13)]
CLIENTS6 = ["2001:db8::10", "2001:db8::11"]
SCANNER = "192.0.2.66"
BLOCKED4 = [f"203.0.113.{host}" for host in (5, 77, 200)]  # 203.0.113.0/24
BLOCKED4_NARROW = "198.51.100.129"  # 198.51.100.128/25
BLOCKED6 = "2001:db8:bad::66"  # 2001:db8:bad::/48
FLOOD_SOURCES = [f"198.51.100.{host}" for host in range(1, 101)]
FLOOD_HEAVY = "198.51.100.7"
SNAPLEN = 65_535
ETH_P_ALL = 0x0003
SIOCETHTOOL = 0x8946
# ETHTOOL_SRXCSUM, STXCSUM, SSG, STSO, SUFO, SGSO, SGRO
OFFLOADS_OFF = (0x15, 0x17, 0x19, 0x1F, 0x22, 0x24, 0x2C)


def run(*command: str) -> None:
    """Run a tool; a failure stops the recording."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 -- fixed words


@contextmanager
def network() -> Iterator[None]:
    """Two namespaces joined by a veth pair; both are gone afterwards, whatever happened."""
    made: list[str] = []
    try:
        for name in (SERVER_NS, CLIENT_NS):
            run("ip", "netns", "add", name)
            made.append(name)
        server_end = [SERVER_IF, "netns", SERVER_NS, "address", SERVER_MAC]
        client_end = ["name", CLIENT_IF, "netns", CLIENT_NS, "address", CLIENT_MAC]
        run("ip", "link", "add", *server_end, "type", "veth", "peer", *client_end)
        for name, device in ((SERVER_NS, SERVER_IF), (CLIENT_NS, CLIENT_IF)):
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", device, "up")
        for address in [f"{SERVER4}/24", f"{SERVER6}/64"]:
            run("ip", "-n", SERVER_NS, "addr", "add", address, "dev", SERVER_IF, *nodad(address))
        for address in [f"{a}/24" for a in [*CLIENTS4, SCANNER]] + [f"{a}/64" for a in CLIENTS6]:
            run("ip", "-n", CLIENT_NS, "addr", "add", address, "dev", CLIENT_IF, *nodad(address))
        # Answers to the raw sender's made-up sources leave through the veth and end there.
        run("ip", "-n", SERVER_NS, "route", "add", "198.51.100.0/24", "dev", SERVER_IF)
        run("ip", "-n", SERVER_NS, "route", "add", "203.0.113.0/24", "dev", SERVER_IF)
        yield
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False)  # noqa: S603, S607 -- own names


def nodad(address: str) -> list[str]:
    """Use an IPv6 address at once, without duplicate address detection."""
    return ["nodad"] if ":" in address else []


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Make sockets in ``namespace``: they stay there when the thread is back."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (
        Path(f"/run/netns/{namespace}").open() as there,
        Path("/proc/thread-self/ns/net").open() as here,
    ):
        if libc.setns(there.fileno(), 0):
            raise SystemExit(f"setns {namespace}: run this as root")
        try:
            yield
        finally:
            libc.setns(here.fileno(), 0)


def offloads_off(device: str) -> None:
    """Make the stack send what a wire would carry: whole checksums, no giant segments."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in OFFLOADS_OFF:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP", device.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError:
                continue  # an offload that veth never had


class Recorder(threading.Thread):
    """Collects every frame that the server's interface receives, with its arrival time."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(daemon=True)
        self.sock = sock
        self.frames: list[tuple[int, bytes]] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        """Collect until told to stop."""
        while not self.stopping.is_set():
            if not select.select([self.sock], [], [], 0.1)[0]:
                continue
            frame, ancillary, _, address = self.sock.recvmsg(SNAPLEN, 256)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            for level, kind, data in ancillary:  # the kernel takes VLAN tags out: put them back
                if (level, kind) == (263, 8) and struct.unpack_from("I", data)[0] & 0x10:
                    tci, tpid = struct.unpack_from("HH", data, 16)
                    frame = frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
            self.frames.append((time.time_ns(), frame))


def write_pcap(path: Path, frames: list[tuple[int, bytes]]) -> None:
    """Little-endian pcap, microseconds, Ethernet."""
    out = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, 1))
    for time_ns, frame in frames:
        seconds, rest = divmod(time_ns, 10**9)
        out += struct.pack("<IIII", seconds, rest // 1000, len(frame), len(frame)) + frame
    path.write_bytes(bytes(out))


# --- real servers and clients ---------------------------------------------------------------


class Pages(BaseHTTPRequestHandler):
    """An HTTP server that answers with some kilobytes and takes posts."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """A page of a size the path asks for."""
        self.answer(b"beebox " * int(self.path.rpartition("/")[2] or 1))

    def do_POST(self) -> None:
        """Swallow an upload."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b"thanks\n")

    def answer(self, body: bytes) -> None:
        """Send ``body``."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


class PagesServer(ThreadingHTTPServer):
    """Over both families."""

    address_family = socket.AF_INET6
    daemon_threads = True


def dns_query(number: int, name: str, kind: int) -> bytes:
    """A DNS question for ``name``: ``kind`` 1 is A, 28 AAAA."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)


def serve_dns(sock: socket.socket) -> None:
    """Answer every question with one address record, until the socket closes."""
    while True:
        try:
            query, peer = sock.recvfrom(4096)
        except OSError:
            return
        if len(query) >= 12 and query[2:4] == b"\x01\x00":
            answer = query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + query[12:]
            answer += struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton(SERVER4))
            with suppress(OSError):  # a made-up source has no way back
                sock.sendto(answer, peer)


def http(source: str, target: str, requests: list[tuple[str, int]]) -> None:
    """One connection of an HTTP client bound to ``source``: GET sizes and POST sizes."""
    import http.client  # noqa: PLC0415 -- its name is this function's too

    with inside(CLIENT_NS):
        connection = http.client.HTTPConnection(target, 80, timeout=10, source_address=(source, 0))
        connection.connect()
    for method, size in requests:
        if method == "GET":
            connection.request("GET", f"/page/{size}")
        else:
            connection.request("POST", "/upload", body=b"x" * size)
        connection.getresponse().read()
    connection.close()


def udp(source: str, target: str, port: int, payloads: list[bytes], *, reply: bool) -> None:
    """Datagrams from ``source``; large ones leave as IP fragments."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with inside(CLIENT_NS):
        sock = socket.socket(family, socket.SOCK_DGRAM)
    with sock:
        sock.bind((source, 0))
        sock.settimeout(1)
        for payload in payloads:
            sock.sendto(payload, (target, port))
            if reply:
                sock.recv(4096)


def scan(source: str, ports: range) -> None:
    """Connect to one port after another; refused is the usual answer."""
    for port in ports:
        with inside(CLIENT_NS):
            sock = socket.socket()
        with sock:
            sock.bind((source, 0))
            sock.settimeout(0.5)
            sock.connect_ex((SERVER4, port))


def ping(source: str, target: str, count: int) -> None:
    """ICMP echo requests, from a raw socket."""
    family, protocol, kind = (
        (socket.AF_INET6, socket.IPPROTO_ICMPV6, 128)
        if ":" in source
        else (socket.AF_INET, socket.IPPROTO_ICMP, 8)
    )
    with inside(CLIENT_NS):
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
    with sock:
        sock.bind((source, 0))
        for number in range(count):
            packet = struct.pack("!BBHHH", kind, 0, 0, 7, number) + bytes(range(48))
            if family == socket.AF_INET:
                packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
            sock.sendto(packet, (target, 0))
            time.sleep(0.005)


# --- what only a raw sender makes -----------------------------------------------------------


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(kind: int, payload: bytes, *vlans: int) -> bytes:
    """A frame from client to server; two ``vlans`` are 802.1ad outside, 802.1Q inside."""
    mac = bytes.fromhex((SERVER_MAC + CLIENT_MAC).replace(":", ""))
    tags = [0x8100] if len(vlans) == 1 else [0x88A8, 0x8100]
    tagged = b"".join(
        struct.pack("!HH", tpid, vlan) for tpid, vlan in zip(tags, vlans, strict=False)
    )
    return mac + tagged + struct.pack("!H", kind) + payload


def ipv4(source: str, protocol: int, payload: bytes, number: int = 1) -> bytes:
    """An IPv4 packet to the server."""
    ends = socket.inet_aton(source) + socket.inet_aton(SERVER4)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), number & 0xFFFF, 0, 64, protocol, 0)
    return head[:10] + struct.pack("!H", checksum(head + ends)) + ends + payload


def ipv6(source: str, protocol: int, payload: bytes) -> bytes:
    """An IPv6 packet to the server."""
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, SERVER6)
    return struct.pack("!IHBB", 0x6000_0000, len(payload), protocol, 64) + ends + payload


def transport_checksum(source: str, protocol: int, segment: bytes, at: int) -> bytes:
    """``segment`` with its checksum at ``at`` filled in."""
    if ":" in source:
        ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(
            socket.AF_INET6, SERVER6
        )
    else:
        ends = socket.inet_aton(source) + socket.inet_aton(SERVER4)
    total = checksum(ends + struct.pack("!II", protocol, len(segment)) + segment)
    return segment[:at] + struct.pack("!H", total) + segment[at + 2 :]


def syn(source: str, source_port: int, port: int, sequence: int) -> bytes:
    """A TCP SYN with an MSS option."""
    segment = struct.pack("!HHIIBBHHH", source_port, port, sequence, 0, 0x60, 2, 64_240, 0, 0)
    return transport_checksum(source, 6, segment + b"\x02\x04\x05\xb4", 16)


def datagram(source: str, port: int, payload: bytes) -> bytes:
    """A UDP datagram."""
    segment = struct.pack("!HHHH", 40_000, port, 8 + len(payload), 0) + payload
    return transport_checksum(source, 17, segment, 6)


def raw_frames() -> Iterator[bytes]:
    """The flood, the blocked and the VLAN frames, in the order they are sent."""
    for number in range(1200):  # 100 sources in turn; one of them sends as much again
        source = FLOOD_SOURCES[number % len(FLOOD_SOURCES)]
        yield ethernet(
            0x0800, ipv4(source, 6, syn(source, 1024 + number, 80, number * 7919), number)
        )
        if number % 2 == 0:
            heavy = syn(FLOOD_HEAVY, 20_000 + number, 80, number)
            yield ethernet(0x0800, ipv4(FLOOD_HEAVY, 6, heavy, number))
    for number in range(60):
        for source in [*BLOCKED4, BLOCKED4_NARROW]:
            packet = datagram(source, 53, dns_query(number, "blocked.example", 1))
            yield ethernet(0x0800, ipv4(source, 17, packet, number))
        packet = datagram(BLOCKED6, 53, dns_query(number, "blocked.example", 28))
        yield ethernet(0x86DD, ipv6(BLOCKED6, 17, packet))
    for number in range(80):
        source = CLIENTS4[number % 4]
        query = ipv4(source, 17, datagram(source, 53, dns_query(number, "vlan.example", 1)), number)
        yield ethernet(0x0800, query, 100)
        if number % 4 == 0:
            yield ethernet(0x0800, query, 200, 100)
        if number % 8 == 0:
            blocked = ipv4(BLOCKED4[0], 17, datagram(BLOCKED4[0], 53, b"vlan"), number)
            yield ethernet(0x0800, blocked, 100)


def real_traffic() -> None:
    """Clients of the real stacks, several at a time."""
    jobs = []
    for index, client in enumerate(CLIENTS4):
        sizes = [("GET", 200 * (index + 1)), ("POST", 6000 * (index + 1)), ("GET", 4000)]
        jobs += [(http, (client, SERVER4, sizes)) for _ in range(12)]
        names = [f"host{n}.example" for n in range(40)]
        queries = [dns_query(n, name, 1 + 27 * (n % 2)) for n, name in enumerate(names)]
        jobs.append((dns, (client, SERVER4, queries)))
        jobs.append((fragments, (client, SERVER4, [bytes(4000 + 500 * n) for n in range(8)])))
        jobs.append((ping, (client, SERVER4, 10)))
    for client in CLIENTS6:
        jobs += [(http, (client, SERVER6, [("GET", 900), ("POST", 9000)])) for _ in range(10)]
        jobs.append((dns, (client, SERVER6, [dns_query(n, "six.example", 28) for n in range(40)])))
        jobs.append((fragments, (client, SERVER6, [bytes(4000) for _ in range(8)])))
        jobs.append((ping, (client, SERVER6, 10)))
    threads = [threading.Thread(target=job, args=args) for job, args in jobs]
    for group in (threads[start::6] for start in range(6)):
        for thread in group:
            thread.start()
        for thread in group:
            thread.join()


def dns(source: str, target: str, queries: list[bytes]) -> None:
    """Questions, each waiting for its answer."""
    udp(source, target, 53, queries, reply=True)


def fragments(source: str, target: str, payloads: list[bytes]) -> None:
    """Datagrams that do not fit one frame."""
    udp(source, target, 9, payloads, reply=False)


def main(path: Path) -> None:
    """Record into ``path``."""
    if os.geteuid() != 0:
        raise SystemExit("recording makes network namespaces: run this as root")
    with network():
        with inside(SERVER_NS):
            offloads_off(SERVER_IF)
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            sock.bind((SERVER_IF, ETH_P_ALL))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
            sock.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
            web = PagesServer(("::", 80), Pages)
            names = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            names.bind(("::", 53))
        with inside(CLIENT_NS):
            offloads_off(CLIENT_IF)
            sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            sender.bind((CLIENT_IF, 0))
        recorder = Recorder(sock)
        recorder.start()
        threading.Thread(target=web.serve_forever, daemon=True).start()
        threading.Thread(target=serve_dns, args=(names,), daemon=True).start()
        real_traffic()
        scan(SCANNER, range(1, 301))
        for frame in raw_frames():
            sender.send(frame)
            time.sleep(0.0005)
        time.sleep(0.5)
        recorder.stopping.set()
        recorder.join()
        web.shutdown()
        for opened in (sock, names, sender):
            opened.close()
        web.server_close()
    write_pcap(path, recorder.frames)
    size = path.stat().st_size
    sys.stdout.write(f"{path}: {len(recorder.frames)} packets, {size} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "capture.pcap"))
