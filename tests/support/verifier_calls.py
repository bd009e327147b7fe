"""Random programs of every packet program type for the verifier: contexts, helpers, references.

A program is drawn by its seed alone. Statements are right most of the time, so that a good share of
programs is accepted; what is wrong with the rest is spread over all rules.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import verifier_references
from verifier_maps import MAPS, with_btf

from beebox.isa.assembler import assemble
from beebox.obj.model import ProgramSpec
from beebox.tables.contexts import FieldKind
from beebox.tables.helpers import HELPERS, Arg, ArgKind, Helper
from beebox.tables.program_types import AttachType, PacketAccess, ProgramType, Sleeps
from beebox.tables.sections import ProgramFlags

__all__ = ["MAPS", "program"]

_PLAIN: Final = ("values", "table", "percpu", "lru", "lpm", "readonly", "writeonly")

_TYPES: Final = (
    (ProgramType.SOCKET_FILTER, None),
    (ProgramType.SCHED_CLS, None),
    (ProgramType.SCHED_ACT, None),
    (ProgramType.XDP, None),
    (ProgramType.XDP, AttachType.XDP_DEVMAP),
    (ProgramType.CGROUP_SKB, AttachType.CGROUP_INET_INGRESS),
    (ProgramType.CGROUP_SKB, AttachType.CGROUP_INET_EGRESS),
    (ProgramType.LWT_IN, None),
    (ProgramType.LWT_OUT, None),
    (ProgramType.LWT_XMIT, None),
    (ProgramType.LWT_SEG6LOCAL, None),
    (ProgramType.FLOW_DISSECTOR, None),
)
_OTHER_TYPES: Final = (
    (ProgramType.KPROBE, None),
    (ProgramType.KPROBE, AttachType.TRACE_UPROBE_MULTI),
    (ProgramType.KPROBE, AttachType.TRACE_UPROBE_SESSION),
    (ProgramType.TRACEPOINT, None),
    (ProgramType.PERF_EVENT, None),
    (ProgramType.RAW_TRACEPOINT, None),
    (ProgramType.RAW_TRACEPOINT_WRITABLE, None),
    (ProgramType.CGROUP_SOCK, None),
    (ProgramType.CGROUP_SOCK, AttachType.CGROUP_INET_SOCK_RELEASE),
    (ProgramType.CGROUP_SOCK, AttachType.CGROUP_INET4_POST_BIND),
    (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_BIND),
    (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_CONNECT),
    (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP6_SENDMSG),
    (ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_RECVMSG),
    (ProgramType.CGROUP_SOCKOPT, AttachType.CGROUP_GETSOCKOPT),
    (ProgramType.CGROUP_SOCKOPT, AttachType.CGROUP_SETSOCKOPT),
    (ProgramType.CGROUP_SYSCTL, None),
    (ProgramType.CGROUP_DEVICE, None),
    (ProgramType.SOCK_OPS, None),
    (ProgramType.SK_SKB, AttachType.SK_SKB_STREAM_PARSER),
    (ProgramType.SK_SKB, AttachType.SK_SKB_VERDICT),
    (ProgramType.SK_MSG, AttachType.SK_MSG_VERDICT),
    (ProgramType.SK_LOOKUP, AttachType.SK_LOOKUP),
    (ProgramType.SK_REUSEPORT, None),
    (ProgramType.SK_REUSEPORT, AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE),
    (ProgramType.SYSCALL, None),
    (ProgramType.NETFILTER, AttachType.NETFILTER),
)
_HELPERS: Final = {
    type_: tuple(
        row
        for row in (helper.called_by(type_) for helper in HELPERS.values())
        if type_ in row.program_types
    )
    for type_ in {type_ for type_, _ in (*_TYPES, *_OTHER_TYPES)}
}
_SIZES: Final = ("u8", "u16", "u32", "u64")
_BYTES: Final = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s8": 1, "s16": 2, "s32": 4}
_NAMED: Final = {row.name: row for row in HELPERS.values()}


@dataclass
class _Text:
    """The program so far. Registers: R6 context, R7 packet, R8 a pointer, R9 a number."""

    random: random.Random
    type: ProgramType
    attach: AttachType | None
    lines: list[str]
    labels: int = 0
    in_subprogram: bool = False
    calls: bool = False
    packet: bool = False  # R7 points to a packet of which 32 bytes are proven

    def emit(self, *lines: str) -> None:
        self.lines += lines

    def label(self) -> str:
        self.labels += 1
        return f"l{self.labels}"

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def number(self) -> str:
        """A constant that is interesting, or a variable number."""
        pick = self.random
        return str(pick.choice((0, 0, 1, 2, 3, 4, 7, 8, 14, 16, 32, 64, 255, -1)))

    # statements

    def context_load(self) -> None:
        pick = self.random
        dst = pick.choice(("r2", "r9", "r9"))
        size = pick.choice((*_SIZES, "u32", "u32", "u32", "s32", "s16", "s8"))
        context = self.type.value.context
        if context is not None and self.chance(0.9):
            field = pick.choice(context.fields)
            sizes = [name for name in _SIZES if _BYTES[name] in field.reads]
            if self.chance(0.9) and sizes:
                size = pick.choice(sizes)
            width = _BYTES[size]
            offset = field.offset + width * pick.randrange(max(min(field.size, 256) // width, 1))
            if dst == "r9" and field.kind.name != "SCALAR":
                dst = "r2"
        else:
            offset, dst = pick.randrange(0, 200, pick.choice((1, 2, 4, 8))), "r2"
        self.emit(f"{dst} = *({size} *)(r6 + {offset})")

    def context_store(self) -> None:
        pick = self.random
        context = self.type.value.context
        fields = [field for field in context.fields if field.writes] if context else []
        if fields and self.chance(0.95):
            field = pick.choice(fields)
            width = pick.choice(field.writes) if self.chance(0.95) else pick.choice((1, 2, 4, 8))
            offset = field.offset + width * pick.randrange(max(min(field.size, 256) // width, 1))
        elif self.chance(0.2):
            width, offset = pick.choice((1, 2, 4, 8)), pick.randrange(0, 192, 2)
        else:
            return
        value = pick.choice(("r9", "r9", "0", "7", "r10" if width == 8 else "r9"))
        self.emit(f"*(u{8 * width} *)(r6 + {offset}) = {value}")

    def load_packet(self) -> None:
        """R7 points to the packet again, with 32 bytes proven."""
        if self.type.value.packet is PacketAccess.NONE:
            return
        context = self.type.value.context
        fields = {field.kind: field for field in context.fields} if context is not None else {}
        data, end = fields[FieldKind.PACKET], fields[FieldKind.PACKET_END]
        size = f"u{8 * data.size}"
        out, go = self.label(), self.label()
        self.emit(
            f"r7 = *({size} *)(r6 + {data.offset})",
            f"r3 = *({size} *)(r6 + {end.offset})",
            "r2 = r7",
            "r2 += 32",
            f"if r2 <= r3 goto {go}",
            f"{out}:",
            "r0 = 0",
            "exit",
            f"{go}:",
        )
        self.packet = True

    def packet_access(self) -> None:
        pick = self.random
        if not self.packet and self.chance(0.9):
            self.load_packet()
        if not self.packet:
            return
        size = pick.choice(_SIZES)
        offset = pick.randrange(0, 33 - _BYTES[size]) if self.chance(0.98) else 31
        kind = pick.random()
        writable = self.type.value.packet is PacketAccess.WRITE
        if kind < 0.7:
            signed = size.replace("u", "s") if size != "u64" and self.chance(0.2) else size
            self.emit(f"r9 = *({signed} *)(r7 + {offset})")
        elif writable or self.chance(0.1):
            self.emit(f"*({size} *)(r7 + {offset}) = {pick.choice(('r9', '1'))}")
        elif self.chance(0.05):
            self.emit("lock *(u64 *)(r7 + 0) += r9")

    def variable_packet_access(self) -> None:
        pick = self.random
        if self.type.value.packet is PacketAccess.NONE:
            return
        data, end = (0, 4) if self.type is ProgramType.XDP else (76, 80)
        skip = self.label()
        self.emit(f"r2 = *(u32 *)(r6 + {data})", f"r3 = *(u32 *)(r6 + {end})")
        if self.chance(0.95):
            self.emit(f"r9 &= {pick.choice((7, 63, 255))}")
        self.emit("r2 += r9", "r4 = r2", f"r4 += {pick.choice((4, 8))}")
        test = pick.choice((f"if r4 > r3 goto {skip}", f"if r3 < r4 goto {skip}"))
        self.emit(test, f"r9 = *(u32 *)(r2 + {pick.choice((0, 0, 0, 4))})", f"{skip}:")
        if self.chance(0.3):
            self.emit(pick.choice((f"if r4 >= r3 goto {skip}x", f"if r3 <= r4 goto {skip}x")))
            self.emit("r0 = 0", f"{skip}x:")

    def ordered(self) -> None:
        """An atomic operation on whatever a register points to."""
        pick = self.random
        reg = pick.choice(("r8", "r8", "r8", "r10", "r10", "r7", "r6"))
        at = pick.choice((-8, -16, -12)) if reg == "r10" else pick.choice((0, 8, 16, 6, 62))
        place = f"({reg} + {at})" if at >= 0 else f"({reg} - {-at})"
        size = pick.choice(("u64", "u64", "u32", "u16"))
        wide = size if size != "u16" else "u32"
        self.emit(
            pick.choice(
                (
                    f"r9 = load_acquire(({size} *){place})",
                    f"store_release(({size} *){place}, r9)",
                    f"lock *({wide} *){place} += r9",
                    f"r9 = atomic_fetch_or(({wide} *){place}, r9)",
                    f"r9 = xchg_64({place[1:-1]}, r9)",
                    f"r0 = 1\nr0 = cmpxchg_64({place[1:-1]}, r0, r9)",
                )
            )
        )

    def arithmetic(self) -> None:
        pick = self.random
        line = pick.choice(
            (
                "r9 += 1", "r9 &= 7", "r9 &= 63", "r9 <<= 2", "r9 >>= 1", "w9 = w9", "r9 *= 3",
                "r9 = be16 r9", "r9 ^= 5", "r9 = 5", "r9 s>>= 3", "r9 |= 1", "w9 += -1",
            )
        )  # fmt: skip
        self.emit(line)

    def spill(self) -> None:
        pick = self.random
        at = pick.choice((-136, -144, -152))
        reg = pick.choice(("r6", "r7", "r8", "r9", "r9"))
        if self.chance(0.5):
            self.emit(f"*(u64 *)(r10 - {-at}) = {reg}")
        else:
            size = pick.choice(("u64", "u64", "u64", "u32", "u8"))
            self.emit(f"r2 = *({size} *)(r10 - {-at})")

    def branch(self, depth: int) -> None:
        pick = self.random
        skip = self.label()
        op = pick.choice(("==", "!=", ">", "<=", "s>", "s<", "&"))
        self.emit(f"if {pick.choice('rw')}9 {op} {self.number()} goto {skip}")
        packet = self.packet
        self.statement(depth + 1)
        self.packet = self.packet and packet
        self.emit(f"{skip}:")

    def budget_loop(self, depth: int) -> None:
        again, out = self.label(), self.label()
        self.emit("r9 = 0" if self.chance(0.5) else "r9 &= 7")
        self.emit(f"{again}:", f"may_goto {out}")
        self.packet = self.packet and self.chance(0.05)
        for _ in range(self.random.randint(1, 2)):
            self.statement(depth + 2)
        if self.chance(0.7):
            self.emit("r9 += 1")
        self.emit(f"goto {again}", f"{out}:")
        self.packet = False

    def counted_loop(self, depth: int) -> None:
        again = self.label()
        at = -160 - 8 * depth
        self.emit(f"*(u64 *)(r10 - {-at}) = 0", f"{again}:")
        self.packet = self.packet and self.chance(0.05)
        self.statement(depth + 2)
        self.packet = False
        self.emit(
            f"r2 = *(u64 *)(r10 - {-at})", "r2 += 1", f"*(u64 *)(r10 - {-at}) = r2",
            f"if r2 < {self.random.choice((2, 3, 6))} goto {again}",
        )  # fmt: skip

    def legacy_load(self) -> None:
        pick = self.random
        if not self.type.value.legacy_loads and not self.chance(0.03):
            return
        size = pick.choice(("u8", "u16", "u32"))
        self.emit(pick.choice((f"r0 = *({size} *)skb[12]", f"r0 = *({size} *)skb[r9 + 2]")))
        if self.chance(0.7):
            self.emit("r9 = r0")

    def tail_call(self) -> None:
        self.emit("r1 = r6", "r2 = map[programs] ll", f"r3 = {self.number()}", "call bpf_tail_call")

    def subprogram(self) -> None:
        self.calls = True
        self.emit("r1 = r6", "r2 = r9", "call sub")
        if self.chance(0.5):
            self.emit("r9 = r0")
        self.packet = self.packet and self.chance(0.3)

    def flow_keys(self) -> None:
        if self.type is not ProgramType.FLOW_DISSECTOR:
            return
        pick = self.random
        size = pick.choice(_SIZES)
        self.emit("r2 = *(u64 *)(r6 + 144)")
        if self.chance(0.2):
            self.emit(f"r2 += {pick.choice((8, 16, -8, 'r9' if self.chance(0.2) else 0))}")
        offset = pick.randrange(0, 57 - _BYTES[size]) if self.chance(0.95) else pick.randrange(60)
        access = f"*({size} *)(r2 + {offset})"
        self.emit(f"{access} = r9" if self.chance(0.5) else f"r9 = {access}")

    def socket(self) -> None:
        verifier_references.socket(self, {row.name for row in _HELPERS[self.type]})

    def record(self) -> None:
        verifier_references.record(self)

    def lookup(self) -> None:
        """A map lookup, perhaps of an inner map, and an access of the value."""
        pick = self.random
        name = pick.choice((*_PLAIN, *_PLAIN, "arrays", "tables", "devmap", "xskmap"))
        spec = MAPS[name]
        out = self.label()
        self.key(-8)
        self.emit(f"r1 = map[{name}] ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem")
        if self.chance(0.93):
            self.emit(f"if r0 == 0 goto {out}")
        size = spec.value_size
        if spec.inner is not None and self.chance(0.9):
            size = spec.inner.value_size
            self.key(-8)
            self.emit("r1 = r0", "r2 = r10", "r2 += -8")
            self.emit("call bpf_map_lookup_elem")
            if self.chance(0.9):
                self.emit(f"if r0 == 0 goto {out}")
        elif spec.inner is not None:
            self.emit(f"{out}:")
            return
        width = pick.choice((4, 4, 8))
        offset = pick.randrange(0, max(size - width, 0) + 1) if self.chance(0.95) else size
        access = f"*(u{8 * width} *)(r0 + {offset})"
        kind = pick.random()
        if kind < 0.6:
            self.emit(f"r9 = {access}")
        elif kind < 0.8 or name in {"readonly", "devmap", "xskmap"}:
            self.emit(f"{access} = r9" if self.chance(0.3) else f"r9 = {access}")
        elif kind < 0.9:
            self.emit(f"lock *(u32 *)(r0 + {offset // 4 * 4}) += r9")
        elif size >= 8:
            self.emit("r9 &= 7", "r0 += r9", "r9 = *(u8 *)(r0 + 0)")
        self.emit(f"{out}:")

    def key(self, at: int) -> None:
        """8 bytes of stack hold a constant, a number or the packet's bytes."""
        value = self.random.choice((self.number(), "3", "r9"))
        self.emit(f"*(u64 *)(r10 - {-at}) = {value}")

    def helper(self) -> None:
        """A call of any helper of this program type, its arguments mostly right."""
        pick = self.random
        rows = _HELPERS[self.type] if self.chance(0.97) else tuple(HELPERS.values())
        row = pick.choice(rows).called_by(self.type)
        if row.name in {"tail_call", "ringbuf_reserve"} or any(arg.releases for arg in row.args):
            return
        if not all(arg.kind in _ARGUMENTS for arg in row.args) and not self.chance(0.02):
            return
        map_name = self.map_for(row)
        for number, arg in enumerate(row.args, 1):
            if self.chance(0.02):
                wrong = pick.choice(("r6", "r7", "r8", "r9", "r10", "0"))
                self.emit(f"r{number} = {wrong}")
            else:
                self.argument(row, number, arg, map_name)
        self.emit(f"call bpf_{row.name}")
        if row.changes_packet:
            self.packet = self.packet and self.chance(0.1)
        if row.ret.name == "INTEGER" and self.chance(0.5):
            self.emit("r9 = r0")
        if row.acquires or (row.name == "map_lookup_elem" and map_name == "socks"):
            out = self.label()
            self.emit(f"if r0 == 0 goto {out}", "r1 = r0", "call bpf_sk_release", f"{out}:")

    def map_for(self, row: Helper) -> str:
        fitting = [name for name, spec in MAPS.items() if spec.type in row.map_types]
        if fitting and self.chance(0.97):
            return self.random.choice(fitting)
        return self.random.choice(tuple(MAPS))

    def argument(self, row: Helper, number: int, arg: Arg, map_name: str) -> None:
        reg = f"r{number}"
        pick = self.random
        match arg.kind:
            case ArgKind.CTX:
                self.emit(f"{reg} = r6" if not arg.nullable or self.chance(0.5) else f"{reg} = 0")
            case ArgKind.CONST_MAP_PTR:
                self.emit(f"{reg} = map[{map_name}] ll")
            case ArgKind.CONST_SIZE | ArgKind.CONST_SIZE_OR_ZERO:
                self.emit(f"{reg} = {pick.choice((4, 8, 8, 16, 20, 40, 64, 65, 0))}")
                if self.chance(0.2):
                    self.emit("r9 &= 7", f"{reg} = r9", f"{reg} += {pick.choice((0, 1, 1, 1))}")
            case ArgKind.CONST_STR:
                self.emit(f"{reg} = global[.rodata + {pick.choice((0, 0, 9, 14, 17, 23, 32))}] ll")
            case ArgKind.MEM | ArgKind.MAP_KEY | ArgKind.MAP_VALUE:
                self.memory(row, reg, arg)
            case ArgKind.SOCK_COMMON | ArgKind.SOCKET | ArgKind.BTF_ID_SOCK_COMMON:
                self.emit(f"{reg} = r8" if not arg.nullable or self.chance(0.5) else f"{reg} = 0")
            case _:
                self.emit(f"{reg} = {pick.choice((self.number(), 'r9'))}")

    def memory(self, row: Helper, reg: str, arg: Arg) -> None:
        pick = self.random
        kind = pick.random()
        if arg.nullable and kind < 0.2:
            self.emit(f"{reg} = 0")
        elif kind < 0.6:
            at = pick.choice((-64, -64, -64, -128, -60, -12))
            self.emit(f"{reg} = r10", f"{reg} += {at}")
        elif kind < 0.85 or not self.packet or not (row.packet_access or self.chance(0.1)):
            source = "global[.data] ll" if self.chance(0.9) else "global[.rodata] ll"
            self.emit(f"{reg} = {source}")
        else:
            self.emit(f"{reg} = r7")
            if self.chance(0.3):
                self.emit(f"{reg} += {pick.choice((4, 8))}")

    def statement(self, depth: int) -> None:
        pick = self.random
        if depth < 3 and self.chance(0.2):
            choice = pick.random()
            if choice < 0.6:
                self.branch(depth)
            elif choice < 0.8:
                self.budget_loop(depth)
            else:
                self.counted_loop(depth)
            return
        choices = [
            (self.context_load, 10), (self.context_store, 5), (self.packet_access, 10),
            (self.variable_packet_access, 4), (self.arithmetic, 8), (self.spill, 6),
            (self.legacy_load, 4), (self.flow_keys, 8), (self.socket, 6), (self.record, 5),
            (self.lookup, 8), (self.helper, 22), (self.tail_call, 2), (self.ordered, 3),
        ]  # fmt: skip
        if not self.in_subprogram:
            choices.append((self.subprogram, 3))
        actions, weights = zip(*choices, strict=True)
        pick.choices(actions, weights)[0]()

    def leave(self) -> None:
        pick = self.random
        kind = pick.random()
        if kind < 0.85:
            self.emit(f"r0 = {pick.choice((0, 1, 1, 2))}")
        elif kind < 0.95:
            self.emit("r0 = r9", f"r0 &= {pick.choice((1, 3))}")
        else:
            self.emit(f"r0 = {pick.choice(('r9', 'r6', 'r8'))}")
        self.emit("exit")


