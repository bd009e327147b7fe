"""Native ways into a program: a loop over many packets, and many runs over one.

A program that cannot change packets runs on the capture's own bytes; any other gets each packet as
a fresh copy behind zeroed headroom, so the capture is never modified. The runtime block's clock is
set per packet from ``times_ns``, where given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from beebox.isa.instruction import Atomic, Store
from beebox.tables.helpers import HELPERS, ArgKind, Helper
from beebox.tables.limits import XDP_FRAME_HEADER_BYTES, XDP_HEADROOM_BYTES, XDP_LINEAR_BYTES
from beebox.verifier.result import RegKind, VerifiedProgram
from beebox.vm.contexts import XDP_LAYOUT, Layout, layout_of
from beebox.vm.memory import PROGRAM, RUN_BATCH, RUN_REPEAT, RUNTIME_FIELDS

WRITERS: Final = frozenset({"skb_ecn_set_ce", "xdp_store_bytes", "tail_call"})
"""Helpers that write into a packet, or let another program, and leave pointers into it valid."""

_PACKET: Final = frozenset(
    {RegKind.PACKET, RegKind.PACKET_META, RegKind.MEM, RegKind.MIXED}
)  # or may be: callers of global functions pass pointers into packets as memory


@dataclass(frozen=True, slots=True)
class HookCode:
    """How a frame becomes a context, and the buffer of one that programs may change.

    ``ir`` defines ``void @symbol(ptr rt, ptr ctx, ptr frame, i64 length, ptr low, ptr high)``: all
    that differs from frame to frame. The buffer ends at ``low`` and ``high``: ``headroom`` bytes
    before the frame, of which the program may use all but ``reserved``, and ``tailroom`` behind
    it, but ``room`` from its start on at least. The buffer's first ``zeroed`` bytes are made 0.
    ``void @finish(ptr rt, ptr ctx)``, where there is one, makes the packet what leaves the hook.
    ``writes``: the preparation changes the frame, so it always works on a copy.
    """

    symbol: str
    ir: str
    headroom: int
    reserved: int
    zeroed: int
    tailroom: int
    room: int
    finish: str = ""
    writes: bool = False


_XDP_PREPARE: Final = """\
declare i64 @llvm.umin.i64(i64, i64)
define internal void @prepare_xdp(ptr %rt, ptr %ctx, ptr %frame, i64 %length, ptr %low, \
ptr %high) alwaysinline nounwind {{
  %linear = call i64 @llvm.umin.i64(i64 %length, i64 {linear})
  %end = getelementptr nuw i8, ptr %frame, i64 %linear
  %frags = sub i64 %length, %linear
  %last = getelementptr i8, ptr %frame, i64 {linear}
  %ctx_data = getelementptr i8, ptr %ctx, i64 {data}
  %ctx_end = getelementptr i8, ptr %ctx, i64 {data_end}
  %ctx_meta = getelementptr i8, ptr %ctx, i64 {data_meta}
  %ctx_low = getelementptr i8, ptr %ctx, i64 {hard_start}
  %ctx_high = getelementptr i8, ptr %ctx, i64 {hard_end}
  %ctx_frags = getelementptr i8, ptr %ctx, i64 {frags_bytes}
  store ptr %frame, ptr %ctx_data, align 8
  store ptr %end, ptr %ctx_end, align 8
  store ptr %frame, ptr %ctx_meta, align 8
  store ptr %low, ptr %ctx_low, align 8
  store ptr %last, ptr %ctx_high, align 8
  store i64 %frags, ptr %ctx_frags, align 8
  ret void
}}
""".format(linear=XDP_LINEAR_BYTES, **{n: at for n, (at, _) in XDP_LAYOUT.fields.items()})

XDP_HOOK: Final = HookCode(
    "prepare_xdp",
    _XDP_PREPARE,
    headroom=XDP_HEADROOM_BYTES,
    reserved=XDP_FRAME_HEADER_BYTES,
    zeroed=XDP_HEADROOM_BYTES,
    tailroom=0,
    room=XDP_LINEAR_BYTES,
)
"""A frame's first page is linear; the rest lies behind it, out of reach of loads and stores."""


def reads_only(verified: VerifiedProgram) -> bool:
    """Whether the program provably never changes a packet's bytes or bounds."""
    disguised = any(
        fact is not None and fact.kind is RegKind.MEM for row in verified.regs for fact in row or ()
    )
    if any(_writes_packets(HELPERS[id_], disguised=disguised) for id_ in verified.helpers):
        return False
    for pc, insn in enumerate(verified.spec.slots):
        facts = verified.regs[pc]
        if facts is None or not isinstance(insn, Store | Atomic):
            continue
        base = facts[insn.dst]
        if base is None or base.kind in _PACKET:
            return False
    return True


def _writes_packets(row: Helper, *, disguised: bool) -> bool:
    """Whether a helper may write into the packet, or through a pointer into it.

    ``disguised``: it may get such pointers without taking them, as memory.
    """
    if row.changes_packet or row.name in WRITERS:
        return True
    return (row.packet_access or disguised) and any(arg.writes for arg in row.args)


