"""What older kernels lack: refused below the version that brought it, accepted from there on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beebox.errors import InputError
from beebox.isa.assembler import assemble
from beebox.isa.instruction import GlobalRef, LoadImm64, MapRef
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.tables.versions import FEATURES, NEWEST, OLDEST, release
from beebox.verifier import explore
from beebox.verifier.cfg import shape
from beebox.verifier.options import Options
from beebox.verifier.report import render
from beebox.verifier.verify import verify

_END = "r0 = 0\nexit"
_MAPS = {
    "values": MapSpec("values", MapType.ARRAY, 4, 64, 4),
    "bloom": MapSpec("bloom", MapType.BLOOM_FILTER, 0, 8, 4),
    "lpm": MapSpec("lpm", MapType.LPM_TRIE, 8, 8, 4, MapFlags.NO_PREALLOC),
    ".data": MapSpec(".data", MapType.ARRAY, 4, 16, 1, MapFlags.MMAPABLE, contents=bytes(16)),
    "readonly": MapSpec("readonly", MapType.ARRAY, 4, 8, 1, MapFlags.RDONLY_PROG),
    "mmapable": MapSpec("mmapable", MapType.ARRAY, 4, 8, 1, MapFlags.MMAPABLE),
}
_LOOKED_UP = """
*(u32 *)(r10 - 8) = 1
r2 = r10
r2 += -8
r1 = map[values] ll
call bpf_map_lookup_elem#1
"""

NEEDS = {
    "a loop": ("5.3", "r1 = 0\nagain:\nr1 += 1\nif r1 < 5 goto again\n" + _END),
    "a jump backward that is no loop": (
        "4.4",
        "goto second\nfirst:\nr0 = 0\nexit\nsecond:\ngoto first",
    ),
    "jump less": ("4.14", "r1 = 1\nif r1 < 2 goto out\nout:\n" + _END),
    "jump of 32 bits": ("5.1", "w1 = 1\nif w1 > 2 goto out\nout:\n" + _END),
    "signed division": ("6.6", "r1 = 6\nr1 s/= 3\n" + _END),
    "sign-extending move": ("6.6", "r1 = 6\nr1 = (s8)r1\n" + _END),
    "sign-extending load": ("6.6", "*(u64 *)(r10 - 8) = 1\nr1 = *(s8 *)(r10 - 8)\n" + _END),
    "bswap": ("6.6", "r1 = 6\nr1 = bswap32 r1\n" + _END),
    "gotol": ("6.6", "gotol out\nout:\n" + _END),
    "may_goto": ("6.9", "r0 = 0\nagain:\nmay_goto out\ngoto again\nout:\nexit"),
    "atomic add": ("4.4", "r1 = 1\n*(u64 *)(r10 - 8) = 0\nlock *(u64 *)(r10 - 8) += r1\n" + _END),
    "atomic or": ("5.12", "r1 = 1\n*(u64 *)(r10 - 8) = 0\nlock *(u64 *)(r10 - 8) |= r1\n" + _END),
    "load acquire": (
        "6.15",
        "*(u64 *)(r10 - 8) = 0\nr1 = load_acquire((u64 *)(r10 - 8))\n" + _END,
    ),
    "a function": ("4.16", "call each\nexit\neach:\n" + _END),
    "the address of a value": ("5.2", "r1 = global[.data] ll\n" + _END),
    "a flag of a map": ("5.2", "r1 = map[readonly] ll\n" + _END),
    "another flag of a map": ("5.5", "r1 = map[mmapable] ll\n" + _END),
    "a map type": ("5.16", "r1 = map[bloom] ll\n" + _END),
    "an older map type": ("4.11", "r1 = map[lpm] ll\n" + _END),
    "a helper": ("5.8", "call bpf_ktime_get_boot_ns#125\n" + _END),
    "a helper behind a jump never taken": (
        "4.8",
        "r0 = 0\nif r0 == 0 goto out\ncall bpf_ktime_get_boot_ns#125\nout:\nexit",
    ),
    "a field of the context": ("4.16", "r0 = *(u32 *)(r1 + 12)\nr0 = 0\nexit"),
    "unwritten stack": ("6.3", "r0 = *(u64 *)(r10 - 8)\nr0 = 0\nexit"),
    "an element that is there": ("6.14", _LOOKED_UP + "r0 = *(u64 *)(r0 + 0)\nr0 = 0\nexit"),
}
"""By what is needed: the version that brought it, and a program."""

_OTHER_FINDING = {
    "unwritten stack": "stack-uninitialised",
    "an element that is there": "null-pointer",
}
"""Where the older verifier has a rule of its own."""


def _program(code: str) -> ProgramSpec:
    insns = assemble(code)
    named = {
        insn.value.name if isinstance(insn.value, MapRef) else insn.value.map_name
        for insn in insns
        if isinstance(insn, LoadImm64) and isinstance(insn.value, MapRef | GlobalRef)
    }
    maps = {name: _MAPS[name] for name in named}
    return ProgramSpec("needs", "xdp", ProgramType.XDP, insns, maps)


def _before(version: str) -> str:
    """The release before."""
    known = ["4.19", "4.20", "5.19", "6.0"]
    major, minor = release(version)
    if minor:
        return f"{major}.{minor - 1}"
    return known[known.index(version) - 1] if version in known else f"{major - 1}.19"


@pytest.mark.parametrize("name", NEEDS)
def test_since(name):
    since, code = NEEDS[name]
    since = max(since, "4.8", key=release)  # XDP itself
    spec = _program(code)
    assert verify(spec).accepted, render(verify(spec))
    at = verify(spec, Options(version=since))
    assert at.accepted, render(at)
    if release(since) > release("4.8"):
        before = verify(spec, Options(version=_before(since)))
        code = before.findings[0].code
        assert code == _OTHER_FINDING.get(name, "since"), render(before)


@pytest.mark.parametrize(
    ("change", "since"),
    [
        ({"type": ProgramType.XDP}, "4.8"),
        ({"type": ProgramType.SK_LOOKUP, "attach_type": AttachType.SK_LOOKUP}, "5.9"),
        ({"type": ProgramType.XDP, "flags": ProgramFlags.XDP_HAS_FRAGS}, "5.18"),
        ({"type": ProgramType.XDP, "attach_type": AttachType.XDP}, "4.8"),
        ({"type": ProgramType.XDP, "attach_type": AttachType.XDP_DEVMAP}, "5.8"),
        ({"type": ProgramType.SCHED_CLS, "attach_type": AttachType.TCX_INGRESS}, "4.4"),
        (
            {
                "type": ProgramType.SCHED_CLS,
                "attach_type": AttachType.TCX_INGRESS,
                "section": "tcx/ingress",
            },
            "6.6",
        ),
        ({"type": ProgramType.KPROBE, "flags": ProgramFlags.SLEEPABLE}, "5.10"),
    ],
)
def test_what_a_program_is(change, since):
    spec = replace(_program("r0 = 1\nexit"), **change)
    assert verify(spec, Options(version=since)).accepted, render(verify(spec))
    if since != OLDEST:
        before = verify(spec, Options(version=_before(since)))
        assert before.findings[0].code == "since"
        assert since in before.findings[0].message


def test_long_programs():
    spec = _program("\n".join(["r0 = 1"] * 5000 + ["exit"]))
    assert verify(spec, Options(version="5.2")).accepted
    assert verify(spec, Options(version="5.1")).findings[0].code == "since"


def test_patience():
    loop = _program("r0 = 0\nagain:\nr0 += 1\nif r0 < 50000 goto again\nr0 = 1\nexit")
    assert verify(loop, Options(version="5.3")).accepted
    assert explore.Exploration(loop, shape(loop), Options(version="5.3")).limit == 1_000_000
    straight = _program(_END)
    older = explore.Exploration(straight, shape(straight), Options(version="5.1"))
    assert older.limit == 131_072


@pytest.mark.parametrize("version", ["", "x", "5", "5.x", "4.3", "6.19", "9.9", "\u0665.1"])
def test_versions_that_are_not_in_the_tables(version):
    with pytest.raises(InputError):
        verify(_program(_END), Options(version=version))


@pytest.mark.parametrize("version", ["6.18", "v6.1", "6.1.0", "6.1-rc2"[:3], "4.8"])
def test_versions_as_people_write_them(version):
    assert verify(_program(_END), Options(version=version)).accepted


def test_features_are_in_order_and_known():
    sinces = [release(row.since) for row in FEATURES]
    assert sinces == sorted(sinces)
    assert max(sinces) <= release(NEWEST)