_ARGUMENTS: Final = frozenset(
    {
        ArgKind.ANYTHING, ArgKind.CONST_MAP_PTR, ArgKind.MAP_KEY, ArgKind.MAP_VALUE, ArgKind.MEM,
        ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO, ArgKind.CTX, ArgKind.CONST_STR,
        ArgKind.SOCK_COMMON, ArgKind.SOCKET, ArgKind.BTF_ID_SOCK_COMMON,
    }
)  # fmt: skip


def program(seed: int) -> ProgramSpec:
    """The program of this seed, of a packet program type."""
    return _program(seed, _TYPES)


def other_program(seed: int) -> ProgramSpec:
    """The program of this seed, of another type."""
    return _program(seed, _OTHER_TYPES)


def _program(seed: int, types: tuple[tuple[ProgramType, AttachType | None], ...]) -> ProgramSpec:
    pick = random.Random(seed)
    type_, attach = pick.choice(types)
    flags = ProgramFlags.NONE
    sleeps = type_.value.sleeps
    if sleeps is Sleeps.MUST or (sleeps is Sleeps.MAY and pick.random() < 0.3):
        flags = ProgramFlags.SLEEPABLE
    text = _Text(pick, type_, attach, [])
    text.emit("r6 = r1", "r8 = global[.data] ll", "r9 = *(u32 *)(r8 + 0)")
    text.emit("r7 = 0")
    for _ in range(pick.randint(1, 6)):
        text.statement(0)
    text.leave()
    if text.calls:
        text.in_subprogram, text.packet = True, False
        text.emit("sub:", "r6 = r1", "r9 = r2", "r8 = global[.data] ll", "r7 = 0")
        for _ in range(pick.randint(1, 3)):
            text.statement(1)
        text.leave()
    insns = assemble("\n".join(text.lines), file=f"seed {seed}")
    spec = ProgramSpec("fuzz", type_.value.name, type_, insns, MAPS, attach, flags)
    return with_btf(spec) if text.calls and pick.random() < 0.9 else spec
