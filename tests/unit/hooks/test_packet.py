"""Every packet hook: verdict names, what passes."""

import pytest

from beebox.errors import NotSupportedError
from beebox.hooks.packet import HOOKED, Fate, hook_of
from beebox.tables.program_types import PROGRAM_TYPE_BY_ID, CgroupSkbVerdict, ProgramType, TcAction

U32 = (1 << 32) - 1


@pytest.mark.parametrize("program_type", sorted(HOOKED, key=lambda row: row.value.id))
def test_named_verdicts_are_the_tables(program_type):
    hook = hook_of(program_type)
    assert hook.name == program_type.value.name
    if hook.keeps_bytes:
        assert (hook.verdict_name(0), hook.verdict_name(96)) == ("DROP", "KEEP")
        assert (hook.passes(0), hook.passes(1)) == (False, True)
        return
    for verdict in program_type.value.verdicts:
        assert hook.verdict_name(verdict & U32) == verdict.name
        expected = "DROP" not in verdict.name and verdict.name not in {"ABORTED"} | STOPPED
        assert hook.passes(verdict & U32) == expected
    assert hook.verdict_name(77) == "UNKNOWN_77"
    assert hook.passes(77) == hook.name.startswith("sched")


STOPPED = {"SHOT", "STOLEN", "TRAP"}


def test_fates():
    tc = hook_of(ProgramType.SCHED_CLS)
    assert tc.fate(TcAction.UNSPEC & U32) is Fate.PASSED
    assert tc.fate(TcAction.REDIRECT) is Fate.FORWARDED
    assert tc.fate(TcAction.SHOT) is Fate.DROPPED
    assert hook_of(ProgramType.CGROUP_SKB).fate(CgroupSkbVerdict.PASS_CN) is Fate.PASSED


def test_where_packets_start():
    assert hook_of(ProgramType.SCHED_CLS).start == hook_of(ProgramType.XDP).start == 0
    assert hook_of(ProgramType.SOCKET_FILTER).start == hook_of(ProgramType.LWT_XMIT).start == 14


def test_types_without_packets_have_none():
    with pytest.raises(NotSupportedError):
        hook_of(next(row for row in PROGRAM_TYPE_BY_ID.values() if row not in HOOKED))
