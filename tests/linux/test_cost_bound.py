"""The cost bound of the profile strict beside runs in the running kernel, which counts for us."""

from __future__ import annotations

import functools
import statistics
import struct
from pathlib import Path
from typing import Final

import cost_programs
import pytest

from beebox.api import resolved
from beebox.btf.types import Func
from beebox.clang.run import compile_c
from beebox.isa.instruction import Call
from beebox.linux.kernel import LinuxKernel
from beebox.obj import reader
from beebox.obj.linker import link
from beebox.obj.model import ExternKind, ExternSpec, KernelSymbol, ObjectSpec, ProgramSpec
from beebox.obj.targets.host import host
from beebox.tables import costs
from beebox.tables.limits import MAX_LOOPS
from beebox.verifier import explore
from beebox.verifier.options import Options, Profile
from beebox.verifier.reports.report import render
from beebox.verifier.result import Report
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux

_PROGRAMS: Final = 120
_RUNS: Final = 20
_MOST_INSNS: Final = 10_000  # that the verifier processes: others take too long
_ANY: Final = 1 << 80
_ZERO: Final = bytes(4)
_C: Final = Path(__file__).parents[1] / "data/c/verdicts"
_OTHER_RULES: Final = ("pointer-leak", "stack-uninitialised", "uninitialised-register")
"""What else the profile strict refuses."""


@pytest.fixture(scope="module")
def externs():
    kernel = host().btf
    return {
        name: ExternSpec(
            name, ExternKind.FUNCTION, resolved=KernelSymbol(kernel.kinded(name, Func)[0])
        )
        for name in cost_programs.ITERATOR
    }


def judged(module: ObjectSpec, limit: int = _ANY) -> Report:
    return verify(link(module, "main"), Options(Profile.STRICT, target=host(), cost_limit=limit))


def counted(module: ObjectSpec, runs: int = _RUNS) -> int:
    """The most that one of some runs added to the word in ``.data``."""
    most = 0
    with LinuxKernel().load(module) as live:
        word = live.maps[".data"]
        for _ in range(runs):
            for key in range(2):
                live.maps["hash"].update(struct.pack("<I", key), bytes(8))
            word.update(_ZERO, bytes(8))
            live.programs["main"].test_run(bytes(64))
            most = max(most, int.from_bytes(word.lookup(_ZERO), "little"))
    return most


def test_no_run_costs_more(externs, record_property, monkeypatch):
    """Calls back, iterators and counted loops in each other, with functions and branches."""
    monkeypatch.setattr(explore, "MAX_INSNS", _MOST_INSNS)
    ratios, refused = [], 0
    for seed in range(_PROGRAMS):
        module = cost_programs.module(seed, cost_programs.BY_LINUX, externs)
        report = judged(module)
        if not report.accepted:  # a counter that an iterator's loop made unknown
            assert report.findings[0].code in ("cost-bound", "too-complex"), render(report)
            refused += 1
            continue
        found = counted(module)
        assert found <= report.notes["cost_bound"], f"seed {seed}"
        ratios.append(report.notes["cost_bound"] / found)
    record_property("programs", len(ratios))
    record_property("bound over the most executed, median", statistics.median(ratios))
    record_property("bound over the most executed, most", max(ratios))
    assert refused < 0.1 * _PROGRAMS
    assert statistics.median(ratios) < 1.5


_ROUND: Final = "r0 = global[.data] ll\nr1 = 1\nlock *(u64 *)(r0 + 0) += r1\n"
_ITERATE: Final = """
{before}
r1 = r10
r1 += -8
{range}
call kfunc[bpf_iter_num_new]
next:
r1 = r10
r1 += -8
call kfunc[bpf_iter_num_next]
if r0 == 0 goto out
{body}
goto next
out:
r1 = r10
r1 += -8
call kfunc[bpf_iter_num_destroy]
{after}
r0 = 2
exit
"""


_MORE: Final = "more:\nr1 = r10\nr1 += -8\nr2 = 0\nr3 = 1000"


@pytest.mark.parametrize(
    ("before", "range_"),
    [
        (
            "call bpf_get_prandom_u32\nr3 = 1000\nif r0 > 9 goto both\nr3 = 10\nboth:\n"
            + "r6 = 1\n" * 9 + "goto on\non:",
            "r2 = 0",
        ),
        (
            "call bpf_get_prandom_u32\nif r0 > 9 goto more",
            "r2 = 0\nr3 = 10\ncall kfunc[bpf_iter_num_new]\ngoto next\n" + _MORE,
        ),
    ],
    ids=["two ranges", "made in two places"],
)  # fmt: skip
def test_the_longer_range_counts(before, range_, externs):
    """Though the way with the shorter one is explored first, and covers the other."""
    text = _ITERATE.format(before=before, range=range_, body=_ROUND, after="")
    module = cost_programs.described({"main": text}, externs)
    report = judged(module)
    assert report.accepted, render(report)
    assert counted(module) == 1000
    assert report.notes["cost_bound"] > 1000 * 50


