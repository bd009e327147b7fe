"""Disagreements that the fuzzer knows are told from others, by what is changed in the program."""

from __future__ import annotations

from pathlib import Path

import pytest
from verifier_fuzz import known

from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux

_MAPS = {"values": MapSpec("values", MapType.ARRAY, 4, 64, 4)}
_CASES = Path(__file__).parents[1] / "data/verifier/classes.case"


def spec_of(name):
    for section in _CASES.read_text().split("\n=== ")[1:]:
        head, _, code = section.partition("\n")
        if head.startswith(name):
            return ProgramSpec("case", "xdp", ProgramType.XDP, assemble(code), _MAPS)
    raise KeyError(name)


def agree(spec):
    return verify(spec).accepted == LinuxKernel().verdict(spec).accepted


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("class 27, unsafe: what an atomic", "atomic operation fetched"),
        ("class 25, unsafe: a sign-extending fill", "sign-extended fill"),
    ],
)
def test_the_difference_is_recognised(name, words):
    spec = spec_of(name)
    assert not agree(spec)
    assert words in (known.difference(spec, verify(spec), agree) or "")


def test_another_difference_is_not():
    spec = spec_of("class 27, unsafe: what an atomic")
    assert known.difference(spec, verify(spec), lambda _spec: False) is None
