"""Every helper that the language spells, called by every program type that may: both accept it."""

from __future__ import annotations

import pytest

import beebox
from beebox.compiler.contexts import DECORATORS, class_of
from beebox.compiler.helper_names import SPELLED
from beebox.compiler.source import compile_source
from beebox.obj.linker import link
from beebox.tables.helpers import ArgKind, Helper, RetKind
from beebox.tables.sections import SectionRow, section_row

pytestmark = pytest.mark.linux

HEAD = """
from typing import Literal
from beebox import {names}
per_cpu = PerCpuArray[u64](max_entries=4)
programs = ProgArray(max_entries=4)
devices = DevMap(max_entries=4)
@{decorator}
def program(ctx: {context}) -> u32:
    n = u64(0)
    memory = zeroed(array[u8, Literal[64]])
"""
MAPS = {"tail_call": "programs", "redirect_map": "devices", "map_lookup_percpu_elem": "per_cpu"}
SIZES = {ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO}


def call(helper: Helper) -> str:
    """A statement that calls a helper; its result counts."""
    if helper.variadic:
        return f'    {helper.name}("x = %u", 5)\n'
    arguments = {
        ArgKind.CTX: "ctx",
        ArgKind.ANYTHING: "0",
        ArgKind.MEM: "memory",
        ArgKind.MAP_KEY: "1",
        ArgKind.CONST_MAP_PTR: MAPS.get(helper.name, ""),
    }
    given = ", ".join(arguments[arg.kind] for arg in helper.args if arg.kind not in SIZES)
    made = f"{helper.name}({given})"
    match helper.ret:
        case RetKind.VOID:
            return f"    {made}\n"
        case RetKind.MAP_VALUE_OR_NULL:
            return f"    if {made} is not None: n += 1\n"
        case _:
            return f"    n += u64({made})\n"


def helpers_of(section: SectionRow) -> list[Helper]:
    return [
        row.called_by(section.program_type)
        for row in SPELLED.values()
        if row.allowed(section.program_type, section.attach_type)
    ]


@pytest.mark.parametrize("decorator", DECORATORS)
def test_every_helper_is_accepted(decorator, kernel_verdict):
    section = section_row(DECORATORS[decorator])
    context = class_of(section.program_type.value.context.name)
    called = helpers_of(section)
    assert len(called) >= 10
    names = {row.name for row in called} | {decorator, context}
    names |= {"DevMap", "PerCpuArray", "ProgArray", "array", "u8", "u32", "u64", "zeroed"}
    text = HEAD.format(names=", ".join(sorted(names)), decorator=decorator, context=context)
    text += "".join(map(call, called)) + "    return u32(n & 1)\n"
    spec = compile_source(text, file=f"{decorator}.py")
    verdict = kernel_verdict(link(spec, "program"))
    assert verdict.accepted, verdict.log
    (report,) = beebox.verify(spec)
    assert report.accepted, report.findings