def keeps_context(verified: VerifiedProgram) -> bool:
    """Whether a run provably leaves the context's scalar fields as they were."""
    context = verified.spec.type.value.context
    if context is not None and context.name == XDP_LAYOUT.struct:
        return True
    rows = [HELPERS[id_] for id_ in verified.helpers]
    if any(arg.kind is ArgKind.CTX for row in rows for arg in row.args):
        return False
    for pc, insn in enumerate(verified.spec.slots):
        facts = verified.regs[pc]
        if facts is not None and isinstance(insn, Store):
            base = facts[insn.dst]
            if base is None or base.kind is RegKind.CTX:
                return False
    return True


def lower_batch(verified: VerifiedProgram, hook: HookCode = XDP_HOOK) -> str:
    """IR of ``void @run_batch``, the loop over n packets.

    Arguments: ``i64 n, ptr packets, ptr offsets, ptr lengths, ptr verdicts, ptr times_ns, ptr
    context, ptr rt, ptr scratch, ptr out_lengths, ptr out_moves, i64 stride``. ``offsets`` (u64),
    ``lengths`` and ``verdicts`` (u32) and ``times_ns`` (u64, or null: the clock stands) have n
    elements; ``context`` is the private context that each packet starts from. The last four matter
    only where :func:`reads_only` is false: ``scratch`` holds the hook's headroom, the longest
    packet and the tailroom, once for all packets or, where ``stride`` is not 0, for each one;
    ``out_lengths`` (u32 or null) gets each packet's length afterwards, ``out_moves`` (i32 or null)
    how far its first byte moved. Put it in one module with ``vm.jit.lower`` and the hook's ``ir``.
    """
    layout = place(verified)
    names = _names(layout, hook)
    return _BATCH.format(
        prepare=prepare(verified, hook),
        restore="" if keeps_context(verified) else _RESTORE.format(**names),
        report="" if reads_only(verified) else _finish(hook) + _report(layout),
        program=PROGRAM,
        time=RUNTIME_FIELDS["time_ns"][0],
        **names,
    )


def lower_repeat() -> str:
    """IR of ``i64 @run_repeat(i64 n, ptr context, ptr rt)``: n times on the frame as it stands.

    The frame is not restored between runs. The empty assembly keeps LLVM from running a program
    without effects only once. Put it in one module with ``vm.jit.lower``.
    """
    return _REPEAT.format(program=PROGRAM)


def place(verified: VerifiedProgram) -> Layout:
    """The layout of the context that the program is given."""
    return layout_of(verified.spec.type.value.context)


def context_text(verified: VerifiedProgram) -> str:
    """Text of an entry block: ``%ctx``, a context of its own, and ``%ctx_data`` in it."""
    layout = place(verified)
    return _CONTEXT.format(context=layout.size, data=layout.offset("data"))


def prepare(verified: VerifiedProgram, hook: HookCode) -> str:
    """Text that turns ``%packet`` and ``%length`` into ``%data``, ``%low`` and ``%high``.

    A program that changes packets works on a copy in ``%slot``.
    """
    return _IN_PLACE if reads_only(verified) and not hook.writes else _copy(hook)


def _names(layout: Layout, hook: HookCode) -> dict[str, int | str]:
    return {
        "context": layout.size,
        "data": layout.offset("data"),
        "hook": hook.symbol,
    }


_IN_PLACE: Final = """\
  %low = getelementptr i8, ptr %packet, i64 0
  %data = getelementptr i8, ptr %packet, i64 0
  %high = getelementptr i8, ptr %packet, i64 %length"""


def _copy(hook: HookCode) -> str:
    return f"""\
  %low = getelementptr i8, ptr %slot, i64 {hook.reserved}
  call void @llvm.memset.p0.i64(ptr %slot, i8 0, i64 {hook.zeroed}, i1 false)
  %data = getelementptr i8, ptr %slot, i64 {hook.headroom}
  call void @llvm.memcpy.p0.p0.i64(ptr %data, ptr %packet, i64 %length, i1 false)
  %needed = add i64 %length, {hook.tailroom}
  %room = call i64 @llvm.umax.i64(i64 %needed, i64 {hook.room})
  %high = getelementptr i8, ptr %data, i64 %room"""


_RESTORE: Final = """\
  call void @llvm.memcpy.p0.p0.i64(ptr %ctx, ptr %template, i64 {context}, i1 false)
"""


def _finish(hook: HookCode) -> str:
    return f"  call void @{hook.finish}(ptr %rt, ptr %ctx)\n" if hook.finish else ""


def _report(layout: Layout) -> str:
    if "len" in layout.fields:
        length = f"""\
  %ctx_len = getelementptr i8, ptr %ctx, i64 {layout.offset("len")}
  %new_length32 = load i32, ptr %ctx_len, align 4
"""
    else:
        length = f"""\
  %ctx_end = getelementptr i8, ptr %ctx, i64 {layout.offset("data_end")}
  %ctx_frags = getelementptr i8, ptr %ctx, i64 {layout.offset("frags_bytes")}
  %new_end = load ptr, ptr %ctx_end, align 8
  %new_end_i = ptrtoint ptr %new_end to i64
  %frags_left = load i64, ptr %ctx_frags, align 8
  %linear_left = sub i64 %new_end_i, %new_data_i
  %new_length = add i64 %linear_left, %frags_left
  %new_length32 = trunc i64 %new_length to i32
"""
    return _MOVED + length + _REPORT


