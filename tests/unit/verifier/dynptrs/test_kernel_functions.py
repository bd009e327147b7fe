"""Dynptrs of kernel functions, against a kernel of a few: each rule kept and broken.

``tests/linux/test_verifier_dynptrs.py`` and ``tests/data/c/verdicts`` ask Linux the same.
"""

from __future__ import annotations

import pytest
from verifier_dynptrs import MAPS

from beebox.btf.builder import Builder
from beebox.btf.types import Btf, Func, FuncProto, Int, Member, Param, Ptr, Struct
from beebox.isa.assembler import assemble
from beebox.obj.model import ExternKind, ExternSpec, KernelSymbol, ProgramSpec
from beebox.obj.targets.target import target_of_btf
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.options import Options
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify

_PROTOTYPES = {
    "bpf_dynptr_from_skb": ("int", "__sk_buff * s", "u64 flags", "bpf_dynptr * ptr__uninit"),
    "bpf_dynptr_clone": ("int", "bpf_dynptr * p", "bpf_dynptr * clone__uninit"),
    "bpf_dynptr_slice": (
        "void *", "bpf_dynptr * p", "u64 offset", "void * buffer__opt", "u64 buffer__szk",
    ),
    "bpf_dynptr_slice_rdwr": (
        "void *", "bpf_dynptr * p", "u64 offset", "void * buffer__opt", "u64 buffer__szk",
    ),
    "bpf_dynptr_copy": (
        "int", "bpf_dynptr * dst_ptr", "u64 dst_off", "bpf_dynptr * src_ptr", "u64 src_off",
        "u64 size",
    ),
}  # fmt: skip


def _kernel() -> Btf:
    builder = Builder()
    number = builder.signed_int()
    names = {"int": number, "u64": builder.add(Int("unsigned long", 8, 64)), "void": 0}
    for name, size in (("__sk_buff", 192), ("bpf_dynptr", 16)):
        names[name] = builder.add(Struct(name, size, (Member("first", number, 0),)))
    for name in ("void", "__sk_buff", "bpf_dynptr"):
        names[name + " *"] = builder.add(Ptr(names[name]))
    for name, (result, *params) in _PROTOTYPES.items():
        rows = tuple(
            Param(param.rpartition(" ")[2], names[param.rpartition(" ")[0]]) for param in params
        )
        builder.add(Func(name, builder.add(FuncProto(names[result], rows))))
    return builder.build()


KERNEL = _kernel()
OF_PACKET = "r1 = r6\nr2 = 0\nr3 = r10\nr3 += -16\ncall kfunc[bpf_dynptr_from_skb]\n"
OF_MEMORY = (
    "r1 = global[.data] ll\nr2 = 64\nr3 = 0\nr4 = r10\nr4 += -32\ncall bpf_dynptr_from_mem\n"
)
RECORD = "r1 = map[ring] ll\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -16\ncall bpf_ringbuf_reserve_dynptr\n"
CLONE = "r1 = r10\nr1 += -16\nr2 = r10\nr2 += -48\ncall kfunc[bpf_dynptr_clone]\n"
OVERWRITE = "*(u64 *)(r10 - 32) = 0\n"


def sliced(at: int = -16, how: str = "bpf_dynptr_slice", size: str = "8") -> str:
    """R7 is the slice where there is one, or the program ends."""
    return (
        f"r1 = r10\nr1 += {at}\nr2 = 0\nr3 = 0\nr4 = {size}\ncall kfunc[{how}]\n"
        "if r0 == 0 goto out\nr7 = r0\n"
    )


def written(at: int) -> str:
    """8 bytes through the dynptr."""
    return (
        f"*(u64 *)(r10 - 64) = 0\nr1 = r10\nr1 += {at}\nr2 = 0\nr3 = r10\nr3 += -64\nr4 = 8\n"
        "r5 = 0\ncall bpf_dynptr_write\n"
    )


def copied(to: int, from_: int) -> str:
    """8 bytes from one dynptr to another."""
    return (
        f"r1 = r10\nr1 += {to}\nr2 = 0\nr3 = r10\nr3 += {from_}\nr4 = 0\nr5 = 8\n"
        "call kfunc[bpf_dynptr_copy]\n"
    )


