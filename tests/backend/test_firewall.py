"""The example firewall over the real capture: one object, three engines, equal results."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from beebox import api
from beebox.backend import Map
from beebox.linux.kernel import LinuxKernel
from beebox.obj.globals import set_global
from beebox.obj.model import ObjectSpec
from beebox.obj.reader import read
from beebox.userspace.captures import Capture, read_capture
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.replay import replay

EXAMPLES = Path(__file__).parents[2] / "examples"
NO_LIMIT = 1 << 62
"""Takes the clock out of the verdicts: Linux has its own, replay has the capture's."""


@cache
def capture() -> Capture:
    return read_capture(EXAMPLES / "capture.pcap")


@cache
def firewall(syn_limit: int | None = None) -> ObjectSpec:
    spec = api.compile(EXAMPLES / "firewall.py")
    return spec if syn_limit is None else set_global(spec, "syn_limit", syn_limit)


def block(maps: Mapping[str, Map]) -> None:
    for text in ("203.0.113.0/24", "198.51.100.128/25"):
        network = ipaddress.IPv4Network(text)
        key = int(network.network_address).to_bytes(4, "little")
        maps[f"blocked_v4_{network.prefixlen}"].update(key, bytes(8))
    prefix = int(ipaddress.IPv6Address("2001:db8:bad::")) >> 64
    maps["blocked_v6_48"].update(prefix.to_bytes(8, "little"), bytes(8))


def contents(maps: Mapping[str, Map]) -> dict[str, dict[bytes, bytes]]:
    """Per-CPU values as sums of their u64 fields; of ``windows`` the keys, without the clock."""
    out: dict[str, dict[bytes, bytes]] = {}
    for name, live in maps.items():
        rows = dict(live.items())
        if name == "windows":
            rows = dict.fromkeys(rows, b"")
        elif live.spec.type.value.per_cpu:
            width = live.spec.value_size // 8
            rows = {
                key: np.frombuffer(value, np.uint64).reshape(-1, width).sum(axis=0).tobytes()
                for key, value in rows.items()
            }
        out[name] = rows
    return out


def run_userspace(engine: str, syn_limit: int | None) -> tuple[list[int], dict[str, dict]]:
    with UserspaceKernel(engine=engine).load(firewall(syn_limit)) as loaded:
        block(loaded.maps)
        result = replay(loaded.programs["firewall"], capture())
        return result.retvals.tolist(), contents(loaded.maps)


def test_interpreter_and_native_code_agree_with_the_clock():
    verdicts, maps = run_userspace("jit", None)
    assert (verdicts, maps) == run_userspace("interpreter", None)
    counted = {
        key[0]: int.from_bytes(value[:8], "little") for key, value in maps["reasons"].items()
    }
    # as CPython counts them, running the same source
    assert counted == {0: 3326, 1: 5, 2: 144, 3: 310, 4: 346, 5: 572, 6: 0, 7: 0}


@pytest.mark.linux
def test_linux_agrees_on_every_packet_and_map():
    verdicts, maps = run_userspace("jit", NO_LIMIT)
    with LinuxKernel().load(firewall(NO_LIMIT)) as loaded:
        block(loaded.maps)
        program = loaded.programs["firewall"]
        asked = [program.test_run(packet).retval for packet in capture()]
        assert asked == verdicts
        assert contents(loaded.maps) == maps


@pytest.mark.linux
def test_a_clang_object_gives_the_same_verdicts_in_both_kernels(clang_object):
    spec = read(clang_object("count"), file="count.o")
    with UserspaceKernel().load(spec) as ours, LinuxKernel().load(spec) as theirs:
        for program in spec.program_names:
            mine, other = ours.programs[program], theirs.programs[program]
            verdicts = [mine.test_run(packet).retval for packet in capture()]
            assert verdicts == [other.test_run(packet).retval for packet in capture()]
        assert contents(ours.maps) == contents(theirs.maps)
