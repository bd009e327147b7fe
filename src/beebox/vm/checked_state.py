"""What checked code works on, and the functions it asks: the state block, its region table, faults.

``vm.checked`` lowers a program to code that calls these; ``vm.sandbox`` fills the block.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Final

from beebox.tables.limits import MAX_STACK_BYTES

CHECKED: Final = "checked_program"

STATE_BYTES: Final = 96
STATE_FIELDS: Final = MappingProxyType(
    {
        "fuel": 0,  # left, in instructions
        "stack_end": 8,  # the entry frame's R10
        "regions": 16,  # the region table: ``region_count`` rows of REGION_ROW
        "region_count": 24,
        "packet": 32,  # what LD_ABS and LD_IND read
        "packet_bytes": 40,
        "fault": 48,  # a Fault
        "fault_pc": 56,
        "fault_address": 64,
        "fault_size": 72,
    }
)
"""The state block: field -> offset of its 64 bits. A row of the region table is start, end and
whether writes are allowed, 64 bits each."""


class Fault(IntEnum):
    """Why a program ended before its exit."""

    NONE = 0
    READ = 1
    WRITE = 2
    MISALIGNED = 3
    FUEL = 4
    DEPTH = 5


SUPPORT_IR: Final = f"""\
declare i16 @llvm.bswap.i16(i16)
declare i32 @llvm.bswap.i32(i32)
declare i64 @llvm.bswap.i64(i64)
define internal i1 @allowed(ptr %state, i64 %fp, i64 %address, i64 %size, i64 %write) nounwind {{
entry:
  %end_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["stack_end"]}
  %stack_end = load i64, ptr %end_in, align 8
  %stack = sub i64 %fp, {MAX_STACK_BYTES}
  %stack_bytes = sub i64 %stack_end, %stack
  %stack_room = sub i64 %stack_bytes, %size
  %stack_at = sub i64 %address, %stack
  %in_stack = icmp ule i64 %stack_at, %stack_room
  %rows_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["regions"]}
  %rows = load ptr, ptr %rows_in, align 8
  %count_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["region_count"]}
  %count = load i64, ptr %count_in, align 8
  br i1 %in_stack, label %yes, label %next
next:
  %i = phi i64 [ 0, %entry ], [ %after, %row ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %row, label %no
row:
  %start_in = getelementptr [3 x i64], ptr %rows, i64 %i
  %start = load i64, ptr %start_in, align 8
  %last_in = getelementptr i8, ptr %start_in, i64 8
  %last = load i64, ptr %last_in, align 8
  %writable_in = getelementptr i8, ptr %start_in, i64 16
  %writable = load i64, ptr %writable_in, align 8
  %bytes = sub i64 %last, %start
  %enough = icmp uge i64 %bytes, %size
  %room = sub i64 %bytes, %size
  %at = sub i64 %address, %start
  %inside = icmp ule i64 %at, %room
  %may = icmp uge i64 %writable, %write
  %fits = and i1 %enough, %inside
  %good = and i1 %fits, %may
  %after = add i64 %i, 1
  br i1 %good, label %yes, label %next
yes:
  ret i1 true
no:
  ret i1 false
}}
define internal ptr @packet_at(ptr %state, i64 %index, i64 %size) nounwind {{
  %packet_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["packet"]}
  %packet = load ptr, ptr %packet_in, align 8
  %bytes_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["packet_bytes"]}
  %bytes = load i64, ptr %bytes_in, align 8
  %end = add i64 %index, %size
  %negative = icmp slt i64 %index, 0
  %past = icmp sgt i64 %end, %bytes
  %outside = or i1 %negative, %past
  %at = getelementptr i8, ptr %packet, i64 %index
  %found = select i1 %outside, ptr null, ptr %at
  ret ptr %found
}}
define internal i1 @spend(ptr %state, i64 %amount) nounwind {{
  %left_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["fuel"]}
  %left = load i64, ptr %left_in, align 8
  %enough = icmp uge i64 %left, %amount
  %rest = sub i64 %left, %amount
  %kept = select i1 %enough, i64 %rest, i64 0
  store i64 %kept, ptr %left_in, align 8
  ret i1 %enough
}}
define internal i1 @faulted(ptr %state) nounwind {{
  %fault_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["fault"]}
  %fault = load i64, ptr %fault_in, align 8
  %is = icmp ne i64 %fault, 0
  ret i1 %is
}}
define internal void @fault(ptr %state, i64 %kind, i64 %pc, i64 %address, i64 %size) \
noinline cold nounwind {{
  %fault_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["fault"]}
  store i64 %kind, ptr %fault_in, align 8
  %pc_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["fault_pc"]}
  store i64 %pc, ptr %pc_in, align 8
  %address_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["fault_address"]}
  store i64 %address, ptr %address_in, align 8
  %size_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["fault_size"]}
  store i64 %size, ptr %size_in, align 8
  ret void
}}
"""

ENTRY_IR: Final = f"""\
define i64 @{CHECKED}(ptr %state, i64 %r1, i64 %r2, i64 %r3, i64 %r4, i64 %r5) nounwind {{
  %end_in = getelementptr i8, ptr %state, i64 {STATE_FIELDS["stack_end"]}
  %fp = load i64, ptr %end_in, align 8
  %r0 = call i64 @checked_0(ptr %state, i64 %fp, i64 0, \
i64 %r1, i64 %r2, i64 %r3, i64 %r4, i64 %r5)
  ret i64 %r0
}}
"""
