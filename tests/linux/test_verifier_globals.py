"""Global functions: the running kernel says the same of each case as ours."""

from __future__ import annotations

import pytest
from verifier_globals import CASES, program

from beebox.obj.targets.host import host
from beebox.verifier.options import Options
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux
_CALL = "call func[f]\nr0 = 2\nexit"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_linux_agrees(case, kernel_verdict):
    theirs, ours = kernel_verdict(case.spec), verify(case.spec)
    assert theirs.accepted == (case.expected == "accepted"), theirs.log
    if theirs.accepted:
        assert ours.insns_processed == theirs.insns_processed
    else:
        assert ours.findings[0].kernel_message in theirs.log


@pytest.mark.parametrize(
    ("main", "parameter", "code"),
    [
        (_CALL, "trusted:pair*", "function-prototype"),
        (_CALL, "trusted:void*", "function-prototype"),
        (_CALL, "untrusted:task_struct**", "function-prototype"),
        (_CALL, "trusted:task_struct*", "function-argument"),
        ("r1 = 0\n" + _CALL, "trusted:task_struct*", "function-argument"),
        ("r1 = 0\n" + _CALL, "trusted,nullable:task_struct*", None),
        ("r1 = 0\n" + _CALL, "untrusted:task_struct*", None),
    ],
)
def test_structs_of_the_kernel(main, parameter, code, kernel_verdict):
    spec = program(main, "r0 = 0\nexit", parameter)
    theirs, ours = kernel_verdict(spec), verify(spec, Options(target=host()))
    assert theirs.accepted == ours.accepted == (code is None), theirs.log
    if code:
        assert ours.findings[0].code == code
        assert ours.findings[0].kernel_message in theirs.log


def test_null_where_it_is_never_to_be(kernel_verdict):
    """Linux takes it, though the function then reads at address 0: we do not."""
    spec = program("r1 = 0\n" + _CALL, "r0 = *(u64 *)(r1 + 0)\nexit", "nonnull:pair*")
    assert kernel_verdict(spec).accepted
    assert verify(spec).findings[0].code == "function-argument"
