"""Which helper takes which map: every map type and access flag by every map helper, as Linux."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.map_types import Entries, MapFlags, MapType
from beebox.tables.program_types import ProgramType
from beebox.verifier.verify import verify

ENTRIES = {Entries.POSITIVE: 2, Entries.ZERO: 0, Entries.PAGES: 4096, Entries.PER_PAGE: 1}
ZEROS = "".join(f"*(u64 *)(r10 - {at}) = 0\n" for at in range(8, 257, 8))
MAP = "r1 = map[m] ll\n"
KEY = "r2 = r10\nr2 += -128\n"
VALUE = "r2 = r10\nr2 += -256\n"
CALLS = {
    "map_lookup_elem": MAP + KEY,
    "map_update_elem": MAP + KEY + "r3 = r10\nr3 += -256\nr4 = 0\n",
    "map_delete_elem": MAP + KEY,
    "map_lookup_percpu_elem": MAP + KEY + "r3 = 0\n",
    "map_push_elem": MAP + VALUE + "r3 = 0\n",
    "map_pop_elem": MAP + VALUE,
    "map_peek_elem": MAP + VALUE,
    "redirect_map": MAP + "r2 = 0\nr3 = 0\n",
    "tail_call": "r1 = r9\nr2 = map[m] ll\nr3 = 0\n",
    "perf_event_output": "r1 = r9\nr2 = map[m] ll\nr3 = 0\nr4 = r10\nr4 += -8\nr5 = 8\n",
    "ringbuf_output": MAP + "r2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\n",
    "ringbuf_query": MAP + "r2 = 0\n",
}
WITHOUT_TYPES = [kind for kind in MapType if not kind.value.needs_btf and kind is not MapType.ARENA]


def spec_of(kind: MapType, flags: MapFlags) -> MapSpec:
    row = kind.value
    sizes = [
        rule.choices[0] if rule.choices else max(rule.least, min(4, rule.most))
        for rule in (row.key, row.value)
    ]
    inner = MapSpec("inner", MapType.ARRAY, 4, 4, 1) if row.has_inner else None
    spec = MapSpec("m", kind, *sizes, max_entries=ENTRIES[row.entries], inner=inner)
    return replace(spec, flags=row.required | flags)


@pytest.mark.linux
@pytest.mark.parametrize("kind", WITHOUT_TYPES)
def test_verdicts_are_linux_verdicts(kind: MapType):
    kernel = LinuxKernel()
    flags = [MapFlags.NONE, MapFlags.RDONLY_PROG, MapFlags.WRONLY_PROG]
    for flag in (flag for flag in flags if not flag & ~kind.value.flags):
        for name, call in CALLS.items():
            text = f"r9 = r1\n{ZEROS}{call}call {HELPER_BY_NAME[name].id}\nr0 = 0\nexit"
            maps = {"m": spec_of(kind, flag)}
            program = ProgramSpec("p", "xdp", ProgramType.XDP, assemble(text), maps)
            theirs, ours = kernel.verdict(program, log_level=1), verify(program)
            assert theirs.accepted == ours.accepted, (name, flag, theirs.log, ours.findings)
            if theirs.accepted:
                assert name in kind.value.helpers
            if "cannot pass map_type" in theirs.log:
                assert name not in kind.value.helpers
