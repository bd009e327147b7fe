"""The examples: they compile, satisfy mypy, and run in CPython as a reference."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from beebox import XdpAction, XdpContext
from beebox.compiler.frontend import analyze

SECTIONS = {
    "count": ["xdp"],
    "firewall": ["xdp"],
    "unsafe": ["xdp"],
    "lpm_acl": ["xdp"],
    "tc_nat": ["tcx/egress", "tcx/ingress"],
    "balancer": ["xdp"],
    "socket_sample": ["socket"],
    "cgroup_quota": ["cgroup_skb/egress"],
    "dispatch": ["xdp"] * 4,
    "router": ["xdp"],
}


def ethernet(ethertype: int, payload: bytes) -> bytes:
    return bytes(12) + ethertype.to_bytes(2, "big") + payload


def ipv4(
    protocol: int, payload: bytes, *, saddr: bytes = b"\x0a\x00\x00\x01", frag: int = 0
) -> bytes:
    start = bytes([0x45, 0, 0, 20 + len(payload), 0, 0]) + frag.to_bytes(2, "big")
    return start + bytes([64, protocol, 0, 0]) + saddr + b"\x0a\x00\x00\x02" + payload


def tcp(dest: int, flags: int) -> bytes:
    return b"\x9c\x40" + dest.to_bytes(2, "big") + bytes(8) + bytes([0x50, flags]) + bytes(6)


@pytest.fixture
def example(repository):
    def load(name: str):
        path = repository / "examples" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"example_{name}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("name", SECTIONS)
def test_example_is_in_the_language(repository, name):
    path = repository / "examples" / f"{name}.py"
    module = analyze(path.read_text(), file=str(path))
    assert [f.section_name for f in module.functions if f.section] == SECTIONS[name]


@pytest.mark.slow
def test_examples_satisfy_mypy(repository, tmp_path):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path)]
    files = [str(repository / "examples" / f"{name}.py") for name in [*SECTIONS, "demo"]]
    done = subprocess.run(
        [*command, *files], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_firewall_runs_in_cpython(example):
    firewall = example("firewall")
    reason = firewall.Reason

    def verdict(frame: bytes) -> int:
        return firewall.firewall(XdpContext(frame))

    def count(which: int) -> int:
        return int(firewall.reasons[which].packets)

    open_syn = ethernet(0x0800, ipv4(6, tcp(80, 0x02)))
    assert verdict(open_syn) == XdpAction.PASS
    assert verdict(ethernet(0x8100, b"\x00\x01\x08\x00" + ipv4(6, tcp(80, 0x10)))) == XdpAction.PASS
    assert verdict(ethernet(0x0800, ipv4(6, tcp(23, 0x02)))) == XdpAction.DROP
    assert count(reason.CLOSED_PORT) == 1
    firewall.open_ports[23] = 1
    assert verdict(ethernet(0x0800, ipv4(6, tcp(23, 0x02)))) == XdpAction.PASS
    assert verdict(open_syn[:40]) == XdpAction.DROP
    assert count(reason.TRUNCATED) == 1
    assert verdict(ethernet(0x0800, ipv4(17, bytes(8), frag=100))) == XdpAction.PASS
    assert count(reason.LATER_FRAGMENT) == 1
    firewall.blocked_v4_24[0xC0000200] = 0
    blocked = ethernet(0x0800, ipv4(6, tcp(80, 0x10), saddr=b"\xc0\x00\x02\x09"))
    assert verdict(blocked) == XdpAction.DROP
    assert firewall.blocked_v4_24[0xC0000200] == 1
    assert verdict(ethernet(0x0806, bytes(28))) == XdpAction.PASS
    assert count(reason.NOT_IP) == 1
    for _ in range(30):
        verdict(open_syn)
    assert count(reason.SYN_FLOOD) > 0
    assert firewall.talkers[0x0A000001].packets > 30


def test_count_runs_in_cpython(example):
    count = example("count")
    assert count.count_packets(XdpContext(ethernet(0x0800, ipv4(6, tcp(80, 2))))) == XdpAction.PASS
    assert count.count_packets(XdpContext(b"")) == XdpAction.PASS
    assert (count.total.value, count.other.value) == (2, 1)
    assert (count.protocols[6].packets, count.protocols[6].bytes) == (1, 54)


def test_unsafe_is_wrong_in_cpython_too(example):
    unsafe = example("unsafe")
    packet = bytearray(ethernet(0x0800, ipv4(6, tcp(80, 2))))
    assert unsafe.classify(XdpContext(bytes(packet))) == XdpAction.PASS
    packet[15] = 0xB8
    with pytest.raises(IndexError):
        unsafe.classify(XdpContext(bytes(packet)))
