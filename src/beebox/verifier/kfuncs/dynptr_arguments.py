"""Dynptrs that kernel functions take and make, and the slices that they give."""

from __future__ import annotations

from typing import Final

from beebox.tables.program_types import PacketAccess, ProgramType
from beebox.verifier.dynptrs import helpers, slots
from beebox.verifier.dynptrs.slots import DynptrType
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs.invocation import Argument, KfuncCall
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PtrFlag, Reg

_MAKES: Final = {
    "bpf_dynptr_from_skb": DynptrType.SKB,
    "bpf_dynptr_from_xdp": DynptrType.XDP,
    "bpf_dynptr_from_skb_meta": DynptrType.SKB_META,
}
_WRITES_OPTIONS: Final = (ProgramType.CGROUP_SOCKOPT,)
"""Linux counts the buffer of a socket's option for a packet that may be written."""


def check(arg: Argument) -> None:
    """A dynptr: an initialised one, or with ``__uninit`` stack where one can be made."""
    call, value = arg.call, arg.value
    helpers.require_dynptr(call.path, arg.number, value)
    if not arg.param.marked("__uninit"):
        call.dynptr = slots.found(call.path, value, arg.number)
        if arg.number == 1 and call.name in helpers.WRITES:
            call.moves_packet = slots.type_of(call.dynptr).moves
        return
    type_, ref = _MAKES.get(call.name), 0
    if call.name == "bpf_dynptr_clone" and call.dynptr is not None:
        type_, ref = slots.type_of(call.dynptr), call.dynptr.ref
    if type_ is None:
        raise Refusal("not-supported", call.path.pc, f"the kind of dynptr that {call.name} makes")
    helpers.initialise(call.path, arg.number, value, type_, ref)


def slice_(call: KfuncCall) -> Reg:
    """What ``bpf_dynptr_slice`` and ``bpf_dynptr_slice_rdwr`` give, before RET_NULL."""
    path, dynptr = call.path, call.dynptr
    if dynptr is None or call.constant is None:
        raise LookupError(f"{call.name} without a dynptr or without a size")
    flags = slots.type_of(dynptr).slices
    if call.name == "bpf_dynptr_slice":
        flags |= PtrFlag.RDONLY
    elif not _writes_packets(path):
        raise Refusal(
            "packet-access", path.pc,
            f"{path.spec.type.value.name} programs may not write into packets",
            kernel="the prog does not allow writes to packet data",
            hint="bpf_dynptr_slice gives memory that is only read",
        )  # fmt: skip
    return path.pointer(RegKind.MEM, range_=call.constant, frame=dynptr.id, flags=flags)


def _writes_packets(path: Path) -> bool:
    type_ = path.spec.type
    return type_.value.packet is PacketAccess.WRITE or type_ in _WRITES_OPTIONS