def submitted(at: int) -> str:
    """A record through its dynptr."""
    return f"r1 = r10\nr1 += {at}\nr2 = 0\ncall bpf_ringbuf_submit_dynptr\n"


WRITABLE = "bpf_dynptr_slice_rdwr"
LOAD, STORE, BOTH = "r0 = *(u64 *)(r7 + 0)\n", "*(u8 *)(r7 + 0) = 1\n", OF_PACKET + OF_MEMORY
CASES = {
    "a slice read": ("accepted", OF_PACKET + sliced() + LOAD),
    "a slice read beyond its end": ("memory-bounds", OF_PACKET + sliced(size="7") + LOAD),
    "a slice of unknown size": ("argument-type", OF_PACKET + sliced(size="*(u32 *)(r6 + 0)")),
    "a slice written": ("read-only", OF_PACKET + sliced() + STORE),
    "a writable slice written": ("accepted", OF_PACKET + sliced(how=WRITABLE) + STORE),
    "a slice of nothing": ("dynptr", sliced()),
    "a slice after the packet was written": (
        "not-a-pointer", OF_PACKET + sliced() + written(-16) + LOAD
    ),
    "a slice after memory was written": ("accepted", BOTH + sliced() + written(-32) + LOAD),
    "a slice after the packet was copied into": (
        "not-a-pointer", BOTH + sliced() + copied(-16, -32) + LOAD
    ),
    "a slice after the packet was copied from": (
        "accepted", BOTH + sliced() + copied(-32, -16) + LOAD
    ),
    "a slice of memory whose dynptr is gone": (
        "accepted", OF_MEMORY + sliced(-32) + OVERWRITE + LOAD
    ),
    "a record, submitted through its clone": ("accepted", RECORD + CLONE + submitted(-48)),
    "a record, submitted through both": (
        "reference-missing", RECORD + CLONE + submitted(-48) + submitted(-16)
    ),
    "a record and its clone, forgotten": ("reference-leak", RECORD + CLONE),
    "a clone of nothing": ("dynptr", CLONE),
    "a clone of a number": (
        "argument-type", "r1 = 1\nr2 = r10\nr2 += -48\ncall kfunc[bpf_dynptr_clone]\n"
    ),
    "made by a kernel function of memory": (
        "argument-type",
        "r1 = r6\nr2 = 0\nr3 = global[.data] ll\ncall kfunc[bpf_dynptr_from_skb]\n",
    ),
}  # fmt: skip


def program(
    text: str,
    type_: ProgramType = ProgramType.SCHED_CLS,
    section: str = "tc",
    attach: AttachType | None = None,
) -> ProgramSpec:
    """The statements, with the context in R6."""
    externs = {
        name: ExternSpec(
            name, ExternKind.FUNCTION, resolved=KernelSymbol(KERNEL.kinded(name, Func)[0])
        )
        for name in _PROTOTYPES
    }
    insns = assemble(f"r6 = r1\n{text}out:\nr0 = 0\nexit")
    return ProgramSpec("case", section, type_, insns, MAPS, attach, license="GPL", externs=externs)


@pytest.mark.parametrize("name", CASES)
def test_verdict(name):
    expected, text = CASES[name]
    report = verify(program(text), Options(target=target_of_btf(KERNEL)))
    found = "accepted" if report.accepted else report.findings[0].code
    assert found == expected, render(report)


def test_programs_that_only_read_packets():
    text = OF_PACKET + sliced(how=WRITABLE)
    kind = (ProgramType.CGROUP_SKB, "cgroup_skb/egress", AttachType.CGROUP_INET_EGRESS)
    report = verify(program(text, *kind), Options(target=target_of_btf(KERNEL)))
    assert [finding.code for finding in report.findings] == ["packet-access"]
    report = verify(program(OF_PACKET + sliced(), *kind), Options(target=target_of_btf(KERNEL)))
    assert report.accepted, render(report)
