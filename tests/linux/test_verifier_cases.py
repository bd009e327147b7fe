"""The running kernel must say the same of every case as our verifier's expected verdict."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux


def _cases():
    path = Path(__file__).parents[1] / "unit/verifier/test_cases.py"
    spec = importlib.util.spec_from_file_location("verifier_cases", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


_OTHER_LINE = {
    "queue: lookup": "the size of the key is looked at before the type of the map",
    "map in map: an inner map's memory": "Linux lets tracing programs read the struct bpf_map",
    "stack liveness: a classic load that skips the write": "Linux counts slots that are left over",
}
"""Cases that Linux refuses for another reason than ours."""


_LINUX_ACCEPTS = {
    "class 27, unsafe: what an atomic operation fetched from the stack": "looking back from the "
    "number that was fetched, 6.18 forgets the slot that it came from",
    "class 25, unsafe: a sign-extending fill is no copy": "6.18 keeps it linked with the register "
    "that was spilled, where both are as wide",
    "stack liveness: a tail call that skips the write": "6.18 forgets that a function which writes "
    "a slot of its caller's may end before it does, when its tail call succeeds",
}
"""Unsafe cases that the running kernel takes, and the bug of it that we do not follow."""


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case.name)
def test_linux_agrees(case, kernel_verdict):
    """Also, the line that we say Linux logs is in its log."""
    theirs = kernel_verdict(case.spec)
    assert theirs.accepted == (case.expected == "accepted" or case.name in _LINUX_ACCEPTS), (
        theirs.log
    )
    if not theirs.accepted and case.name not in _OTHER_LINE:
        assert verify(case.spec).findings[0].kernel_message in theirs.log
