"""The main job, end to end: a Python firewall compiled, proven, run natively over a real capture.

    make demo

Needs no root, no compiler and no network. The last part shows the verifier refusing a mistake.
"""

from __future__ import annotations

import ipaddress
import os
import struct
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import beebox
from beebox.backend import Map
from beebox.hooks.xdp import verdict_name
from beebox.userspace.captures import read_capture
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.program import UserspaceProgram
from beebox.userspace.replay import Replay, replay
from beebox.verifier.reports.report import render

HERE = Path(os.path.relpath(Path(__file__).parent))
REASONS = (
    "allowed",
    "not IP",
    "later fragment",
    "blocked prefix",
    "closed port",
    "SYN flood",
    "truncated",
    "malformed",
)
DROPS = range(3, len(REASONS))
BLOCKED_V4 = ("203.0.113.0/24", "198.51.100.128/25")
BLOCKED_V6 = ("2001:db8:bad::/48",)
ROUNDS = 200  # of timing: the fastest one counts

console = Console(highlight=False, soft_wrap=True)


def fill_blocklist(maps: dict[str, Map]) -> None:
    """One hash per prefix length; the value counts hits."""
    for text in BLOCKED_V4:
        network = ipaddress.IPv4Network(text)
        key = struct.pack("<I", int(network.network_address))
        maps[f"blocked_v4_{network.prefixlen}"].update(key, bytes(8))
    for text in BLOCKED_V6:
        network6 = ipaddress.IPv6Network(text)
        key = struct.pack("<Q", int(network6.network_address) >> 64)
        maps[f"blocked_v6_{network6.prefixlen}"].update(key, bytes(8))


def counters(live: Map) -> list[tuple[int, int, int]]:
    """(key, packets, bytes) of a map of counters keyed by u32 or u64."""
    out = []
    for key, value in live.items():
        packets, size = struct.unpack_from("<QQ", value)
        if packets:
            out.append((int.from_bytes(key, "little"), packets, size))
    return out


def source_name(key: int) -> str:
    """A talker's key: an IPv4 address, or the upper half of an IPv6 one."""
    if key >> 32:
        return f"{ipaddress.IPv6Address(key << 64)}/64"
    return str(ipaddress.IPv4Address(key))


def show_results(result: Replay, maps: dict[str, Map]) -> None:
    """Verdicts by reason, and who sent the most."""
    reasons = Table("verdict", "reason", "packets", "bytes", title="verdicts")
    for reason, packets, size in counters(maps["reasons"]):
        verdict = verdict_name(1 if reason in DROPS else 2)
        reasons.add_row(verdict, REASONS[reason], f"{packets:,}", f"{size:,}")
    console.print(reasons)
    summary = ", ".join(f"{name} {count:,}" for name, count in result.verdicts.items())
    console.print(f"{result.packets:,} packets, {result.bytes:,} bytes: {summary}")
    talkers = Table("source", "packets", "bytes", title="top talkers")
    ranked = sorted(counters(maps["talkers"]), key=lambda row: row[1], reverse=True)
    for key, packets, size in ranked[:5]:
        talkers.add_row(source_name(key), f"{packets:,}", f"{size:,}")
    console.print(talkers)


def run_firewall() -> None:
    """Compile, verify and replay ``firewall.py``."""
    path = HERE / "firewall.py"
    console.rule("compile")
    start = time.perf_counter()
    spec = beebox.compile(path)
    took_ms = (time.perf_counter() - start) * 1e3
    lines = len(path.read_text().splitlines())
    insns = sum(len(function.insns) for function in spec.functions.values())
    console.print(
        f"{path.name}: {lines} source lines -> {insns} BPF instructions in "
        f"{len(spec.functions)} functions, {len(spec.maps)} maps ({took_ms:.0f} ms)"
    )
    console.rule("verify, and translate")
    start = time.perf_counter()
    with UserspaceKernel().load(spec) as loaded:
        program: UserspaceProgram = loaded.programs["firewall"]
        took_ms = (time.perf_counter() - start) * 1e3
        console.print(render(program.report))
        console.print(
            f"verified in {program.report.time_ns / 1e6:.0f} ms; {program.code_bytes:,} "
            f"bytes of native object ({took_ms:.0f} ms in all)"
        )
        console.rule("replay capture.pcap")
        maps: dict[str, Map] = dict(loaded.maps)
        fill_blocklist(maps)
        capture = read_capture(HERE / "capture.pcap")
        show_results(replay(program, capture), maps)
        best = min(replay(program, capture).ns_per_packet for _ in range(ROUNDS))
        console.print(f"from memory: {best:.1f} ns/packet, {1e3 / best:.1f} Mpps on one core")


def show_rejection() -> None:
    """The verifier's report on ``unsafe.py``."""
    console.rule("a mistake")
    for report in beebox.verify(HERE / "unsafe.py"):
        console.print(render(report, color=False), markup=False)


if __name__ == "__main__":
    run_firewall()
    show_rejection()