_MAIN_EACH: Final = (
    "r1 = map[hash] ll\nr2 = func[each] ll\nr3 = 0\nr4 = 0\n"
    "call bpf_for_each_map_elem\nr0 = 2\nexit"
)
_OTHER_KEY: Final = (
    "r0 = 1\nif r1 > 100000 goto done\nr6 ^= 1\n*(u32 *)(r10 - 4) = r6\n*(u64 *)(r10 - 16) = 0\n"
)
_CALL: Final = "r1 = map[hash] ll\nr2 = r10\nr2 += -4\n{more}call bpf_map_{name}_elem\n"
_DELETE: Final = _CALL.format(name="delete", more="")
_UPDATE: Final = _CALL.format(name="update", more="r3 = r10\nr3 += -16\nr4 = 0\n")
_EACH: Final = "r6 = *(u32 *)(r2 + 0)\n" + _ROUND.replace(
    "lock *(u64 *)(r0 + 0) += r1", "r1 = atomic_fetch_add((u64 *)(r0 + 0), r1)"
)


def test_a_walk_that_puts_elements_before_itself():
    """Linux accepts it, and walks on for as long as the program likes: there is no bound.

    Both elements are in one bucket; which that is, each map draws for itself.
    """
    each = _EACH + _OTHER_KEY + _DELETE + _UPDATE + "r0 = 0\ndone:\nexit"
    module = cost_programs.described({"main": _MAIN_EACH, "each": each})
    assert any(counted(module, runs=1) > 100_000 for _ in range(40))
    assert judged(module).findings[0].code == "cost-bound"


def test_a_walk_that_deletes():
    """That makes it shorter."""
    each = _EACH + _OTHER_KEY + _DELETE + "r0 = 0\ndone:\nexit"
    module = cost_programs.described({"main": _MAIN_EACH, "each": each})
    report = judged(module)
    assert report.accepted, render(report)
    assert counted(module) <= 2
    assert report.notes["cost_bound"] < 500


def test_loops_that_linux_does_not_bound(externs):
    """Loops around what goes round a known number of times: Linux accepts them, strict does not."""
    again = "call bpf_get_prandom_u32\nif r0 > 5 goto again"
    back = "again:\nr1 = 10\nr2 = func[each] ll\nr3 = 0\nr4 = 0\ncall bpf_loop\n" + again
    back += "\nr0 = 2\nexit"
    text = _ITERATE.format(before="again:", range="r2 = 0\nr3 = 10", body="", after=again)
    for texts in ({"main": back, "each": "r0 = 0\nexit"}, {"main": text}):
        module = cost_programs.described(texts, externs)
        with LinuxKernel().load(module):
            pass
        assert judged(module).findings[0].code == "cost-bound"


def test_rounds_of_may_goto():
    """Linux gives it 250 ms here, which is more than the eight million rounds of elsewhere."""
    text = f"r6 = 0\nagain:\nmay_goto out\nr6 += 1\ngoto again\nout:\n{_ROUND}"
    text = text.replace("r1 = 1", "r1 = r6") + "r0 = 2\nexit"
    module = cost_programs.described({"main": text})
    rounds = counted(module, runs=1)
    assert rounds >= MAX_LOOPS
    assert 3 * rounds <= judged(module).notes["cost_bound"]


@functools.cache
def c_programs(name: str) -> dict[str, ProgramSpec]:
    """Programs of ``tests/data/c/verdicts`` that are to be accepted."""
    spec = reader.read(compile_c(_C / f"{name}.c", ()).data, file=f"{name}.bpf.o")
    spec = resolved(spec)
    return {each: link(spec, each) for each in spec.program_names if each.startswith("ok_")}


@pytest.mark.parametrize("file", ["timers", "workqueues", "trees", "exceptions", "kfunc_iter_num"])
def test_programs_in_c(file):
    """Functions called later are runs of their own, also those that put themselves off again."""
    for name, spec in c_programs(file).items():
        report = verify(spec, Options(Profile.STRICT, target=host(), cost_limit=_ANY))
        verdict = "accepted" if report.accepted else report.findings[0].code
        assert verdict in ("accepted", *_OTHER_RULES), f"{name}: {render(report)}"


def test_tasks_have_no_number():
    """Nothing says how many there are."""
    spec = c_programs("kfunc_iter_tasks")["ok_tasks"]
    report = verify(spec, Options(Profile.STRICT, target=host(), cost_limit=_ANY))
    assert report.findings[0].code == "cost-bound"


def test_the_exception_callback_counts():
    """Where an exception ends the run, what the callback makes of it comes besides."""
    spec = c_programs("exception_callbacks")["ok_any_result"]
    report = verify(spec, Options(Profile.STRICT, target=host()))
    callback = next(info.pc for info in spec.functions if info.name == "whatever")
    throws = next(pc for pc, insn in enumerate(spec.slots) if isinstance(insn, Call))
    assert report.notes["cost_bound"] == throws + 1 + costs.KFUNC + len(spec.slots) - callback
