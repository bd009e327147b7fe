"""Classic packet loads of skb programs: where LD_ABS and LD_IND find their bytes.

As in Linux 6.18 (``bpf_skb_load_helper_*``): an offset from 0 on counts from the packet's first
byte; from ``SKF_NET_OFF`` on from the network header, from ``SKF_LL_OFF`` on from the Ethernet
header, where there are any. All must end inside the packet; what does not ends the function with 0.
"""

from __future__ import annotations

from typing import Any, Final

from beebox.isa.instruction import LoadPacket, Reg
from beebox.tables.opcodes import Mode
from beebox.vm.body import Body
from beebox.vm.contexts import SKB_LAYOUT

SKF_NET_OFF: Final = -0x100000
SKF_LL_OFF: Final = -0x200000

PACKET_LOAD: Final = "packet_load_at"


def address(context: Any, offset: int, size: int) -> int | None:
    """Where ``size`` bytes at ``offset`` are, by an skb context; None outside the packet."""
    if offset >= 0:
        base = int(context.data)
    elif offset >= SKF_NET_OFF:
        base, offset = int(context.network_header), offset - SKF_NET_OFF
    elif offset >= SKF_LL_OFF:
        base, offset = int(context.mac_header), offset - SKF_LL_OFF
    else:
        return None
    inside = base != 0 and base + offset + size <= context.data + context.len
    return base + offset if inside else None


def lower_packet_load(body: Body, pc: int, insn: LoadPacket, result: str) -> None:
    """R0 from the packet of the context in R6; ``result`` is the type that the function returns."""
    bits = insn.size.value.bytes * 8
    offset = str(insn.offset)
    if insn.mode is Mode.IND:
        low = body.value(f"trunc i64 {body.integer(pc, insn.src)} to i32")
        offset = body.value(f"add i32 {low}, {insn.offset}")
    args = f"ptr {body.pointer(pc, Reg.R6)}, i32 {offset}, i64 {bits // 8}"
    found = body.value(f"call ptr @{PACKET_LOAD}({args})")
    outside = body.value(f"icmp eq ptr {found}, null")
    body.line(f"br i1 {outside}, label %packet{pc}.outside, label %packet{pc}.inside")
    body.lines.append(f"packet{pc}.outside:")
    body.line(f"ret {result} {'null' if result == 'ptr' else 0}")
    body.lines.append(f"packet{pc}.inside:")
    value = body.value(f"load i{bits}, ptr {found}, align 1")
    if bits > 8:
        value = body.value(f"call i{bits} @llvm.bswap.i{bits}(i{bits} {value})")
    body.set_integer(Reg.R0, body.value(f"zext i{bits} {value} to i64"))


_FIELDS: Final = {
    name: SKB_LAYOUT.offset(name) for name in ("data", "len", "network_header", "mac_header")
}

PACKET_LOAD_IR: Final = f"""\
define internal ptr @{PACKET_LOAD}(ptr %ctx, i32 %offset, i64 %size) nounwind {{
entry:
  %wide = sext i32 %offset to i64
  %data_in = getelementptr i8, ptr %ctx, i64 {_FIELDS["data"]}
  %data = load ptr, ptr %data_in, align 8
  %len_in = getelementptr i8, ptr %ctx, i64 {_FIELDS["len"]}
  %len = load i32, ptr %len_in, align 4
  %length = zext i32 %len to i64
  %end = getelementptr i8, ptr %data, i64 %length
  %plain = icmp sge i32 %offset, 0
  br i1 %plain, label %check, label %negative
negative:
  %of_network = icmp sge i32 %offset, {SKF_NET_OFF}
  %network_in = getelementptr i8, ptr %ctx, i64 {_FIELDS["network_header"]}
  %network = load ptr, ptr %network_in, align 8
  %of_network_by = sub i64 %wide, {SKF_NET_OFF}
  br i1 %of_network, label %check, label %link
link:
  %of_link = icmp sge i32 %offset, {SKF_LL_OFF}
  %mac_in = getelementptr i8, ptr %ctx, i64 {_FIELDS["mac_header"]}
  %mac = load ptr, ptr %mac_in, align 8
  %of_link_by = sub i64 %wide, {SKF_LL_OFF}
  br i1 %of_link, label %check, label %outside
check:
  %base = phi ptr [ %data, %entry ], [ %network, %negative ], [ %mac, %link ]
  %by = phi i64 [ %wide, %entry ], [ %of_network_by, %negative ], [ %of_link_by, %link ]
  %start = getelementptr i8, ptr %base, i64 %by
  %last = getelementptr i8, ptr %start, i64 %size
  %known = icmp ne ptr %base, null
  %below = icmp ule ptr %last, %end
  %fits = and i1 %known, %below
  br i1 %fits, label %inside, label %outside
inside:
  ret ptr %start
outside:
  ret ptr null
}}
"""
