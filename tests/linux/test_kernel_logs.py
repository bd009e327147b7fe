"""``beebox explain`` reads what the running kernel writes, at both levels."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from beebox.diagnose.kernel_log import parse
from beebox.diagnose.reading import read
from beebox.linux.kernel import LinuxKernel
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux

SEVERAL: Final = {
    frozenset({"map-value-bounds", "memory-bounds"}): "one message for both kinds of memory",
    frozenset({"map-value-bounds", "packet-bounds"}): "the same, of a negative offset",
    frozenset({"map-value-bounds", "argument-size"}): "the same",
    frozenset({"missing-in-target", "not-supported"}): "a helper that nobody knows",
    frozenset({"uninitialised-register", "return-value"}): "R0 where a function ends",
    frozenset({"atomic", "stack-bounds"}): "misaligned, of the stack",
    frozenset({"atomic", "argument-type"}): "misaligned, of an argument",
    frozenset({"stack-bounds", "argument-type"}): "the same",
    frozenset({"stack-uninitialised", "stack-object"}): "reads of what is no plain byte",
    frozenset({"argument-type", "context-access"}): "a context that was moved, as an argument",
    frozenset({"pointer-arithmetic", "unbounded-offset"}): "offsets that are out of bounds",
}
"""Findings that one message of Linux stands for; the register's value often tells which."""


def _cases() -> ModuleType:
    path = Path(__file__).parents[1] / "unit/verifier/test_cases.py"
    spec = importlib.util.spec_from_file_location("verifier_cases_of_logs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_logs_say_what_we_say(record_property: pytest.RecordProperty) -> None:
    """Both levels give the same reading: our code, at our instruction."""
    kernel = LinuxKernel()
    read_ = same_code = same_place = 0
    wrong = []
    for case in _cases().CASES:
        if case.expected == "accepted":
            continue
        report = verify(case.spec)
        logs = [kernel.verdict(case.spec, log_level=level) for level in (1, 2)]
        if any(each.accepted for each in logs):
            continue  # docs/parity.md has why
        readings = [read(parse(each.log)) for each in logs]
        one, two = readings
        assert one.code == two.code, case.name
        assert one.pc in (None, two.pc), case.name  # level 1 forgets finished paths
        read_ += 1
        finding = report.findings[0]
        same_place += one.pc == finding.pc or one.pc is None
        alike = one.code == finding.code or frozenset({one.code, finding.code}) in SEVERAL
        same_code += alike
        if not alike:
            wrong.append((case.name, finding.code, one.code, one.log.message))
    record_property("codes", f"{same_code} of {read_}")
    record_property("places", f"{same_place} of {read_}")
    assert read_ >= 200
    assert same_code >= 0.95 * read_, "\n".join(map(str, wrong))
    assert same_place >= 0.95 * read_
