"""What the table says of CAP_PERFMON, against the running kernel: every type, every helper."""

from __future__ import annotations

import errno
from typing import Final

import pytest
from capabilities import unprivileged

from beebox.errors import SyscallError
from beebox.isa.instruction import Call, CallKind, Exit
from beebox.linux.load import Verdict, verdict
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPERS
from beebox.tables.privileges import PERFMON_TYPES, needs_perfmon
from beebox.tables.program_types import AttachType, ProgramType

pytestmark = pytest.mark.linux

_NOT_HERE: Final = frozenset({ProgramType.LIRC_MODE2})  # not compiled into the probed kernels
_NO: Final = "cannot use helper"


def _asked(type_: ProgramType, attach: AttachType | None, helper: int) -> Verdict:
    insns = (Call(CallKind.HELPER, helper), Exit())
    return verdict(ProgramSpec("asks", "asks", type_, insns, {}, attach), {}, log_level=1)


@pytest.mark.parametrize("type_", sorted(PERFMON_TYPES, key=lambda row: row.name))
def test_types_that_need_it(type_: ProgramType) -> None:
    """Not loaded without CAP_PERFMON, whatever the program does."""
    attach = next(iter(type_.value.attach_types), None)
    with unprivileged(), pytest.raises(SyscallError) as refused:
        _asked(type_, attach, 5)
    assert refused.value.errno == errno.EPERM


@pytest.mark.parametrize(
    "type_", sorted(set(ProgramType) - PERFMON_TYPES - _NOT_HERE, key=lambda row: row.name)
)
def test_helpers_that_need_it(type_: ProgramType) -> None:
    """Programs of the other types are loaded, and lack just the helpers that the table names."""
    wrong = set()
    for attach in type_.value.attach_types or (None,):
        for helper in HELPERS.values():
            privileged = _NO not in _asked(type_, attach, helper.id).log
            if not privileged:
                continue
            with unprivileged():
                stays = _NO not in _asked(type_, attach, helper.id).log
            if stays is needs_perfmon(helper.name, type_):
                wrong.add((attach and attach.name, helper.name, stays))
    assert not wrong
