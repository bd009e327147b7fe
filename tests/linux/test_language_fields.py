"""Every field of a context that the language shows: whole, narrowed and written, as both allow."""

from __future__ import annotations

import pytest

import beebox
from beebox.compiler.contexts import DECORATORS, class_of, count_of, fields_of
from beebox.compiler.source import compile_source
from beebox.obj.linker import link
from beebox.tables.contexts import ContextField, FieldKind
from beebox.tables.sections import section_row

pytestmark = pytest.mark.linux


def reads(field: ContextField) -> list[str]:
    """Loads of a field: all of it, its lowest byte, and its upper half."""
    if field.kind is FieldKind.FLOW_KEYS:
        return ["u64(ctx.flow_keys.nhoff)"]
    if field.kind is not FieldKind.SCALAR:
        return []
    names = [f"ctx.{field.name}"]
    if count_of(field):
        names = [f"ctx.{field.name}[{index}]" for index in range(count_of(field))]
    return [f"u64({how.format(name)})" for name in names for how in ("{}", "u8({})", "{} >> 7")]


def writes(field: ContextField) -> list[str]:
    if not field.writes:
        return []
    if count_of(field):
        return [f"ctx.{field.name}[{index}] = 7" for index in range(count_of(field))]
    return [f"ctx.{field.name} = 7"]


@pytest.mark.parametrize("decorator", DECORATORS)
def test_every_field_is_accepted(decorator, kernel_verdict):
    section = section_row(DECORATORS[decorator])
    context = section.program_type.value.context.name
    fields = fields_of(context, section).values()
    loads = [load for field in fields for load in reads(field)]
    stores = [store for field in fields for store in writes(field)]
    assert loads
    text = f"from beebox import {class_of(context)}, {decorator}, u8, u32, u64\n"
    text += f"@{decorator}\ndef program(ctx: {class_of(context)}) -> u32:\n    n = u64(0)\n"
    text += "".join(f"    n += {load}\n" for load in loads)
    text += "".join(f"    {store}\n" for store in stores)
    spec = compile_source(text + "    return u32(n & 1)\n", file=f"{decorator}.py")
    verdict = kernel_verdict(link(spec, "program"))
    assert verdict.accepted, verdict.log
    (report,) = beebox.verify(spec)
    assert report.accepted, report.findings
