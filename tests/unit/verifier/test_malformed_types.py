"""Types (BTF) that lead nowhere: a refusal, no exception."""

from __future__ import annotations

import time
from dataclasses import replace

from beebox.btf.builder import Builder
from beebox.btf.types import Btf, Member, Modifier, Ptr, Typedef
from beebox.isa.assembler import assemble
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType
from beebox.verifier.verify import verify

_LOOKUP = """
*(u32 *)(r10 - 4) = 0
r2 = r10
r2 += -4
r1 = map[table] ll
call bpf_map_lookup_elem
r0 = 0
exit
"""


def test_a_pointer_to_a_typedef_of_itself():
    builder = Builder()
    number = builder.unsigned(4)
    looped = builder.add(Typedef("looped", number))
    pointer = builder.add(Ptr(builder.add(Modifier("type_tag", looped, "kptr"))))
    value = builder.struct("value", 8, (Member("kept", pointer, 0),))
    types = list(builder.build().types)
    types[looped - 1] = replace(types[looped - 1], type=looped)
    table = MapSpec("table", MapType.ARRAY, 4, 8, 1, key_type_id=number, value_type_id=value)
    spec = ProgramSpec(
        "case", "tc", ProgramType.SCHED_CLS, tuple(assemble(_LOOKUP)), {"table": table},
        btf=Btf(tuple(types)),
    )  # fmt: skip
    report = verify(spec)
    assert [finding.code for finding in report.findings] == ["not-supported"]


def test_structs_of_two_structs_of_two_structs():
    """Each is looked at once, though there are 2**25 of the innermost one."""
    builder = Builder()
    number = builder.unsigned(4)
    inner = builder.struct("s0", 0, ())
    for depth in range(1, 25):
        inner = builder.struct(f"s{depth}", 0, (Member("a", inner, 0), Member("b", inner, 0)))
    lock = builder.struct("bpf_spin_lock", 4, (Member("val", number, 0),))
    value = builder.struct("value", 8, (Member("many", inner, 0), Member("lock", lock, 32)))
    table = MapSpec("table", MapType.ARRAY, 4, 8, 1, key_type_id=number, value_type_id=value)
    spec = ProgramSpec(
        "case", "tc", ProgramType.SCHED_CLS, tuple(assemble(_LOOKUP)), {"table": table},
        btf=builder.build(),
    )  # fmt: skip
    begin = time.monotonic()
    assert verify(spec).accepted
    assert time.monotonic() - begin < 5
