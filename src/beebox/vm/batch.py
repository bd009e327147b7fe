"""Native ways into a program: a loop over a whole capture, and one call per packet from Python.

A program that cannot change packets runs on the capture's own bytes; any other gets each packet as
a fresh copy behind zeroed headroom, so the capture is never modified. The runtime block's clock is
set per packet from ``times_ns``, where given.
"""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import Atomic, Store
from beebox.tables.helpers import HELPERS
from beebox.tables.limits import XDP_FRAME_HEADER_BYTES, XDP_HEADROOM_BYTES, XDP_LINEAR_BYTES
from beebox.verifier.result import RegKind, VerifiedProgram
from beebox.vm.memory import (
    CONTEXT_BYTES,
    CONTEXT_FIELDS,
    PROGRAM,
    RUN_BATCH,
    RUN_REPEAT,
    RUNTIME_FIELDS,
)

FAST_CALL: Final = "fast_call"
FAST_RUNTIME: Final = "fast_runtime"  # an import of the fast call: the runtime block's address
MAX_FAST_BYTES: Final = 65_535  # of a packet that the fast call copies

_PACKET: Final = frozenset({RegKind.PACKET, RegKind.PACKET_META})


def reads_only(verified: VerifiedProgram) -> bool:
    """Whether the program provably never changes a packet's bytes or bounds."""
    rows = [HELPERS[id_] for id_ in verified.helpers]
    if any(row.changes_packet or any(arg.writes for arg in row.args) for row in rows):
        return False
    for pc, insn in enumerate(verified.spec.slots):
        facts = verified.regs[pc]
        if facts is None or not isinstance(insn, Store | Atomic):
            continue
        base = facts[insn.dst]
        if base is None or base.kind in _PACKET:
            return False
    return True


def lower_batch(verified: VerifiedProgram) -> str:
    """IR of ``void @run_batch``, the loop over n packets.

    Arguments: ``i64 n, ptr packets, ptr offsets, ptr lengths, ptr verdicts, ptr times_ns, ptr
    context, ptr rt, ptr scratch, ptr out_lengths, ptr out_moves``. ``offsets`` (u64), ``lengths``
    and ``verdicts`` (u32) and ``times_ns`` (u64, or null: the clock stands) have n elements;
    ``context`` is the private context to start from. The last three matter only where
    :func:`reads_only` is false: ``scratch`` holds headroom and the longest packet, a page at
    least; ``out_lengths`` (u32 or null) gets each packet's length afterwards, ``out_moves`` (i32
    or null) how far its first byte moved. Put it in one module with ``vm.jit.lower``.
    """
    return _BATCH.format(
        prepare=_IN_PLACE if reads_only(verified) else _COPY,
        report="" if reads_only(verified) else _REPORT,
        program=PROGRAM,
        time=RUNTIME_FIELDS["time_ns"][0],
        **_OFFSETS,
    )


def lower_repeat() -> str:
    """IR of ``i64 @run_repeat(i64 n, ptr context, ptr rt)``: n times on the frame as it stands.

    The frame is not restored between runs. The empty assembly keeps LLVM from running a program
    without effects only once. Put it in one module with ``vm.jit.lower``.
    """
    return _REPEAT.format(program=PROGRAM)


def lower_fast_call(verified: VerifiedProgram) -> str:
    """IR of a C method ``ptr @fast_call(ptr self, ptr packet)``: bytes -> verdict.

    Raises TypeError in Python for anything but bytes, ValueError for a packet that is too long to
    copy. Open symbols: ``fast_runtime`` and CPython's. Not for two threads at a time where the
    runtime block is shared.
    """
    copies = not reads_only(verified)
    return _FAST.format(
        limit=MAX_FAST_BYTES if copies else (1 << 31) - 1,
        globals=_FAST_SCRATCH if copies else "",
        prepare=(_COPY if copies else _IN_PLACE).replace("%scratch", "@fast_scratch"),
        program=PROGRAM,
        **_OFFSETS,
    )


_OFFSETS: Final = {
    "context": CONTEXT_BYTES,
    "end": CONTEXT_FIELDS["data_end"][0],
    "meta": CONTEXT_FIELDS["data_meta"][0],
    "hard_start": CONTEXT_FIELDS["hard_start"][0],
    "hard_end": CONTEXT_FIELDS["hard_end"][0],
}

_IN_PLACE: Final = """\
  %data = getelementptr i8, ptr %packet, i64 0
  %low = getelementptr i8, ptr %packet, i64 0
  %data_end = getelementptr nuw i8, ptr %data, i64 %length
  %high = getelementptr i8, ptr %data_end, i64 0"""

