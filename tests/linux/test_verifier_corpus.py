"""The corpus of C programs: what our verifier says of each, and the running kernel."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path

import pytest

from beebox.api import resolved
from beebox.clang.run import compile_c
from beebox.errors import SyscallError
from beebox.linux.kernel import LinuxKernel
from beebox.obj import reader
from beebox.obj.linker import link
from beebox.obj.model import ProgramSpec
from beebox.obj.targets.host import host
from beebox.verifier.options import Options
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux
CORPUS = Path(__file__).parents[1] / "data/c/corpus"
NOT_JUDGED: dict[str, str] = {}
"""Objects with programs that our verifier has no verdict on yet, and what of theirs it lacks."""
NOT_SHOWN = {
    "tracing": "machines that allow no trampolines refuse them unseen",
    "freplace": "the same, and the program to extend is not named",
}
"""Objects with programs that Linux may refuse unseen: judged by our verifier alone."""
NOT_IN_THIS_KERNEL = {"lirc": "built without it"}


def programs(name: str) -> list[ProgramSpec]:
    """The programs of one corpus file, linked for the running kernel."""
    spec = reader.read(compile_c(CORPUS / f"{name}.c", ()).data, file=f"{name}.bpf.o")
    spec = resolved(spec)
    return [link(spec, each) for each in spec.program_names]


def test_verdicts_on_the_corpus(record_property) -> None:
    """The same verdict on each program that is judged; mostly the same work to come to it."""
    kernel = LinuxKernel()
    counts = Counter[str]()
    wrong, not_judged, not_shown, work = [], set(), set(), {}
    for name in sorted({path.stem for path in CORPUS.glob("*.c")} - NOT_IN_THIS_KERNEL.keys()):
        for program in programs(name):
            ours = verify(program, Options(target=host()))
            if not ours.accepted and ours.findings[0].code == "not-supported":
                not_judged.add(name)
                continue
            try:
                theirs = kernel.verdict(program)
            except SyscallError as error:
                if error.errno != errno.EPERM:
                    raise
                not_shown.add(name)
                continue
            counts["accepted" if ours.accepted else "refused"] += 1
            if ours.accepted != theirs.accepted:
                wrong.append((name, program.name, theirs.log[-500:], render(ours)))
            elif ours.accepted:
                work[f"{name}/{program.name}"] = (ours.insns_processed, theirs.insns_processed)
    assert wrong == []
    assert not_judged == NOT_JUDGED.keys()
    assert not_shown <= NOT_SHOWN.keys()
    near = sum(abs(ours - theirs) <= 0.02 * theirs for ours, theirs in work.values())
    record_property("verdicts", dict(counts))
    record_property("instructions within 2 % of Linux's", f"{near} of {len(work)}")
    record_property(
        "others",
        {each: pair for each, pair in work.items() if abs(pair[0] - pair[1]) > 0.02 * pair[1]},
    )
    assert counts["accepted"] >= 130
    assert near >= 0.95 * len(work)
