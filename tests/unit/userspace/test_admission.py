"""What the userspace kernel refuses of programs that the verifier accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kernel_types import judged, program

from beebox.btf.builder import Builder
from beebox.btf.types import Member
from beebox.errors import NotSupportedError
from beebox.hooks.packet import HOOKED
from beebox.isa.assembler import assemble
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType, Sleeps
from beebox.tables.sections import ProgramFlags
from beebox.userspace.admission import admit
from beebox.verifier.btf_pointers.attach import TYPED
from beebox.verifier.shape.rights import PROGRAM_TYPES
from beebox.verifier.verify import verify


@pytest.mark.parametrize(
    "type_",
    sorted(PROGRAM_TYPES - set(TYPED), key=lambda row: row.value.id),
    ids=lambda row: row.name,
)
def test_only_types_with_a_hook_of_their_own_run(type_: ProgramType):
    row = type_.value
    spec = ProgramSpec(
        "p",
        row.name,
        type_,
        assemble("r0 = 1\nexit"),
        {},
        row.attach_types[0] if row.needs_attach_type else None,
        ProgramFlags.SLEEPABLE if row.sleeps is Sleeps.MUST else ProgramFlags.NONE,
    )
    verified = verify(spec).require_accepted()
    if type_ in HOOKED:
        admit(verified)
        return
    with pytest.raises(NotSupportedError, match=f"{row.name} programs in userspace"):
        admit(verified)


def test_programs_on_the_kernel_s_own_functions_do_not_run():
    """Nor do those on its tracepoints: there are none here."""
    verified = judged(program("r0 = 0\nexit")).require_accepted()
    with pytest.raises(NotSupportedError, match="tracing programs in userspace"):
        admit(verified)


@pytest.mark.parametrize(("name", "size"), [("bpf_spin_lock", 4), ("bpf_timer", 16)])
def test_maps_with_fields_of_the_kernel_are_not_made(name: str, size: int):
    """The verifier accepts the program; here nobody would take the lock."""
    builder = Builder()
    opaque = builder.array(builder.unsigned(4), size // 4)
    field = builder.struct(name, size, (Member("opaque", opaque, 0),))
    value = builder.struct("value", 24, (Member("field", field, 64),))
    typed = MapSpec("typed", MapType.HASH, 4, 24, 4, value_type_id=value)
    code = assemble("r1 = map[typed] ll\nr0 = 1\nexit")
    spec = ProgramSpec("p", "xdp", ProgramType.XDP, code, {"typed": typed}, btf=builder.build())
    with pytest.raises(NotSupportedError, match=f"values with a {name} in userspace"):
        admit(verify(spec).require_accepted())
    admit(verify(replace(spec, btf=None)).require_accepted())


def test_the_types_with_a_hook():
    """A new one must be modelled before it stands here."""
    assert {type_.name for type_ in HOOKED} == {
        "SOCKET_FILTER", "SCHED_CLS", "SCHED_ACT", "XDP", "CGROUP_SKB", "LWT_IN", "LWT_OUT",
        "LWT_XMIT", "LWT_SEG6LOCAL", "FLOW_DISSECTOR",
    }  # fmt: skip
