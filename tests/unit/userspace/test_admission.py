"""What the userspace kernel refuses of programs that the verifier accepts."""

from __future__ import annotations

import pytest
from kernel_types import judged, program

from beebox.errors import NotSupportedError
from beebox.hooks.packet import HOOKED
from beebox.isa.assembler import assemble
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import ProgramType, Sleeps
from beebox.tables.sections import ProgramFlags
from beebox.userspace.admission import admit
from beebox.verifier.btf_pointers.attach import TYPED
from beebox.verifier.rights import PROGRAM_TYPES
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


def test_the_types_with_a_hook():
    """A new one must be modelled before it stands here."""
    assert {type_.name for type_ in HOOKED} == {
        "SOCKET_FILTER", "SCHED_CLS", "SCHED_ACT", "XDP", "CGROUP_SKB", "LWT_IN", "LWT_OUT",
        "LWT_XMIT", "LWT_SEG6LOCAL", "FLOW_DISSECTOR",
    }  # fmt: skip
