"""One program that calls whichever helpers a map tells it to: many cases, compiled once.

Each step is an operation with three numbers and 32 bytes; it leaves R0, fields of the context and
the bytes afterwards. So a case is data, and Linux and both engines run the same one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from skb import KERNELS

from beebox.backend import TestRun
from beebox.errors import ExecutionError, SyscallError
from beebox.isa.assembler import assemble
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.map_types import MapType

STEPS = 6
WORDS = 16
STEP_BYTES = 64
BUFFER = -64  # of 32 bytes, from R10

A, B, C = 8, 16, 24  # numbers of a step, in its record

# How a helper takes a step's numbers: registers R2 and on. "n" clamps to 1..32, "p" is the buffer.
OPERATIONS = {
    "skb_load_bytes": ("a", "p", "n"),
    "skb_load_bytes_relative": ("a", "p", "n", "c"),
    "skb_store_bytes": ("a", "p", "n", "c"),
    "skb_pull_data": ("a",),
    "l3_csum_replace": ("a", "low", "high", "c"),
    "l4_csum_replace": ("a", "low", "high", "c"),
    "csum_update": ("a",),
    "csum_level": ("a",),
    "set_hash": ("a",),
    "set_hash_invalid": (),
    "skb_vlan_push": ("a", "b"),
    "skb_vlan_pop": (),
    "skb_change_proto": ("a", "c"),
    "skb_change_type": ("a",),
    "skb_change_head": ("a", "c"),
    "skb_change_tail": ("a", "c"),
    "skb_adjust_room": ("a", "b", "c"),
    "skb_ecn_set_ce": (),
    "skb_set_tstamp": ("a", "b"),
    "check_mtu": ("a", "p", "b", "c"),
    "get_cgroup_classid": (),
    "skb_cgroup_classid": (),
    "get_route_realm": (),
    "xdp_adjust_head": ("a",),
    "xdp_adjust_tail": ("a",),
    "xdp_adjust_meta": ("a",),
    "xdp_load_bytes": ("a", "p", "n"),
    "xdp_store_bytes": ("a", "p", "n"),
    "xdp_get_buff_len": (),
}
NUMBERS = {name: number for number, name in enumerate(OPERATIONS, start=1)}
SKB_FIELDS = (0, 4, 16, 20, 24, 28, 68)  # len pkt_type protocol vlan_* hash
OPS = MapSpec("ops", MapType.ARRAY, 4, STEP_BYTES * STEPS, 1)
RESULTS = MapSpec("results", MapType.ARRAY, 4, 8 * WORDS * STEPS, 1)


@dataclass(frozen=True)
class Op:
    """One step. ``data`` is put in the buffer first, padded with zeros."""

    name: str
    a: int = 0
    b: int = 0
    c: int = 0
    data: bytes = b""

    def pack(self) -> bytes:
        """As the program reads it."""
        numbers = [number & ((1 << 64) - 1) for number in (self.a, self.b, self.c)]
        return struct.pack("<4Q", NUMBERS[self.name], *numbers) + self.data.ljust(32, b"\0")


def _lookup(name: str, reg: int) -> list[str]:
    lines = ["r2 = r10", "r2 += -4", f"r1 = map[{name}] ll", "call 1", "if r0 == 0 goto out"]
    return [*lines, f"r{reg} = r0"]


def _call(name: str) -> list[str]:
    lines = [f"op_{name}:", "r1 = r6"]
    for reg, kind in enumerate(OPERATIONS[name], start=2):
        match kind:
            case "p":
                lines += [f"r{reg} = r10", f"r{reg} += {BUFFER}"]
            case "n":
                lines += [f"r{reg} = *(u64 *)(r7 + {B})", f"r{reg} &= 31", f"r{reg} += 1"]
            case "low" | "high":
                at = B if kind == "low" else B + 4
                lines += [f"r{reg} = *(u32 *)(r7 + {at})"]
            case _:
                at = {"a": A, "b": B, "c": C}[kind]
                lines += [f"r{reg} = *(u64 *)(r7 + {at})"]
    return [*lines, f"call {HELPER_BY_NAME[name].id}", "goto after"]


@cache
def driver(section: str, names: tuple[str, ...], *, direct: bool = True) -> ObjectSpec:
    """The program, for the helpers that its program type may call."""
    lines = ["r6 = r1", "r1 = 0", "*(u32 *)(r10 - 4) = r1", *_lookup("ops", 7)]
    lines += [*_lookup("results", 9), "r8 = 0", "loop:", f"if r8 == {STEPS} goto out"]
    for word in range(4):
        lines += [f"r1 = *(u64 *)(r7 + {32 + 8 * word})", f"*(u64 *)(r10 - {64 - 8 * word}) = r1"]
    lines += ["r0 = 0", "r1 = *(u64 *)(r7 + 0)"]
    lines += [f"if r1 == {NUMBERS[name]} goto op_{name}" for name in names]
    lines += ["goto after"]
    for name in names:
        lines += _call(name)
    lines += ["after:", "*(u64 *)(r9 + 0) = r0"]
    fields = () if section.startswith("xdp") else SKB_FIELDS
    at = 8
    for field in fields:
        lines += [f"r1 = *(u32 *)(r6 + {field})", f"*(u64 *)(r9 + {at}) = r1"]
        at += 8
    if direct:
        start, end = (0, 4) if section.startswith("xdp") else (76, 80)
        lines += [f"r1 = *(u32 *)(r6 + {start})", f"r2 = *(u32 *)(r6 + {end})", "r2 -= r1"]
        lines += [f"*(u64 *)(r9 + {at}) = r2"]
        at += 8
        if section.startswith("xdp"):
            lines += ["r2 = *(u32 *)(r6 + 8)", "r1 -= r2", f"*(u64 *)(r9 + {at}) = r1"]
            at += 8
    for word in range(4):
        lines += [f"r1 = *(u64 *)(r10 - {64 - 8 * word})", f"*(u64 *)(r9 + {at}) = r1"]
        at += 8
    assert at <= 8 * WORDS
    lines += ["r8 += 1", f"r7 += {STEP_BYTES}", f"r9 += {8 * WORDS}", "goto loop"]
    lines += ["out:", f"r0 = {2 if section.startswith('xdp') else 0}", "exit"]
    functions = {"main": FunctionSpec("main", section, assemble("\n".join(lines)))}
    return ObjectSpec(functions, {"ops": OPS, "results": RESULTS}, license="GPL")


Case = tuple[bytes, Sequence[Op], bytes | None]
"""A frame, the steps, a context to start from."""


def outcomes(
    kernel, spec: ObjectSpec, cases: Sequence[Case], *, checksum: bool = False
) -> list[tuple]:
    """What each case leaves in one kernel: words by step, the packet, the context.

    With a ``checksum`` of the device that is wrong afterwards, there is no packet.
    """
    found = []
    with kernel.load(spec) as loaded:
        live, ops, results = loaded.programs["main"], loaded.maps["ops"], loaded.maps["results"]
        for frame, steps, context in cases:
            assert len(steps) <= STEPS
            packed = b"".join(step.pack() for step in steps)
            ops.update(bytes(4), packed.ljust(STEP_BYTES * STEPS, b"\0"))
            results.update(bytes(4), bytes(8 * WORDS * STEPS))
            try:
                run = live.test_run(frame, context=context, checksum_complete=checksum)
            except (ExecutionError, SyscallError):
                if not checksum:
                    raise
                run = TestRun(0, b"", 0, 0, "")
            words = struct.unpack(f"<{WORDS * STEPS}Q", results.lookup(bytes(4)))
            by_step = [words[at : at + WORDS] for at in range(0, WORDS * len(steps), WORDS)]
            found.append((by_step, run.data_out, run.context, run.retval))
    return found


def agree(spec: ObjectSpec, cases: Sequence[Case], *, checksum: bool = False) -> list[tuple]:
    """Run every case in every kernel; both engines must leave what Linux leaves."""
    linux = outcomes(KERNELS["linux"], spec, cases, checksum=checksum)
    for name in ("jit", "interpreter"):
        ours = outcomes(KERNELS[name], spec, cases, checksum=checksum)
        for case, mine, theirs in zip(cases, ours, linux, strict=True):
            assert mine == theirs, explain(name, case, mine, theirs)
    return linux


def explain(name, case, ours, linux) -> str:
    """The first step that differs, in both kernels."""
    frame, steps, context = case
    text = f"{name}: {len(frame)} bytes, {frame[:99].hex()}, context {context and context.hex()}"
    for step, mine, theirs in zip(steps, ours[0], linux[0], strict=True):
        same = "" if mine == theirs else "   <-- differs"
        text += f"\n{step}{same}"
        if mine != theirs:
            for at, (one, other) in enumerate(zip(mine, theirs, strict=True)):
                if one != other:
                    text += f"\n  word {at}: ours {signed(one)} linux {signed(other)}"
            return text
    text += f"\n packet ours\n {ours[1][:99].hex()}\n linux\n {linux[1][:99].hex()}"
    return f"{text}\n{ours[2:]} {linux[2:]}"


def signed(word: int) -> str:
    """A word as a number with its sign, and in hex."""
    return f"{word - (1 << 64) if word >> 63 else word} ({word:#x})"
