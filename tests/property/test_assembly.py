"""Assembly sources with lines changed, moved and torn: an object or an error, never more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from same_specs import assert_same_object

from beebox.errors import AssemblyError
from beebox.obj.assembly.source import read_assembly
from beebox.obj.assembly.text import write_assembly

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
    ".map t hash key=struct k value=T max_entries=4 flags=no_prealloc pinning=by_name",
    ".map s struct_ops value=struct k max_entries=1 = {.a = 1}",
    ".slot s .f f",
    ".data e",
    '.var static const char text[8] @at(8) = "abc"',
    ".var struct k first = {.a = 1, .b = {2, 3}}",
    ".ksym weak const struct rq runqueues",
    ".kfunc int task(struct k *, ...)",
    ".kconfig unsigned long HZ",
    '.proto static int f(struct k *k @tag("arg:ctx"), void (*cb)(int)) @tag("x")',
    ".weak g",
    ".local f",
    '    r2 = 8 @core(field_byte_offset, struct k, "0:1")',
    "    r1 = ksym[HZ] ll",
    "    call kfunc[task]",
    '.loc "f.c" 3 4 "text"',
    ".let x = r10 - 8",
    ".unlet x = r10 - 8",
    ".types",
    "struct k {",
    "union {",
    "enum E @size(8) {",
    "A = 5, B,",
    "}",
    "};",
    "int a;",
    "unsigned long b[2];",
    "unsigned c : 3 @bit(70);",
    "struct k *(*next[2])(const T *restrict);",
    "typedef struct k T;",
    "typedef const typeof(int [3]) T@2;",
    "integer odd @size(2) @bits(9) @signed",
)


TYPES = """.types
struct k {
    int a;
    unsigned char b[4];
    void (*f)(struct k *);
};
typedef struct k T;
"""


@st.composite
def sources(draw: st.DrawFn) -> str:
    source = "\n".join(draw(st.lists(st.sampled_from(LINES), max_size=20)))
    if draw(st.booleans()):
        source += "\n" + TYPES
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
    assert_same_object(spec, again, lines=False)
