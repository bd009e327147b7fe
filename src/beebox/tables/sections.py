"""SEC() names: which section of an object holds which kind of program, as libbpf reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from beebox.tables.program_types import AttachType, ProgramType


class ProgramFlags(IntFlag):
    """``BPF_F_*`` flags of BPF_PROG_LOAD that a section name asks for."""

    NONE = 0
    XDP_HAS_FRAGS = 1 << 5


@dataclass(frozen=True, slots=True)
class SectionRow:
    name: str
    program_type: ProgramType
    attach_type: AttachType | None = None
    flags: ProgramFlags = ProgramFlags.NONE
    prefix: bool = False  # True: ``name/anything`` matches too


_ROWS: Final = (
    SectionRow(
        "xdp.frags/devmap", ProgramType.XDP, AttachType.XDP_DEVMAP, ProgramFlags.XDP_HAS_FRAGS
    ),
    SectionRow("xdp/devmap", ProgramType.XDP, AttachType.XDP_DEVMAP),
    SectionRow(
        "xdp.frags/cpumap", ProgramType.XDP, AttachType.XDP_CPUMAP, ProgramFlags.XDP_HAS_FRAGS
    ),
    SectionRow("xdp/cpumap", ProgramType.XDP, AttachType.XDP_CPUMAP),
    SectionRow("xdp.frags", ProgramType.XDP, AttachType.XDP, ProgramFlags.XDP_HAS_FRAGS),
    SectionRow("xdp", ProgramType.XDP, AttachType.XDP, prefix=True),
    SectionRow("socket", ProgramType.SOCKET_FILTER, prefix=True),
    SectionRow("tcx/ingress", ProgramType.SCHED_CLS, AttachType.TCX_INGRESS),
    SectionRow("tcx/egress", ProgramType.SCHED_CLS, AttachType.TCX_EGRESS),
    SectionRow("tc", ProgramType.SCHED_CLS, prefix=True),
    SectionRow("classifier", ProgramType.SCHED_CLS, prefix=True),
    SectionRow("action", ProgramType.SCHED_ACT, prefix=True),
    SectionRow("lwt_in", ProgramType.LWT_IN, prefix=True),
    SectionRow("lwt_out", ProgramType.LWT_OUT, prefix=True),
    SectionRow("lwt_xmit", ProgramType.LWT_XMIT, prefix=True),
    SectionRow("lwt_seg6local", ProgramType.LWT_SEG6LOCAL, prefix=True),
    SectionRow("cgroup_skb/ingress", ProgramType.CGROUP_SKB, AttachType.CGROUP_INET_INGRESS),
    SectionRow("cgroup_skb/egress", ProgramType.CGROUP_SKB, AttachType.CGROUP_INET_EGRESS),
    SectionRow("cgroup/skb", ProgramType.CGROUP_SKB),
    SectionRow("flow_dissector", ProgramType.FLOW_DISSECTOR, AttachType.FLOW_DISSECTOR),
)


def section_row(section: str) -> SectionRow | None:
    """The row for a section name, or None when no program type claims it.

    A leading ``?`` (libbpf: do not load by default) is not part of the name.
    """
    name = section.removeprefix("?")
    for row in _ROWS:
        if name == row.name or (row.prefix and name.startswith(row.name + "/")):
            return row
    return None