_MOVED: Final = """\
  %new_data = load ptr, ptr %ctx_data, align 8
  %new_data_i = ptrtoint ptr %new_data to i64
  %data_i = ptrtoint ptr %data to i64
"""

_REPORT: Final = """\
  %move = sub i64 %new_data_i, %data_i
  %move32 = trunc i64 %move to i32
  %no_lengths = icmp eq ptr %out_lengths, null
  %lengths_to = select i1 %no_lengths, ptr %dump, ptr %out_lengths
  %lengths_at = select i1 %no_lengths, i64 0, i64 %i
  %length_out = getelementptr i32, ptr %lengths_to, i64 %lengths_at
  store i32 %new_length32, ptr %length_out, align 4
  %no_moves = icmp eq ptr %out_moves, null
  %moves_to = select i1 %no_moves, ptr %dump, ptr %out_moves
  %moves_at = select i1 %no_moves, i64 0, i64 %i
  %move_out = getelementptr i32, ptr %moves_to, i64 %moves_at
  store i32 %move32, ptr %move_out, align 4
"""

_SET_CONTEXT: Final = """\
  call void @{hook}(ptr %rt, ptr %ctx, ptr %data, i64 %length, ptr %low, ptr %high)"""

_CONTEXT: Final = """\
  %ctx = alloca [{context} x i8], align 8
  %ctx_data = getelementptr i8, ptr %ctx, i64 {data}"""

_PREFETCHED: Final = 16  # packets ahead: a long capture is not in any cache

_BATCH: Final = f"""\
declare i64 @llvm.umin.i64(i64, i64)
declare void @llvm.prefetch.p0(ptr, i32 immarg, i32 immarg, i32 immarg)
declare i64 @llvm.umax.i64(i64, i64)
declare void @llvm.memset.p0.i64(ptr writeonly, i8, i64, i1 immarg)
declare void @llvm.memcpy.p0.p0.i64(ptr noalias writeonly, ptr noalias readonly, i64, i1 immarg)
define void @{RUN_BATCH}(i64 %n, ptr %packets, ptr %offsets, ptr %lengths, ptr noalias %verdicts, \
ptr %times, ptr %template, ptr noalias align 8 %rt, ptr %scratch, ptr %out_lengths, \
ptr %out_moves, i64 %stride) nounwind {{{{
entry:
{_CONTEXT}
  %dump = alloca i32, align 4
  call void @llvm.memcpy.p0.p0.i64(ptr %ctx, ptr %template, i64 {{context}}, i1 false)
  %clock = getelementptr i8, ptr %rt, i64 {{time}}
  %start = load i64, ptr %clock, align 8
  %no_times = icmp eq ptr %times, null
  %times_from = select i1 %no_times, ptr %clock, ptr %times
  %none = icmp eq i64 %n, 0
  %last = sub i64 %n, 1
  br i1 %none, label %done, label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  %time_at = select i1 %no_times, i64 0, i64 %i
  %time_in = getelementptr i64, ptr %times_from, i64 %time_at
  %time = load i64, ptr %time_in, align 8
  store i64 %time, ptr %clock, align 8
  %offset_in = getelementptr i64, ptr %offsets, i64 %i
  %offset = load i64, ptr %offset_in, align 8
  %length_in = getelementptr i32, ptr %lengths, i64 %i
  %length32 = load i32, ptr %length_in, align 4
  %length = zext i32 %length32 to i64
  %packet = getelementptr i8, ptr %packets, i64 %offset
  %ahead_i = add i64 %i, {_PREFETCHED}
  %ahead_at = call i64 @llvm.umin.i64(i64 %ahead_i, i64 %last)
  %ahead_in = getelementptr i64, ptr %offsets, i64 %ahead_at
  %ahead_offset = load i64, ptr %ahead_in, align 8
  %ahead = getelementptr i8, ptr %packets, i64 %ahead_offset
  call void @llvm.prefetch.p0(ptr %ahead, i32 0, i32 3, i32 1)
  %slot_at = mul i64 %i, %stride
  %slot = getelementptr i8, ptr %scratch, i64 %slot_at
{{restore}}\
{{prepare}}
{_SET_CONTEXT}
  %result = call i64 @{{program}}(ptr %ctx, ptr %rt)
  %verdict = trunc i64 %result to i32
  %verdict_out = getelementptr i32, ptr %verdicts, i64 %i
  store i32 %verdict, ptr %verdict_out, align 4
{{report}}\
  %next = add nuw i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}}}}
"""

_REPEAT: Final = f"""\
define i64 @{RUN_REPEAT}(i64 %n, ptr %context, ptr %rt) nounwind {{{{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  call void asm sideeffect "", "~{{{{memory}}}}"()
  %r0 = call i64 @{{program}}(ptr %context, ptr %rt)
  %next = add nuw i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret i64 %r0
}}}}
"""
