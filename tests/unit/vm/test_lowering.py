"""The shape of the proved lowering: pointers stay pointers, facts are used, limits are said."""

from __future__ import annotations

from dataclasses import replace

import engines
import pytest

from beebox.errors import NotSupportedError
from beebox.maps.code import map_code
from beebox.tables.helpers import ArgKind
from beebox.tables.limits import MAX_LOOPS
from beebox.vm.jit import lower, merge_modules
from beebox.vm.lowering_calls import HelperCode

CODES = {name: map_code(spec, f"map_{name}") for name, spec in engines.MAPS.items()}
PARSE = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 14
r0 = 1
if r4 > r3 goto out
r0 = *(u16 *)(r2 + 12)
out:
exit
"""


def test_packet_programs_have_no_integer_addresses():
    text = lower(engines.accepted(PARSE, {}), maps={}, helpers={})
    assert "inttoptr" not in text
    assert "ptrtoint" not in text
    assert "icmp ugt ptr" in text


def test_separate_stack_slots_are_separate_allocas():
    body = "*(u64 *)(r10 - 8) = 1\n*(u32 *)(r10 - 64) = 2\nr0 = *(u64 *)(r10 - 8)\nexit"
    text = lower(engines.accepted(body, {}), maps={}, helpers={})
    assert "%stack8 = alloca [8 x i8]" in text
    assert "%stack64 = alloca [8 x i8]" in text


def test_a_passed_frame_pointer_keeps_the_stack_whole():
    body = (
        "*(u64 *)(r10 - 8) = 1\n*(u64 *)(r10 - 64) = 2\nr1 = r10\nr1 += -8\ncall sub\nexit\n"
        "sub:\nr0 = *(u64 *)(r1 - 56)\nexit"
    )
    text = lower(engines.accepted(body, {}), maps={}, helpers={})
    assert "%stack64 = alloca [64 x i8]" in text


def test_branches_never_taken_are_not_compiled():
    body = "r1 = 5\nr0 = 1\nif r1 == 5 goto +1\nr0 = 2\nexit"
    text = lower(engines.accepted(body, {}), maps={}, helpers={})
    assert "br i1" not in text


def test_missing_edges_lead_to_a_plain_return():
    verified = engines.accepted(PARSE, {})
    regs = list(verified.regs)
    regs[6] = None
    text = lower(replace(verified, regs=tuple(regs)), maps={}, helpers={})
    assert "unreached:\n  ret i64 -1" in text


def test_map_calls_are_direct():
    body = """
*(u32 *)(r10 - 4) = 1
r2 = r10
r2 += -4
r1 = map[table] ll
call 1
r0 = 0
exit
"""
    text = lower(engines.accepted(body), maps=CODES, helpers={})
    assert "call ptr @map_table_lookup(ptr %rt, ptr %s4)" in text


def test_helpers_take_typed_arguments():
    def code(symbol: str) -> HelperCode:
        ir = f"define internal i64 @{symbol}(ptr %rt, ptr %c, i64 %d) {{\n  ret i64 %d\n}}"
        return HelperCode(symbol, ir, (ArgKind.CTX, ArgKind.ANYTHING))

    verified = engines.accepted("r2 = 4\ncall 44\nr0 = 0\nexit", {})
    text = lower(verified, maps={}, helpers={44: code("helper_xdp_adjust_head")})
    assert "call i64 @helper_xdp_adjust_head(ptr %rt, ptr %t" in text
    with pytest.raises(NotSupportedError):
        lower(verified, maps={}, helpers={})


def test_merging_keeps_one_declaration_and_no_declared_definition():
    one = "declare i64 @f(i64)\n@s = external global i8\ndefine i64 @g() {\n  ret i64 0\n}"
    two = "declare i64 @f(i64)\ndeclare i64 @g()\n@s = external global i8"
    assert merge_modules([one, two]) == one + "\n"


def test_may_goto_ends_an_endless_loop():
    count = "r0 = 0\ntop:\nmay_goto out\nr0 += 1\ngoto top\nout:\nexit"
    ((verdict, _),) = engines.execute(engines.accepted(count, {}), [bytes(14)]).runs
    assert verdict == MAX_LOOPS


def test_frames_in_loops_share_the_budget_of_the_run():
    nested = (
        "r6 = 0\ntop:\nmay_goto out\ncall sub\nr6 += 1\ngoto top\nout:\nr0 = r6\nexit\n"
        "sub:\nr0 = 0\nagain:\nmay_goto done\ngoto again\ndone:\nexit"
    )
    ((verdict, _),) = engines.execute(engines.accepted(nested, {}), [bytes(14)]).runs
    assert verdict == MAX_LOOPS
    text = lower(engines.accepted(nested, {}), maps={}, helpers={})
    assert text.count("store i64 %back") == 2


UPDATE = """
*(u32 *)(r10 - 4) = 1
*(u64 *)(r10 - 16) = 2
r1 = map[table] ll
r2 = r10
r2 += -4
r3 = r10
r3 += -16
r4 = 0
call bpf_map_update_elem#2
r0 = 0
exit
"""


def test_an_update_gets_copies_so_that_slots_stay_in_registers():
    text = lower(engines.accepted(UPDATE), maps=CODES, helpers={})
    (call,) = (line for line in text.splitlines() if "@map_table_update(ptr %rt" in line)
    assert "%copy2.4" in call
    assert "%copy3.8" in call
    assert "%s4" not in call
