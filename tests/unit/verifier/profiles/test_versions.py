"""What older kernels lack: refused below the version that brought it, accepted from there on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from version_needs import END, NEEDS, program

from beebox.errors import InputError
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.tables.versions import FEATURES, NEWEST, OLDEST, release
from beebox.verifier import explore
from beebox.verifier.options import Options
from beebox.verifier.reports.report import render
from beebox.verifier.shape.cfg import shape
from beebox.verifier.verify import verify

_OTHER_FINDING = {
    "unwritten stack": "stack-uninitialised",
    "an element that is there": "null-pointer",
}
"""Where the older verifier has a rule of its own."""


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
    spec = program(code)
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
    spec = replace(program("r0 = 1\nexit"), **change)
    assert verify(spec, Options(version=since)).accepted, render(verify(spec))
    if since != OLDEST:
        before = verify(spec, Options(version=_before(since)))
        assert before.findings[0].code == "since"
        assert since in before.findings[0].message


def test_long_programs():
    spec = program("\n".join(["r0 = 1"] * 5000 + ["exit"]))
    assert verify(spec, Options(version="5.2")).accepted
    assert verify(spec, Options(version="5.1")).findings[0].code == "since"


def test_patience():
    loop = program("r0 = 0\nagain:\nr0 += 1\nif r0 < 50000 goto again\nr0 = 1\nexit")
    assert verify(loop, Options(version="5.3")).accepted
    assert explore.Exploration(loop, shape(loop), Options(version="5.3")).limit == 1_000_000
    straight = program(END)
    older = explore.Exploration(straight, shape(straight), Options(version="5.1"))
    assert older.limit == 131_072


@pytest.mark.parametrize("version", ["", "x", "5", "5.x", "4.3", "6.19", "9.9", "\u0665.1"])
def test_versions_that_are_not_in_the_tables(version):
    with pytest.raises(InputError):
        verify(program(END), Options(version=version))


@pytest.mark.parametrize("version", ["6.18", "v6.1", "6.1.0", "6.1-rc2"[:3], "4.8"])
def test_versions_as_people_write_them(version):
    assert verify(program(END), Options(version=version)).accepted


def test_features_are_in_order_and_known():
    sinces = [release(row.since) for row in FEATURES]
    assert sinces == sorted(sinces)
    assert max(sinces) <= release(NEWEST)
