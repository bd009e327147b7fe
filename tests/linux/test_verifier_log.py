"""``verify -v`` against Linux's own log, at level 2, line by line."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

import pytest
from verifier_log import comparable, same_lines

from beebox.api import resolved
from beebox.clang.run import compile_c
from beebox.linux.kernel import LinuxKernel
from beebox.obj import reader
from beebox.obj.linker import link
from beebox.obj.targets.host import host
from beebox.verifier.options import Options
from beebox.verifier.reports.log import Log
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux
DATA: Final = Path(__file__).parents[1] / "data/c"
NAMES: Final = (
    *("corpus/atomics", "corpus/branches", "corpus/cgroup_skb", "corpus/core_fields"),
    *("corpus/flow_dissector", "corpus/load_balancer", "corpus/map_hashes", "corpus/map_of_maps"),
    *("corpus/map_ringbuf", "corpus/perf_event", "corpus/sk_select", "corpus/tail_calls"),
    *("verdicts/packet_bounds", "verdicts/explained_ranges", "verdicts/explained_pointers"),
)
LEAST: Final = 0.98
"""Of all lines. The rest: identities of numbers that leave their link, tail calls that may end."""


def test_log_is_linux_s(record_property: pytest.RecordProperty) -> None:
    """Where verdict and work agree, so do the lines."""
    kernel = LinuxKernel()
    same = total = compared = whole = 0
    others = []
    for name in NAMES:
        spec = resolved(reader.read(compile_c(DATA / f"{name}.c", ()).data, file=f"{name}.o"))
        for program in (link(spec, each) for each in spec.program_names):
            verdict = kernel.verdict(program, log_level=2)
            log = Log(program)
            report = verify(program, Options(target=host()), observer=log)
            assert verdict.accepted == report.accepted, program.name
            theirs, ours = comparable(verdict.log.splitlines()), comparable(log.finish(report))
            if report.insns_processed != verdict.insns_processed:
                continue  # docs/parity.md has why
            found = same_lines(theirs, ours)
            same, total, compared = same + found, total + len(theirs), compared + 1
            pruned = [sum(line.endswith(": safe") for line in log_) for log_ in (theirs, ours)]
            assert pruned[0] == pruned[1], program.name
            whole += found == len(theirs) == len(ours)
            others += difflib.unified_diff(theirs, ours, n=0, lineterm="")
    record_property("identical lines", f"{same} of {total}")
    record_property("identical programs", f"{whole} of {compared}")
    assert compared >= 20
    assert same >= LEAST * total, "\n".join(others)
    assert whole >= 0.75 * compared
