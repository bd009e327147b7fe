"""``bounded()``: loops that the kernel ends, as may_goto instructions."""

from __future__ import annotations

import pytest

import beebox
from beebox.compiler.source import compile_source
from beebox.isa.instruction import JumpIf, MayGoto
from beebox.obj.linker import link

SOURCE = """
from beebox import Global, Hash, XdpAction, XdpContext, bounded, u32, u64, xdp
following = Hash[u32, u64](max_entries=64)
total = Global(u64(0))
@xdp
def forever(ctx: XdpContext) -> XdpAction:
    n = u64(0)
    while bounded():
        n += 1
    total.value = n
    return XdpAction.DROP
@xdp
def until(ctx: XdpContext) -> XdpAction:
    n = u32(0)
    while bounded() and n < 300:
        n += 3
        if n == 50:
            break
    if n == 300:
        return XdpAction.TX
    return XdpAction.DROP
def walk(start: u32) -> u32:
    steps = u32(0)
    key = start
    while bounded():
        found = following[key]
        if found is None:
            return steps
        key = u32(found)
        steps += 1
    return steps
@xdp
def chain(ctx: XdpContext) -> XdpAction:
    following[1] = 2
    following[2] = 3
    return XdpAction(walk(1))
"""
VERDICTS = {"forever": 1, "until": 3, "chain": 2}


@pytest.fixture(scope="module")
def spec():
    return compile_source(SOURCE, file="bounded.py")


def test_each_loop_has_a_may_goto(spec):
    for name, wanted in {"forever": 1, "until": 1, "walk": 1, "chain": 0}.items():
        insns = spec.functions[name].insns
        assert sum(isinstance(insn, MayGoto) for insn in insns) == wanted
        marks = [i for i in insns if isinstance(i, JumpIf) and i.src == 0x6D61795F]
        assert not marks


def test_places_move_with_the_instructions(spec):
    forever = spec.functions["forever"]
    loop = next(at for at, insn in enumerate(forever.insns) if isinstance(insn, MayGoto))
    after = [line.pc for line in forever.lines if "total.value" in line.text]
    assert after
    assert min(after) == loop + 2  # behind the may_goto, and the jump that it steps over


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_loops_end(spec, engine):
    programs = ("until", "chain") if engine == "interpreter" else tuple(VERDICTS)
    with beebox.load(spec, engine=engine, programs=programs) as loaded:
        for name in programs:
            assert loaded.programs[name].test_run(bytes(64)).retval == VERDICTS[name]


@pytest.mark.linux
def test_loops_end_in_linux(spec, kernel_verdict):
    for name in VERDICTS:
        verdict = kernel_verdict(link(spec, name))
        assert verdict.accepted, verdict.log
    with beebox.load(spec, kernel="linux") as loaded:
        for name, wanted in VERDICTS.items():
            assert loaded.programs[name].test_run(bytes(64)).retval == wanted


def test_a_number_that_looks_like_the_mark_stays():
    text = SOURCE.replace("n == 300", "n == 0x6D61795F")
    insns = compile_source(text, file="mark.py").functions["until"].insns
    assert sum(isinstance(insn, MayGoto) for insn in insns) == 1
