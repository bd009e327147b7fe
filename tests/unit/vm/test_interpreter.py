"""The interpreter's own guards: regions, fuel, frames, context."""

from __future__ import annotations

from dataclasses import replace

import engines
import pytest

from beebox.errors import ExecutionError, NotSupportedError
from beebox.isa.assembler import assemble
from beebox.tables.program_types import ProgramType
from beebox.verifier.result import VerifiedProgram
from beebox.vm.interpreter import Interpreter, Machine
from beebox.vm.memory import Memory, Packet, Region, Runtime, region_at

BASE = engines.accepted("r0 = 0\nexit", {})


def unverified(text: str) -> VerifiedProgram:
    """What no verifier would accept, to see the interpreter's own checks."""
    spec = replace(BASE.spec, insns=assemble(text))
    return replace(BASE, spec=spec, regs=BASE.regs[:1] * len(spec.slots))


def machine(data: bytes = bytes(64), memory: Memory | None = None) -> Machine:
    packet = Packet(256)
    packet.load(data)
    return Machine(memory or Memory(), packet, Runtime(), {}, {})


@pytest.mark.parametrize(
    ("text", "pc"),
    [
        ("r0 = *(u64 *)(r10 + 0)\nexit", 0),
        ("r0 = *(u64 *)(r10 - 520)\nexit", 0),
        ("*(u8 *)(r10 + 0) = 1\nexit", 0),
        ("r2 = 0\nr0 = *(u8 *)(r2 + 0)\nexit", 1),
        ("r2 = *(u32 *)(r1 + 4)\nr0 = *(u8 *)(r2 + 0)\nexit", 1),
        ("r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 - 1)\nexit", 1),
        ("*(u32 *)(r1 + 0) = 0\nexit", 0),
        ("r0 = *(u32 *)(r1 + 24)\nexit", 0),
        ("r0 = *(u8 *)(r1 + 0)\nexit", 0),
    ],
)
def test_accesses_outside_every_region(text, pc):
    with pytest.raises(ExecutionError) as caught:
        Interpreter(unverified(text), machine(), {}).run()
    assert caught.value.pc == pc


def test_a_frame_below_is_out_of_reach_after_return():
    text = "call sub\nr0 = *(u64 *)(r10 - 520)\nexit\nsub:\n*(u64 *)(r10 - 8) = 1\nr0 = 0\nexit"
    with pytest.raises(ExecutionError) as caught:
        Interpreter(unverified(text), machine(), {}).run()
    assert caught.value.pc == 1


def test_read_only_regions_refuse_stores():
    packet = Packet(64)
    memory = Memory([region_at("rodata", packet.buffer.address, 8, writable=False)])
    machine_ = Machine(memory, Packet(64), Runtime(), {"m": packet.buffer.address}, {})
    with pytest.raises(ExecutionError):
        Interpreter(unverified("r1 = map[m] ll\n*(u8 *)(r1 + 0) = 1\nexit"), machine_, {}).run()
    reader = unverified("r1 = map[m] ll\nr0 = *(u8 *)(r1 + 7)\nexit")
    assert Interpreter(reader, machine_, {}).run() == 0


def test_context_without_a_layout_is_memory_like_any_other():
    packet, other = Packet(64), Packet(64)
    place = packet.context_address + 512  # inside of what a tracepoint's context may be
    view = other.buffer.view
    value = Region("value", place, place + 8, place, view[:8])
    machine_ = Machine(Memory([value]), packet, Runtime(), {"m": place}, {})
    reader = unverified("r1 = map[m] ll\nr0 = *(u8 *)(r1 + 7)\nexit")
    traced = replace(reader, spec=replace(reader.spec, type=ProgramType.TRACEPOINT))
    assert Interpreter(traced, machine_, {}).run() == view[7]


def test_fuel_ends_an_endless_loop():
    with pytest.raises(ExecutionError, match="fuel"):
        Interpreter(unverified("top:\ngoto top"), machine(), {}).run(fuel=1000)


def test_recursion_ends_at_eight_frames():
    with pytest.raises(ExecutionError, match="deep"):
        Interpreter(unverified("top:\ncall top\nexit"), machine(), {}).run()


def test_helpers_see_the_machine_and_the_packet_moves():
    def shrink(at: Machine, _context: int, delta: int, *_rest: int) -> int:
        at.packet.context.data_end -= delta
        return -1

    text = """
r6 = r1
r2 = 32
call 65
r3 = *(u32 *)(r6 + 4)
r1 = *(u8 *)(r3 - 1)
r1 = *(u8 *)(r3 + 0)
exit
"""
    with pytest.raises(ExecutionError) as caught:
        Interpreter(unverified(text), machine(), {65: shrink}).run()
    assert caught.value.pc == 5


def test_helper_results_are_64_bits():
    engine = Interpreter(unverified("call 5\nexit"), machine(), {5: lambda *_: -1})
    assert engine.run() == (1 << 64) - 1


@pytest.mark.parametrize("text", ["call 12345\nexit", "r1 = addr_space_cast(r1, 0, 1)\nexit"])
def test_what_it_cannot_run_is_said_before_running(text):
    with pytest.raises(NotSupportedError):
        Interpreter(unverified(text), machine(), {})


def test_context_fields():
    at = machine(b"ab")
    at.packet.context.ingress_ifindex = 7
    at.packet.context.rx_queue_index = 9
    text = "r0 = *(u32 *)(r1 + 12)\nr2 = *(u32 *)(r1 + 16)\nr0 <<= 8\nr0 |= r2\nexit"
    assert Interpreter(unverified(text), at, {}).run() == 0x709


def test_may_goto_has_a_budget_in_each_frame():
    count = "r0 = 0\ntop:\nmay_goto out\nr0 += 1\ngoto top\nout:\nexit"
    assert Interpreter(unverified(count), machine(), {}, max_loops=5).run() == 5
    twice = "may_goto +0\ncall sub\nr6 = r0\ncall sub\nr0 += r6\nexit\nsub:\n" + count
    assert Interpreter(unverified(twice), machine(), {}, max_loops=5).run() == 10
