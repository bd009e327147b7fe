"""Random walks through the running kernel's structs: Linux's verdict, line and work are ours."""

from __future__ import annotations

from random import Random

import pytest
from struct_programs import StructPrograms

from beebox.linux.kernel import LinuxKernel
from beebox.obj.targets.host import host
from beebox.verifier.options import Options
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux
_PROGRAMS = 400


def test_walks_agree(record_property) -> None:
    """The verdict, the line that says why, and the number of processed instructions."""
    btf = host().btf
    assert btf is not None
    programs, random = StructPrograms(btf), Random(20)
    kernel, options = LinuxKernel(), Options(target=host())
    accepted = 0
    for _ in range(_PROGRAMS):
        spec = programs.program(random)
        ours, theirs = verify(spec, options), kernel.verdict(spec)
        told = f"{render(ours)}\n{theirs.log[-500:]}"
        assert ours.accepted == theirs.accepted, told
        if ours.accepted:
            accepted += 1
            assert ours.insns_processed == theirs.insns_processed, told
        else:
            assert ours.findings[0].kernel_message in theirs.log, told
    record_property("accepted", accepted)
    assert 0.2 * _PROGRAMS < accepted < 0.8 * _PROGRAMS