_COPY: Final = f"""\
  %low = getelementptr i8, ptr %scratch, i64 {XDP_FRAME_HEADER_BYTES}
  call void @llvm.memset.p0.i64(ptr %scratch, i8 0, i64 {XDP_HEADROOM_BYTES}, i1 false)
  %data = getelementptr i8, ptr %scratch, i64 {XDP_HEADROOM_BYTES}
  call void @llvm.memcpy.p0.p0.i64(ptr %data, ptr %packet, i64 %length, i1 false)
  %data_end = getelementptr nuw i8, ptr %data, i64 %length
  %room = call i64 @llvm.umax.i64(i64 %length, i64 {XDP_LINEAR_BYTES})
  %high = getelementptr i8, ptr %data, i64 %room"""

_REPORT: Final = """\
  %new_data = load ptr, ptr %ctx, align 8
  %new_end = load ptr, ptr %ctx_end, align 8
  %new_data_i = ptrtoint ptr %new_data to i64
  %new_end_i = ptrtoint ptr %new_end to i64
  %data_i = ptrtoint ptr %data to i64
  %new_length = sub i64 %new_end_i, %new_data_i
  %move = sub i64 %new_data_i, %data_i
  %new_length32 = trunc i64 %new_length to i32
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
  store ptr %data, ptr %ctx, align 8
  store ptr %data_end, ptr %ctx_end, align 8
  store ptr %data, ptr %ctx_meta, align 8
  store ptr %low, ptr %ctx_low, align 8
  store ptr %high, ptr %ctx_high, align 8"""

_CONTEXT: Final = """\
  %ctx = alloca [{context} x i8], align 8
  %ctx_end = getelementptr i8, ptr %ctx, i64 {end}
  %ctx_meta = getelementptr i8, ptr %ctx, i64 {meta}
  %ctx_low = getelementptr i8, ptr %ctx, i64 {hard_start}
  %ctx_high = getelementptr i8, ptr %ctx, i64 {hard_end}"""

_BATCH: Final = f"""\
declare i64 @llvm.umax.i64(i64, i64)
declare void @llvm.memset.p0.i64(ptr writeonly, i8, i64, i1 immarg)
declare void @llvm.memcpy.p0.p0.i64(ptr noalias writeonly, ptr noalias readonly, i64, i1 immarg)
define void @{RUN_BATCH}(i64 %n, ptr %packets, ptr %offsets, ptr %lengths, ptr noalias %verdicts, \
ptr %times, ptr %template, ptr noalias align 8 %rt, ptr %scratch, ptr %out_lengths, \
ptr %out_moves) nounwind {{{{
entry:
{_CONTEXT}
  %dump = alloca i32, align 4
  call void @llvm.memcpy.p0.p0.i64(ptr %ctx, ptr %template, i64 {{context}}, i1 false)
  %clock = getelementptr i8, ptr %rt, i64 {{time}}
  %start = load i64, ptr %clock, align 8
  %no_times = icmp eq ptr %times, null
  %times_from = select i1 %no_times, ptr %clock, ptr %times
  %none = icmp eq i64 %n, 0
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

_FAST_SCRATCH: Final = (
    f"@fast_scratch = internal global "
    f"[{XDP_HEADROOM_BYTES + MAX_FAST_BYTES} x i8] zeroinitializer, align 64"
)

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

_FAST: Final = f"""\
declare i64 @llvm.umax.i64(i64, i64)
declare void @llvm.memset.p0.i64(ptr writeonly, i8, i64, i1 immarg)
declare void @llvm.memcpy.p0.p0.i64(ptr noalias writeonly, ptr noalias readonly, i64, i1 immarg)
declare i32 @PyBytes_AsStringAndSize(ptr, ptr, ptr)
declare ptr @PyLong_FromUnsignedLong(i64)
declare void @PyErr_SetString(ptr, ptr)
@PyExc_ValueError = external global ptr
@{FAST_RUNTIME} = external global i8
@fast_too_long = private constant [17 x i8] c"packet too long.\\00"
{{globals}}
define ptr @{FAST_CALL}(ptr %self, ptr %argument) nounwind {{{{
entry:
{_CONTEXT}
  %address = alloca ptr, align 8
  %size = alloca i64, align 8
  call void @llvm.memset.p0.i64(ptr %ctx, i8 0, i64 {{context}}, i1 false)
  %status = call i32 @PyBytes_AsStringAndSize(ptr %argument, ptr %address, ptr %size)
  %bad = icmp ne i32 %status, 0
  br i1 %bad, label %raised, label %sized
sized:
  %packet = load ptr, ptr %address, align 8
  %length = load i64, ptr %size, align 8
  %fits = icmp ule i64 %length, {{limit}}
  br i1 %fits, label %run, label %long
run:
{{prepare}}
{_SET_CONTEXT}
  %result = call i64 @{{program}}(ptr %ctx, ptr @{FAST_RUNTIME})
  %verdict = and i64 %result, 4294967295
  %number = call ptr @PyLong_FromUnsignedLong(i64 %verdict)
  ret ptr %number
long:
  %kind = load ptr, ptr @PyExc_ValueError, align 8
  call void @PyErr_SetString(ptr %kind, ptr @fast_too_long)
  br label %raised
raised:
  ret ptr null
}}}}
"""
