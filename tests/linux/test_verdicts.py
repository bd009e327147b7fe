"""C programs of our own, by feature: Linux's verdict, ours, and the one that their names tell.

Each file of ``tests/data/c/verdicts`` holds programs called ``ok_*``, to be accepted, and
``bad_*``, to be refused. Those in ``unprivileged_*.c`` are loaded without CAP_PERFMON.
"""

from __future__ import annotations

import functools
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import pytest
from capabilities import unprivileged

from beebox.api import resolved
from beebox.clang.run import compile_c
from beebox.linux.kernel import LinuxKernel
from beebox.linux.load import Verdict
from beebox.obj import reader
from beebox.obj.linker import link
from beebox.obj.model import ProgramSpec
from beebox.obj.targets.host import host
from beebox.verifier.options import Options, Profile
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux
FOLDER: Final = Path(__file__).parents[1] / "data/c/verdicts"
FILES: Final = sorted(path.stem for path in FOLDER.glob("*.c"))

LINUX_DIFFERS: Final[dict[str, str]] = {
    "dynptr_stale/bad_a_writable_slice_of_a_submitted_record": "Linux keeps bpf_dynptr_slice's",
    "dynptr_stale/bad_a_slice_of_a_submitted_record": "Linux keeps the slices of a kernel function",
    "dynptr_stale/bad_submitted_again": "Linux forgets a record's clones in its own frame only",
    "dynptr_stale/bad_a_slice_of_a_packet_that_was_copied_into": "Linux: only dynptr_write moves",
    "trees_null/bad_not_checked": "Linux misses that a node at the object's start may be NULL",
    "percpu_objects/bad_of_another_cpu_unchecked": "Linux: per_cpu_ptr gives no NULL",
    "global_packet/bad_written_through_a_dynptr": "Linux looks at other calls that move packets",
    "kptr_loads/bad_loaded_under_a_lock": "Linux: still protected when the lock is given back",
    "exceptions/bad_global_throws_over_a_record": "Linux forgets that global functions may throw",
    "refcounts/bad_shared_through_a_map_unchecked": "Linux takes a borrowed object for owned",
    "spin_lock_identity/bad_elements_of_two_callbacks": "Linux: all callbacks' elements are one",
    "global_tags/bad_is_null": "Linux takes the constant NULL for an argument that is never NULL",
}
"""Programs ("file/program") on which Linux's verdict is not what the name tells, and why."""
WE_DIFFER: Final[dict[str, str]] = {}
"""Programs on which ours is not, and why (``docs/parity.md`` has the difference)."""


@functools.cache
def programs(name: str) -> tuple[ProgramSpec, ...]:
    """The programs of one file, linked for the running kernel."""
    spec = reader.read(compile_c(FOLDER / f"{name}.c", ()).data, file=f"{name}.bpf.o")
    spec = resolved(spec)
    return tuple(link(spec, each) for each in spec.program_names)


@functools.cache
def theirs(name: str) -> dict[str, Verdict]:
    """Linux's verdicts on the programs of one file."""
    kernel = LinuxKernel()
    with unprivileged() if profile(name) is Profile.UNPRIVILEGED else nullcontext():
        return {program.name: kernel.verdict(program) for program in programs(name)}


def profile(name: str) -> Profile:
    """Whose rules the programs of one file are written for."""
    return Profile.UNPRIVILEGED if name.startswith("unprivileged_") else Profile.KERNEL


def options(name: str) -> Options:
    """What we are asked with, as Linux is."""
    return Options(profile(name), target=host())


@pytest.mark.parametrize("name", FILES)
def test_verdicts(name: str) -> None:
    """Linux and we say of each program what its name tells."""
    wrong = {}
    for program in programs(name):
        told, key = program.name.startswith("ok_"), f"{name}/{program.name}"
        assert told or program.name.startswith("bad_"), key
        linux, ours = theirs(name)[program.name], verify(program, options(name))
        if linux.accepted != told and key not in LINUX_DIFFERS:
            wrong[f"{key}: Linux"] = linux.log[-1500:]
        if ours.accepted != told and key not in WE_DIFFER:
            wrong[f"{key}: ours"] = render(ours)
        if not ours.accepted:
            assert ours.findings[0].code != "internal", (key, render(ours))
            if ours.findings[0].code == "not-supported" and key not in WE_DIFFER:
                wrong[f"{key}: not judged"] = render(ours)
    assert not wrong, "\n\n".join(f"{key}\n{text}" for key, text in wrong.items())


def test_differences_are_still_there() -> None:
    """A difference that is gone leaves the list."""
    every = {f"{name}/{each.name}": each for name in FILES for each in programs(name)}
    assert set(LINUX_DIFFERS) | set(WE_DIFFER) <= set(every)
    for key in LINUX_DIFFERS:
        file, _, name = key.partition("/")
        assert theirs(file)[name].accepted != name.startswith("ok_"), key
    for key in WE_DIFFER:
        report = verify(every[key], options(key.partition("/")[0]))
        assert report.accepted != every[key].name.startswith("ok_"), key


def test_work_is_linux_s(record_property) -> None:
    """At least 80 % of the accepted programs take as many processed instructions, within 2 %."""
    work = {}
    for name in FILES:
        for program in programs(name):
            linux, ours = theirs(name)[program.name], verify(program, options(name))
            if linux.accepted and ours.accepted:
                work[f"{name}/{program.name}"] = (ours.insns_processed, linux.insns_processed)
    near = [key for key, (ours, linux) in work.items() if abs(ours - linux) <= 0.02 * linux]
    record_property("within 2 %", f"{len(near)} of {len(work)}")
    record_property("others", json.dumps({key: work[key] for key in work.keys() - set(near)}))
    assert len(near) >= 0.8 * len(work)
