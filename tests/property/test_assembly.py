"""Assembly sources with lines changed, moved and torn: an object or an error, never more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beebox.errors import AssemblyError
from beebox.obj.assembly import read_assembly
from beebox.obj.assembly_text import write_assembly

LINES = (
    '.license "GPL"',
    ".map m hash key=4 value=8 max_entries=16",
    ".map o array_of_maps max_entries=2",
    ".inner o hash key=4 value=8 max_entries=4",
    ".slot o 1 m",
    ".map j prog_array max_entries=2",
    ".slot j 0 f",
    ".data d frozen size=8 contents=2a",
    '.section "xdp"',
    ".text",
    ".globl f",
    "f:",
    "g:",
    "again: r0 += 1",
    "    r1 = map[m] ll",
    "    r1 = global[d + 4] ll",
    "    if r0 == 0 goto again",
    "    call g",
    "    exit",
)


@st.composite
def sources(draw: st.DrawFn) -> str:
    source = "\n".join(draw(st.lists(st.sampled_from(LINES), max_size=20)))
    if draw(st.booleans()):
        start = draw(st.integers(0, len(source)))
        end = draw(st.integers(start, min(len(source), start + 5)))
        source = source[:start] + draw(st.text(max_size=3)) + source[end:]
    return source


@given(sources())
def test_an_object_or_an_error(source: str):
    try:
        spec = read_assembly(source)
    except AssemblyError as error:
        assert error.line >= 1  # noqa: PT017 -- both outcomes are right
        return
    again = read_assembly(write_assembly(spec))
    assert {name: row.insns for name, row in again.functions.items()} == {
        name: row.insns for name, row in spec.functions.items()
    }
    assert (again.maps, again.license) == (spec.maps, spec.license)
