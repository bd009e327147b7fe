"""One packet from Python: a C function that runs the program while it holds the GIL.

It has CPython's vectorcall protocol, so a call costs neither a tuple nor a frame. The quick way is
for bytes of a usual length while the program's CPU is free; everything else, refusals included, is
handed to a Python function.
"""

from __future__ import annotations

from typing import Final

from beebox.tables.helpers import HELPER_BY_NAME
from beebox.verifier.result import VerifiedProgram
from beebox.vm.batch import HookCode, context_text, place, prepare
from beebox.vm.memory import FAST_CALL, PROGRAM, RUNTIME_FIELDS

FAST_RUNTIME: Final = "fast_runtime"  # imports: the runtime block's address,
FAST_CONTEXT: Final = "fast_context"  # that of the private context to start from,
FAST_SCRATCH: Final = "fast_scratch"  # that of a buffer for the hook's longest frame,
FAST_BUSY: Final = "fast_busy"  # that of a u32, 0 while the runtime block is free,
FAST_SLOW: Final = "fast_slow"  # and that of the Python function for everything else

_CLOCKS: Final = frozenset(
    HELPER_BY_NAME[name].id
    for name in (
        *("ktime_get_ns", "ktime_get_boot_ns", "ktime_get_coarse_ns", "ktime_get_tai_ns"),
        *("jiffies64", "trace_printk"),
        "tail_call",  # whatever follows may ask for the time
    )
)
_CLOCK_MONOTONIC: Final = 1


def lower_fast_call(
    verified: VerifiedProgram, hook: HookCode, *, min_bytes: int, max_bytes: int
) -> str:
    """IR of ``ptr @fast_call(ptr self, ptr args, i64 nargsf, ptr kwnames)``: bytes -> verdict.

    A program that asks for the time gets the machine's monotonic clock. Open symbols: the five
    imports and CPython's; one module with ``vm.jit.lower`` and the hook's ``ir``.
    """
    return _FAST.format(
        least=min_bytes,
        span=max_bytes - min_bytes,
        clock=_CLOCK if verified.helpers & _CLOCKS else "",
        context=context_text(verified),
        context_bytes=place(verified).size,
        prepare=prepare(verified, hook).replace("%slot", f"@{FAST_SCRATCH}"),
        hook=hook.symbol,
        program=PROGRAM,
    )


_CLOCK: Final = f"""\
  %clock_status = call i32 @clock_gettime(i32 {_CLOCK_MONOTONIC}, ptr %timespec)
  %seconds = load i64, ptr %timespec, align 8
  %rest_in = getelementptr i8, ptr %timespec, i64 8
  %rest = load i64, ptr %rest_in, align 8
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %rest
  %now_out = getelementptr i8, ptr @{FAST_RUNTIME}, i64 {RUNTIME_FIELDS["time_ns"][0]}
  store i64 %now, ptr %now_out, align 8
"""

_FAST: Final = f"""\
declare i64 @llvm.umax.i64(i64, i64)
declare void @llvm.memset.p0.i64(ptr writeonly, i8, i64, i1 immarg)
declare void @llvm.memcpy.p0.p0.i64(ptr noalias writeonly, ptr noalias readonly, i64, i1 immarg)
declare i32 @clock_gettime(i32, ptr)
declare i32 @PyBytes_AsStringAndSize(ptr, ptr, ptr)
declare ptr @PyLong_FromUnsignedLong(i64)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare void @PyErr_SetString(ptr, ptr)
declare void @PyErr_Clear()
@PyExc_TypeError = external global ptr
@{FAST_RUNTIME} = external global i8
@{FAST_CONTEXT} = external global i8
@{FAST_SCRATCH} = external global i8
@{FAST_BUSY} = external global i32
@{FAST_SLOW} = external global i8
@fast_wrong = private constant [27 x i8] c"a program takes one packet\\00"
define ptr @{FAST_CALL}(ptr %self, ptr %args, i64 %nargsf, ptr %keywords) nounwind {{{{
entry:
{{context}}
  %address = alloca ptr, align 8
  %size = alloca i64, align 8
  %timespec = alloca [2 x i64], align 8
  %pair = alloca [2 x ptr], align 8
  %nargs = and i64 %nargsf, 9223372036854775807
  %one = icmp eq i64 %nargs, 1
  %plain = icmp eq ptr %keywords, null
  %good = and i1 %one, %plain
  br i1 %good, label %called, label %wrong
called:
  %argument = load ptr, ptr %args, align 8
  %busy = load volatile i32, ptr @{FAST_BUSY}, align 4
  %free = icmp eq i32 %busy, 0
  br i1 %free, label %quick, label %slow
quick:
  %status = call i32 @PyBytes_AsStringAndSize(ptr %argument, ptr %address, ptr %size)
  %is_bytes = icmp eq i32 %status, 0
  br i1 %is_bytes, label %sized, label %other
other:
  call void @PyErr_Clear()
  br label %slow
sized:
  %packet = load ptr, ptr %address, align 8
  %length = load i64, ptr %size, align 8
  %above = sub i64 %length, {{least}}
  %fits = icmp ule i64 %above, {{span}}
  br i1 %fits, label %run, label %slow
run:
{{clock}}\
  call void @llvm.memcpy.p0.p0.i64(ptr %ctx, ptr @{FAST_CONTEXT}, i64 {{context_bytes}}, i1 false)
{{prepare}}
  call void @{{hook}}(ptr @{FAST_RUNTIME}, ptr %ctx, ptr %data, i64 %length, ptr %low, ptr %high)
  %result = call i64 @{{program}}(ptr %ctx, ptr @{FAST_RUNTIME})
  %verdict = and i64 %result, 4294967295
  %number = call ptr @PyLong_FromUnsignedLong(i64 %verdict)
  ret ptr %number
slow:
  store ptr %self, ptr %pair, align 8
  %second = getelementptr ptr, ptr %pair, i64 1
  store ptr %argument, ptr %second, align 8
  %answer = call ptr @PyObject_Vectorcall(ptr @{FAST_SLOW}, ptr %pair, i64 2, ptr null)
  ret ptr %answer
wrong:
  %kind = load ptr, ptr @PyExc_TypeError, align 8
  call void @PyErr_SetString(ptr %kind, ptr @fast_wrong)
  ret ptr null
}}}}
"""
