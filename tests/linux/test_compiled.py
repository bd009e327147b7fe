"""What the compiler makes, judged by the running kernel: BTF, Python lines, quality, packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from beebox.compiler.source import compile_file, compile_source
from beebox.linux.kernel import LinuxKernel
from beebox.linux.load import load_btf
from beebox.obj.linker import link

pytestmark = pytest.mark.linux

HEAD = """
from beebox import (
    Array, Constant, Global, Hash, XdpAction, XdpContext, struct, trace_printk, u8, u16, u32, u64,
    xdp, xdp_adjust_head,
)
from beebox.lib.net import ethhdr, iphdr
"""


@pytest.mark.parametrize(("name", "most"), [("firewall", 520), ("count", 90), ("unsafe", 30)])
def test_examples_are_small_and_their_types_load(repository: Path, name: str, most: int) -> None:
    spec = compile_file(repository / "examples" / f"{name}.py")
    (program,) = spec.program_names
    linked = link(spec, program)
    assert len(linked.slots) <= most
    loaded = load_btf(linked)  # raises where the kernel refuses: loaders would go on without
    assert loaded is not None
    loaded[0].close()


def test_the_kernels_log_shows_the_python_source(repository: Path) -> None:
    spec = compile_file(repository / "examples" / "unsafe.py")
    verdict = LinuxKernel().verdict(link(spec, "classify"), log_level=1)
    assert not verdict.accepted
    assert "; histogram.slots[ip.tos] += 1 @ unsafe.py:" in verdict.log


def run(source: str, packet: bytes) -> tuple[int, bytes]:
    with LinuxKernel().load(compile_source(HEAD + source, file="made.py")) as loaded:
        ran = loaded.programs["program"].test_run(packet)
        return ran.retval, ran.data_out


def test_packet_pointers_made_before_a_move_are_replaced_by_new_ones() -> None:
    source = """
def pull(ctx: XdpContext) -> bool:
    return xdp_adjust_head(ctx, 14) == 0

@xdp
def program(ctx: XdpContext) -> XdpAction:
    eth = ctx.packet(ethhdr)
    if eth is None or eth.h_proto != 0x0800:
        return XdpAction.ABORTED
    if not pull(ctx):
        return XdpAction.ABORTED
    ip = ctx.packet(iphdr)
    if ip is None or ip.version_ihl != 0x45:
        return XdpAction.DROP
    ip.ttl = 9
    return XdpAction.PASS
"""
    packet = bytes(12) + b"\x08\0" + b"\x45" + bytes(40)
    verdict, out = run(source, packet)
    assert verdict == 2
    assert out == b"\x45" + bytes(7) + b"\x09" + bytes(32)


def test_keys_and_values_of_every_padding_are_stored_aligned() -> None:
    source = """
@struct
class Odd:
    a: u8
    b: u32
    c: u8
    d: u64
    e: u16

odds = Hash[Odd, Odd](max_entries=8)

@xdp
def program(ctx: XdpContext) -> XdpAction:
    key = Odd(a=1, d=2)
    odds[key] = Odd(c=3, e=4)
    odds[Odd(b=5)] = key
    found = odds[key]
    if found is None or found.c != 3 or found.e != 4 or found.a != 0:
        return XdpAction.DROP
    again = odds[Odd(b=5)]
    if again is None or again.a != 1 or again.d != 2:
        return XdpAction.DROP
    return XdpAction.PASS
"""
    assert run(source, bytes(64))[0] == 2


def test_a_format_string_lies_in_read_only_data() -> None:
    source = """
@xdp
def program(ctx: XdpContext) -> XdpAction:
    trace_printk("packet of %u bytes\\n", ctx.length)
    return XdpAction.PASS
"""
    spec = compile_source(HEAD + source, file="made.py")
    assert b"packet of %u bytes\n\0" in spec.maps[".rodata"].contents
    assert LinuxKernel().verdict(link(spec, "program")).accepted
